"""Wakes between processes, through the Channels layer.

A wake names a session and a head. It carries no events: any program that reaches the layer could
forge them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from channels.layers import get_channel_layer
from pydantic import BaseModel, Field, TypeAdapter

from sessions.core.conf import chat
from sessions.core.layer.mailbox import Mailbox

logger = logging.getLogger(__name__)

WORK_GROUP: Final = "chat.work"
MAX_UNSENT: Final = 1000


class _Moved(BaseModel):
    """The head of a session may have moved."""

    type: Literal["chat.head"]
    session: UUID
    head: Annotated[int, Field(ge=0)]


class _Work(BaseModel):
    """A session may have work for a runner."""

    type: Literal["chat.work"]
    session: UUID


_SHAPE: TypeAdapter[_Moved | _Work] = TypeAdapter(
    Annotated[_Moved | _Work, Field(discriminator="type")]
)


class LayerWakes:
    """The wakes that one process tells and hears.

    moved(session_id, head) and work(session_id) are called with hints, which may be false.
    """

    def __init__(self, *, moved: Callable[[UUID, int], None], work: Callable[[UUID], None]) -> None:
        self._moved = moved
        self._work = work
        self._mailbox = Mailbox("chat", _SHAPE)
        self._wanted: set[UUID] = set()
        self._joined: set[UUID] = set()
        self._changed = asyncio.Event()
        self._unsent: asyncio.Queue[tuple[UUID, int, bool]] = asyncio.Queue(MAX_UNSENT)

    def join(self, session_id: UUID) -> None:
        """Hear the wakes of a session."""
        self._wanted.add(session_id)
        self._changed.set()

    def leave(self, session_id: UUID) -> None:
        """Hear the wakes of a session no more."""
        self._wanted.discard(session_id)
        self._changed.set()

    def tell(self, session_id: UUID, head: int, *, is_work: bool) -> None:
        """Tell the other processes; beyond MAX_UNSENT their tails find it."""
        if not self._unsent.full():
            self._unsent.put_nowait((session_id, head, is_work))

    async def run(self) -> None:
        """Tell and hear until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hear(), name="wake-receive")
            tasks.create_task(self._publish(), name="wake-publish")
            tasks.create_task(self._join_groups(), name="wake-groups")

    async def _hear(self) -> None:
        while True:
            wake = await self._mailbox.hear()
            if isinstance(wake, _Work):
                self._work(wake.session)
            else:
                self._moved(wake.session, wake.head)

    async def _publish(self) -> None:
        while True:
            session_id, head, is_work = await self._unsent.get()
            named = {"session": str(session_id)}
            layer: Any = get_channel_layer()
            try:
                moved = {"type": "chat.head", "head": head, **named}
                await layer.group_send(_group(session_id), moved)
                if is_work:
                    await layer.group_send(WORK_GROUP, {"type": "chat.work", **named})
            except Exception:
                logger.exception("could not send a wake", extra=named)
                await asyncio.sleep(chat.TAIL_INTERVAL_S)

    async def _join_groups(self) -> None:
        await self._mailbox.keep_joining(WORK_GROUP)
        while True:
            self._changed.clear()
            if await self._follow_wishes():
                await self._changed.wait()
            else:
                # Until then the tail finds the events.
                await asyncio.sleep(chat.TAIL_INTERVAL_S)

    async def _follow_wishes(self) -> bool:
        """Join and leave groups; return whether all is as it should be."""
        for session_id in self._wanted - self._joined:
            if not await self._mailbox.join(_group(session_id)):
                return False
            self._joined.add(session_id)
        for session_id in self._joined - self._wanted:
            if not await self._mailbox.leave(_group(session_id)):
                return False
            self._joined.discard(session_id)
        return True


def _group(session_id: UUID) -> str:
    return f"chat.session.{session_id}"
