"""Interrupts at random moments: ``python -m tests.agents.storm --agent demo --count 1000``.

Each round sends a prompt, waits a random moment (the agent may be starting, thinking, answering,
asking or done), interrupts or stops, and sometimes goes on at once with the next prompt. At the
end every turn has exactly one end and no process is left.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import tempfile
from collections import Counter
from typing import Any
from uuid import UUID

SESSIONS = 6
PROMPTS = ["/slow 40", "/slow 3", "Hello!", "/run sleep 5", "/flood 3000", "/refuse-interrupt 20"]


async def storm(
    chat: Any, *, agent: str, count: int, seed: int, prompts: list[str]
) -> Counter[str]:
    """Interrupt count times over a few sessions at once; return what came of the prompts."""
    share = [count // SESSIONS + (place < count % SESSIONS) for place in range(SESSIONS)]
    tallies = await asyncio.gather(
        *(
            _one_session(chat, agent, times, random.Random(f"{seed}/{place}"), prompts)
            for place, times in enumerate(share)
        )
    )
    return sum(tallies, Counter())


async def _one_session(
    chat: Any, agent: str, count: int, chance: random.Random, prompts: list[str]
) -> Counter[str]:
    from tests.support.running import assert_well_formed

    tally: Counter[str] = Counter()
    session_id: UUID | None = None
    for _ in range(count):
        receipt = await chat.send(chance.choice(prompts), session_id, agent=agent)
        session_id = receipt.session_id
        await asyncio.sleep(chance.random() ** 2)
        outcome = await chat.interrupt(session_id, kill=chance.random() < 0.1)
        tally["interrupted" if outcome.interrupted else str(outcome.code)] += 1
        settled = await chat.settled(receipt)
        tally[f"prompt {settled['promptState']}"] += 1
    if session_id is not None:
        await chat.interrupt(session_id, kill=True)
        await chat.until(session_id, lambda taken: taken["state"] == "ENDED")
        assert_well_formed(await chat.events(session_id))
        assert _processes_of(session_id) == []
    return tally


def _processes_of(session_id: UUID) -> list[object]:
    from sessions.agents import tree

    return list(tree.of_session(str(session_id)))


async def _run(options: argparse.Namespace) -> None:
    from tests.support.running import running_chat

    async with running_chat() as chat:
        tally = await storm(
            chat,
            agent=options.agent,
            count=options.count,
            seed=options.seed,
            prompts=options.prompt or PROMPTS,
        )
    for what, times in sorted(tally.items()):
        print(f"{times:6} {what}")
    print(f"{options.count} interrupts, every turn ended once, no process is left")


def main() -> None:
    """Run over an empty database of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agent", default="demo")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prompt", action="append", help="instead of the demo agent's")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "DATA_DIR": folder,
            "CHAT_INTERRUPT_TIMEOUT_S": os.environ.get("CHAT_INTERRUPT_TIMEOUT_S", "2"),
            "CHAT_SENDS_PER_MINUTE": "100000",
            "DJANGO_SETTINGS_MODULE": "chatproject.settings",
            "LOG_LEVEL": "ERROR",
        }
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        asyncio.run(_run(options))


if __name__ == "__main__":
    main()
