"""The process that appends: single appends, group commit and receipts, without any server."""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import django
from django.conf import settings
from django.core.management import call_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")
django.setup()

from django.contrib.auth.models import User  # noqa: E402 (needs the app registry)

from lab.benchmarks.processes import turns  # noqa: E402
from lab.benchmarks.processes.client import quantile  # noqa: E402
from lab.rig import json_lines  # noqa: E402
from sessions.control.send import send_message  # noqa: E402
from sessions.eventlog import store  # noqa: E402

Json = dict[str, Any]

SESSIONS = 20
WRITERS = 8
# One append of an agent that talks fast.
GROUP = 100


def _singles(session_ids: Sequence[UUID], count: int) -> Json:
    """Append one event at a time, each in a transaction of its own."""
    began = time.monotonic()
    for number in range(count):
        store.append(session_ids[number % SESSIONS], [turns.delta(number)])
    return {"singles_per_s": count / (time.monotonic() - began)}


async def _grouped(session_ids: Sequence[UUID], count: int) -> Json:
    """Append through the writer, from twenty turns at once, as fast as it takes them."""
    async with turns.writing(session_ids) as writer:

        async def turn(session_id: UUID) -> None:
            for number in range(count // SESSIONS):
                await writer.add(session_id, [turns.delta(number)])
            await writer.flush(session_id)

        began = time.monotonic()
        await asyncio.gather(*map(turn, session_ids))
        took = time.monotonic() - began
    return {"grouped_per_s": count / took}


def _groups(session_ids: Sequence[UUID], count: int) -> Json:
    """Append a hundred events at a time, each hundred in a transaction of its own."""
    cpu_s, began = time.process_time(), time.monotonic()
    groups = max(count // GROUP, 1)
    for number in range(groups):
        drafts = [turns.delta(number * GROUP + place) for place in range(GROUP)]
        store.append(session_ids[number % SESSIONS], drafts)
    events = groups * GROUP
    return {
        "groups_per_s": events / (time.monotonic() - began),
        "cpu_us_per_event": (time.process_time() - cpu_s) * 1e6 / events,
    }


async def _writers(session_ids: Sequence[UUID], count: int) -> Json:
    """Append from eight turns, one event at a time, each acknowledged before the next."""
    async with turns.writing(session_ids[:WRITERS]) as writer:

        async def turn(session_id: UUID) -> None:
            for number in range(count // WRITERS):
                await writer.append(session_id, [turns.delta(number)])

        began = time.monotonic()
        await asyncio.gather(*map(turn, session_ids[:WRITERS]))
        took = time.monotonic() - began
    return {"writers_per_s": count // WRITERS * WRITERS / took}


async def _turns(session_ids: Sequence[UUID], count: int) -> Json:
    """Append from twenty turns, each of which waits for its event to be in the log."""
    took: list[float] = []
    async with turns.writing(session_ids) as writer:

        async def turn(session_id: UUID) -> None:
            for number in range(count // SESSIONS):
                began = time.monotonic()
                await writer.append(session_id, [turns.delta(number)])
                took.append((time.monotonic() - began) * 1000)

        await asyncio.gather(*map(turn, session_ids))
    took.sort()
    return {"turn_p50_ms": quantile(took, 0.5), "turn_p99_ms": quantile(took, 0.99)}


def _receipts(user: User, session_ids: Sequence[UUID], count: int) -> Json:
    """Admit prompts one after the other: a person waits for each."""
    took = []
    for number in range(count):
        began = time.monotonic()
        send_message(
            user=user,
            client_msg_id=str(number),
            session_id=session_ids[number % SESSIONS],
            text="Explain it once more.",
        )
        took.append((time.monotonic() - began) * 1000)
    took.sort()
    return {
        "receipts_per_s": count / sum(took) * 1000,
        "receipt_p50_ms": quantile(took, 0.5),
        "receipt_p99_ms": quantile(took, 0.99),
    }


def main() -> None:
    """Run every load once and print the results."""
    parser = argparse.ArgumentParser()
    for name in ("singles", "grouped", "receipts"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--synchronous", default="")
    options = parser.parse_args()
    if options.synchronous:
        database = settings.DATABASES["default"]["OPTIONS"]
        database["init_command"] += f"PRAGMA synchronous={options.synchronous};"
    call_command("migrate", verbosity=0, interactive=False)
    user = User.objects.create(username="writer")
    session_ids = [turns.make_session(user) for _ in range(SESSIONS)]
    measured = _singles(session_ids, options.singles)
    measured |= _groups(session_ids, options.grouped)
    measured |= asyncio.run(_writers(session_ids, options.singles))
    measured |= asyncio.run(_grouped(session_ids, options.grouped))
    measured |= asyncio.run(_turns(session_ids, options.receipts))
    measured |= _receipts(user, session_ids, options.receipts)
    json_lines.say(measured)


if __name__ == "__main__":
    main()
