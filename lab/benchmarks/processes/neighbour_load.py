"""The process of (f): a runner with two demo agents, one of which floods."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import uuid
from typing import Any
from uuid import UUID

import django
import psutil
from django.core.management import call_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")
django.setup()

from django.contrib.auth.models import User  # noqa: E402 (needs the app registry)

from lab.benchmarks.processes.client import quantile  # noqa: E402
from lab.rig import json_lines  # noqa: E402
from sessions.control.send import send_message  # noqa: E402
from sessions.core.db import in_thread  # noqa: E402
from sessions.core.host import keep_pauses_short  # noqa: E402
from sessions.eventlog import store  # noqa: E402
from sessions.eventlog.events import EventType  # noqa: E402
from sessions.eventlog.wake import HeadWatch  # noqa: E402
from sessions.models import Message  # noqa: E402
from sessions.runner.runner import Runner  # noqa: E402

Json = dict[str, Any]

# The time of `/slow` for a word.
WORD_MS = 100.0
LOOK_INTERVAL_S = 0.05


async def _load(deltas: int, words: int) -> None:
    owner = await in_thread(User.objects.create, username="benchmark")
    watch = HeadWatch()
    runner = Runner(watch)
    tasks = [asyncio.create_task(watch.run()), asyncio.create_task(runner.run())]
    try:
        # The agents' start is not measured.
        quiet, loud = [await _send(owner, "/slow 1") for _ in range(2)]
        await _rest(quiet)
        await _rest(loud)
        json_lines.say(await _listen(owner, quiet, words))
        json_lines.say(await _listen(owner, quiet, words, loud=loud, deltas=deltas))
    finally:
        await runner.stop(grace_s=0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _listen(
    owner: User, quiet: UUID, words: int, *, loud: UUID | None = None, deltas: int = 0
) -> Json:
    """Let the quiet agent speak, until it and the loud one have ended; return a Neighbour."""
    process = psutil.Process()
    before = most = process.memory_info().rss
    heads = {sid: await in_thread(store.get_head_seq, sid) for sid in (quiet, loud) if sid}
    loop = asyncio.get_running_loop()
    began = loop.time()
    await _send(owner, f"/slow {words}", quiet)
    if loud is not None:
        await _send(owner, f"/flood {deltas}", loud)
    resting = asyncio.gather(*(_rest(sid) for sid in heads))
    while not resting.done():
        most = max(most, process.memory_info().rss)
        await asyncio.sleep(LOOK_INTERVAL_S)
    await resting
    seconds = loop.time() - began
    spoken = await in_thread(
        store.read, quiet, after=heads[quiet], limit=words + 100, types={EventType.BLOCK_DELTA}
    )
    # A word that came late makes the next one early: that is no merit.
    late = sorted(
        max(0.0, (next_one.ts - one.ts).total_seconds() * 1000 - WORD_MS)
        for one, next_one in itertools.pairwise(spoken)
    )
    events = await in_thread(store.get_head_seq, loud) - heads[loud] if loud else 0
    return {
        "deltas": deltas,
        "events": events,
        "seconds": seconds,
        # Two that come at once are one event.
        "words": len("".join(event.payload["delta"] for event in spoken).split()),
        "late_p50_ms": quantile(late, 0.5),
        "late_p99_ms": quantile(late, 0.99),
        "late_worst_ms": late[-1],
        "grown_mb": (most - before) / 1e6,
    }


async def _send(owner: User, text: str, session_id: UUID | None = None) -> UUID:
    receipt = await in_thread(
        send_message,
        user=owner,
        client_msg_id=str(uuid.uuid4()),
        session_id=session_id,
        text=text,
        agent=None if session_id else "demo",
    )
    return receipt.session_id


async def _rest(session_id: UUID) -> None:
    """Wait until the session's newest prompt is answered."""
    prompts = Message.objects.filter(session_id=session_id, role="user").order_by("-seq")
    newest = prompts.values_list("data", flat=True)[:1]
    while True:
        prompt = await in_thread(newest.get)
        if prompt["promptState"] not in {"accepted", "dispatched"}:
            return
        await asyncio.sleep(LOOK_INTERVAL_S)


def main() -> None:
    """Answer twice: the quiet agent alone, and beside the flood."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--deltas", type=int, required=True)
    parser.add_argument("--words", type=int, required=True)
    options = parser.parse_args()
    call_command("migrate", verbosity=0, interactive=False)
    keep_pauses_short()
    asyncio.run(_load(options.deltas, options.words))


if __name__ == "__main__":
    main()
