"""A runner in the test's own process, with real agent processes, and ways to wait for the log."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model

from sessions.control.interrupt import InterruptOutcome, interrupt
from sessions.control.send import Receipt, send_message
from sessions.core.db import in_thread
from sessions.eventlog import snapshot, store
from sessions.eventlog.events import LoggedEvent
from sessions.eventlog.wake import HeadWatch
from sessions.runner.runner import Runner

DEADLINE_S = 20.0


class Chat:
    """One person's use of a runner."""

    def __init__(self, user: Any, runner: Runner, watch: HeadWatch) -> None:
        self.user, self.runner, self.watch = user, runner, watch

    async def send(
        self, text: str, session_id: UUID | None = None, *, agent: str = "demo"
    ) -> Receipt:
        return await in_thread(
            send_message,
            user=self.user,
            client_msg_id=str(uuid.uuid4()),
            session_id=session_id,
            text=text,
            agent=None if session_id else agent,
        )

    async def interrupt(self, session_id: UUID, **more: Any) -> InterruptOutcome:
        return await interrupt(user=self.user, session_id=session_id, watch=self.watch, **more)

    async def snapshot(self, session_id: UUID) -> dict[str, Any]:
        return await in_thread(snapshot.take, session_id)

    async def events(self, session_id: UUID) -> list[LoggedEvent]:
        return await in_thread(store.read, session_id, after=0, limit=1_000_000)

    async def until(
        self,
        session_id: UUID,
        claim: Callable[[dict[str, Any]], Any],
        deadline_s: float = DEADLINE_S,
    ) -> dict[str, Any]:
        """Return the first snapshot for which claim holds; fail after the deadline."""
        end = time.monotonic() + deadline_s
        while True:
            taken = await self.snapshot(session_id)
            if claim(taken):
                return taken
            assert time.monotonic() < end, f"never came true; last: {taken}"
            await asyncio.sleep(0.02)

    async def settled(self, receipt: Receipt) -> dict[str, Any]:
        """Return the prompt's Message once its turn is over."""
        taken = await self.until(receipt.session_id, lambda s: prompt_state(s, receipt) in FINAL)
        return prompt_of(taken, receipt)

    async def answering(self, session_id: UUID) -> dict[str, Any]:
        """Return a snapshot with some of the answer in flight."""
        return await self.until(
            session_id, lambda s: s["current"] and any(b["content"] for b in s["current"]["blocks"])
        )


FINAL = {"answered", "interrupted", "failed"}


def prompt_of(taken: dict[str, Any], receipt: Receipt) -> dict[str, Any]:
    return next(m for m in taken["messages"] if m.get("clientMsgId") == receipt.client_msg_id)


def prompt_state(taken: dict[str, Any], receipt: Receipt) -> str:
    return prompt_of(taken, receipt)["promptState"]


def assert_well_formed(events: list[LoggedEvent]) -> None:
    """Every message and block that began has ended, every turn ended once, no seq is missing."""
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    for begin, end, key in (
        ("turn_start", "turn_end", "turnId"),
        ("message_start", "message_end", "messageId"),
        ("block_start", "block_end", "blockId"),
        ("permission_request", "permission_resolved", "permId"),
        ("question_asked", "question_answered", "questionId"),
    ):
        begun = [event.payload[key] for event in events if event.type == begin]
        ended = [event.payload[key] for event in events if event.type == end]
        assert sorted(begun) == sorted(ended), f"{begin} without {end}, or twice"
        assert len(set(begun)) == len(begun)
    bounds = [event.type for event in events if event.type in {"turn_start", "turn_end"}]
    assert bounds == ["turn_start", "turn_end"] * (len(bounds) // 2), "a turn within a turn"


@asynccontextmanager
async def running_chat() -> AsyncIterator[Chat]:
    """A started runner and its one user; at the end everything is stopped and closed."""
    user, _ = await in_thread(get_user_model().objects.get_or_create, username="owner")
    watch = HeadWatch()
    runner = Runner(watch)
    tasks = [asyncio.create_task(watch.run()), asyncio.create_task(runner.run())]
    try:
        yield Chat(user, runner, watch)
        await runner.stop(grace_s=0)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
