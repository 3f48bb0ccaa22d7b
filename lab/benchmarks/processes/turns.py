"""The runner's stand-in: sessions under a lease, and a group commit that writes to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from django.contrib.auth.models import User

from lab.benchmarks.processes.stamps import stamped
from sessions.eventlog import drafts, store
from sessions.eventlog.events import BlockType, Draft, StopReason
from sessions.eventlog.lease import Lease
from sessions.eventlog.writer import Writer
from sessions.models import Session

RUNNER = "benchmark"
# Deltas of one block would merge into few events, which is what the writer is for: taking turns
# between two blocks keeps one event one event.
BLOCKS = ("a", "b")
HISTORY_STEP = 500


def make_session(owner: User, *, history: int = 0) -> UUID:
    """Return a new session under our lease, with about so many events of earlier turns."""
    session = Session.objects.create(owner=owner, agent="demo", runner_id=RUNNER, lease_epoch=1)
    earlier = _earlier_turns(history)
    for start in range(0, len(earlier), HISTORY_STEP):
        store.append(session.pk, earlier[start : start + HISTORY_STEP])
    return session.pk


def delta(number: int) -> Draft:
    """Return event `number`, which nothing merges, stamped now."""
    block = BLOCKS[number % len(BLOCKS)]
    return drafts.block_delta(message_id="m", block_id=block, delta=stamped(number))


@asynccontextmanager
async def writing(session_ids: Sequence[UUID]) -> AsyncIterator[Writer]:
    """Run a writer; everything added is in the log when the block ends."""
    writer = Writer()
    for session_id in session_ids:
        writer.open(Lease(session_id, RUNNER, 1), head=0)
    task = asyncio.create_task(writer.run(), name="writer")
    try:
        yield writer
        for session_id in session_ids:
            await writer.flush(session_id)
    finally:
        task.cancel()


def _earlier_turns(count: int) -> list[Draft]:
    earlier: list[Draft] = []
    while len(earlier) < count:
        earlier += _turn(f"t{len(earlier)}")
    return earlier


def _turn(turn_id: str) -> list[Draft]:
    """Return an answer of about 4,000 characters in 100 deltas, and the prompt before it."""
    message_id, block_id = f"m-{turn_id}", f"b-{turn_id}"
    deltas = ["a few words of the answer, in Markdown, "] * 100
    content = "".join(deltas)
    return [
        drafts.user_message(message_id=f"p-{turn_id}", client_msg_id=turn_id, text="Next?"),
        drafts.turn_start(turn_id=turn_id, client_msg_id=turn_id),
        drafts.message_start(message_id=message_id, turn_id=turn_id),
        drafts.block_start(message_id=message_id, block_id=block_id, block_type=BlockType.TEXT),
        *(
            drafts.block_delta(message_id=message_id, block_id=block_id, delta=text)
            for text in deltas
        ),
        drafts.block_end(
            message_id=message_id, block_id=block_id, content=content, html=f"<p>{content}</p>"
        ),
        drafts.message_end(message_id=message_id),
        drafts.turn_end(turn_id=turn_id, stop_reason=StopReason.END_TURN),
    ]
