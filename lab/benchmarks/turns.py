"""What stands in for the runner: sessions under a lease, and a group commit that writes to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from django.contrib.auth.models import User

from lab.benchmarks.stamps import stamped
from sessions.eventlog import store
from sessions.eventlog.events import Draft
from sessions.eventlog.store import Lease
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
    drafts = _earlier_turns(history)
    for start in range(0, len(drafts), HISTORY_STEP):
        store.append(session.pk, drafts[start : start + HISTORY_STEP])
    return session.pk


def delta(number: int) -> Draft:
    """Return event `number`, which nothing merges, stamped now."""
    block = BLOCKS[number % len(BLOCKS)]
    return Draft("block_delta", {"messageId": "m", "blockId": block, "delta": stamped(number)})


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
    drafts: list[Draft] = []
    while len(drafts) < count:
        drafts += _turn(f"t{len(drafts)}")
    return drafts


def _turn(turn_id: str) -> list[Draft]:
    """Return an answer of about 4,000 characters in 100 deltas, and the prompt before it."""
    message_id, prompt_id = f"m-{turn_id}", f"p-{turn_id}"
    ids = {"messageId": message_id, "blockId": f"b-{turn_id}"}
    deltas = ["a few words of the answer, in Markdown, "] * 100
    content = "".join(deltas)
    return [
        Draft("user_message", {"messageId": prompt_id, "clientMsgId": turn_id, "text": "Next?"}),
        Draft("turn_start", {"turnId": turn_id, "clientMsgId": turn_id}),
        Draft("message_start", {"messageId": message_id, "turnId": turn_id, "role": "assistant"}),
        Draft("block_start", {**ids, "blockType": "text"}),
        *(Draft("block_delta", {**ids, "delta": text}) for text in deltas),
        Draft("block_end", {**ids, "content": content, "html": f"<p>{content}</p>"}),
        Draft("message_end", {"messageId": message_id}),
        Draft("turn_end", {"turnId": turn_id, "stopReason": "end_turn"}),
    ]
