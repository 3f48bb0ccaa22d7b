"""Record tests/golden/turns.json: real turns, and what the fold makes of them.

Run it after a change of the protocol: ``python -m tests.support.record_golden``. The Python and
the JavaScript fold must both come to the recorded snapshots.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent.parent / "golden" / "turns.json"
# What is asked of the demo agent, and in what way it is cut short.
PROMPTS = {
    "an answer with thinking": ["Hello!"],
    "two prompts, one waiting": ["/slow 3", "/slow 2"],
    "a plan": ["/plan"],
    "a crash": ["/crash"],
    "an interrupt that is refused": ["/refuse-interrupt", "INTERRUPT"],
    "an interrupt": ["/slow 200", "INTERRUPT"],
    "a tool that was allowed": ["/run printf 'a\\tb <i>&amp;</i>'", "ALLOW"],
    "a tool that was told in parts": ["/parts"],
    "a tool that was denied": ["/run true", "DENY"],
}
# These are recorded once more, as a client gets them whose limit of a text is CUT_BYTES.
CUT = (
    "an answer with thinking",
    "a tool that was allowed",
    "a tool that was told in parts",
    "prompts that are edited, moved and withdrawn",
)
CUT_BYTES = 12


async def record() -> None:
    """Run every prompt and write the file."""
    from tests.support.running import running_chat
    from tests.support.written import envelopes
    from tests.support.written import turns as written

    async with running_chat() as chat:
        turns = [await _recorded(chat, name, steps) for name, steps in PROMPTS.items()]
    turns += [_folded(name, envelopes(drafts)) for name, drafts in written().items()]
    turns += [cut_turn(turn) for turn in turns if is_cut_too(turn)]
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps({"turns": turns}, indent=1, ensure_ascii=False) + "\n")


async def _recorded(chat: Any, name: str, steps: list[str]) -> dict[str, Any]:
    receipts: list[Any] = []
    for step in steps:
        session_id = receipts[0].session_id if receipts else None
        if step == "INTERRUPT":
            await chat.answering(session_id)
            await chat.interrupt(session_id)
        elif step in {"ALLOW", "DENY"}:
            await _answer(chat, session_id, step)
        else:
            receipts.append(await chat.send(step, session_id))
    for receipt in receipts:
        await chat.settled(receipt)
    events = [_neutral(e.envelope()) for e in await chat.events(receipts[0].session_id)]
    return _folded(name, events)


def is_cut_too(turn: dict[str, Any]) -> bool:
    """Return whether a turn is recorded with cut texts, too."""
    return turn["name"] in CUT or any(event["type"] == "tool_output" for event in turn["events"])


def cut_turn(turn: dict[str, Any]) -> dict[str, Any]:
    """Return a recorded turn with its texts cut."""
    from sessions.eventlog.bounded import cut

    events = [cut.event(event, CUT_BYTES) for event in turn["events"]]
    return _folded(f"{turn['name']}, with cut texts", events)


def _folded(name: str, events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a turn with the snapshots that it folds to."""
    from sessions.eventlog import fold

    middle = len(events) // 2
    start = fold.empty(events[0]["sessionId"])
    return {
        "name": name,
        "events": events,
        "middle": {"at": middle, "snapshot": fold.fold_all(start, events[:middle])},
        "snapshot": fold.fold_all(start, events),
    }


async def _answer(chat: Any, session_id: Any, step: str) -> None:
    from sessions.control.permissions import answer_permission
    from sessions.core.db import in_thread

    taken = await chat.until(session_id, lambda s: s["permissions"])
    [request] = taken["permissions"]
    wanted = "allow_once" if step == "ALLOW" else "reject_once"
    option = next(o["id"] for o in request["options"] if o["kind"] == wanted)
    await in_thread(
        answer_permission,
        user=chat.user,
        session_id=session_id,
        perm_id=request["permId"],
        option_id=option,
        digest=request["digest"],
    )


def _neutral(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event without a folder of the machine that recorded it."""
    return event | ({"cwd": "/workspace"} if "cwd" in event else {})


def main() -> None:
    """Record over an empty database of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "DATA_DIR": folder,
            "CHAT_INTERRUPT_TIMEOUT_S": "1",
            "DJANGO_SETTINGS_MODULE": "chatproject.settings",
        }
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        asyncio.run(record())


if __name__ == "__main__":
    main()
