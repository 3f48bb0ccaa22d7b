"""The bounded, ordered hand-over of updates from an agent's reader to the runner.

Neighbouring deltas of one kind merge while they wait, so a flood of tiny deltas becomes few
updates. A full mailbox makes the reader wait, the pipe fills, the agent waits: memory stays
bounded. While a turn is being interrupted deltas that find no room are dropped instead, because the
agent's answer to the cancel lies behind them in the pipe.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import replace

from sessions.agents.port import (
    PermissionAsked,
    TextDelta,
    ThinkingDelta,
    ToolDone,
    ToolOutput,
    Update,
)

Piece = TextDelta | ThinkingDelta | ToolOutput

MAX_ITEMS = 512
MAX_TEXT_BYTES = 1024 * 1024
# A merged delta stays one small event in the log.
MAX_MERGED_CHARS = 16 * 1024


class Mailbox:
    """One writer, one reader, same event loop."""

    def __init__(self, *, max_items: int = MAX_ITEMS, max_text_bytes: int = MAX_TEXT_BYTES) -> None:
        self._items: deque[Update] = deque()
        self._size = 0
        self._max_items = max_items
        self._max_text_bytes = max_text_bytes
        self._changed = asyncio.Condition()
        self._closed = False
        self.sheds = False

    async def put(self, update: Update) -> None:
        """Add an update at the end; wait while the mailbox is full. After `close` it is dropped."""
        if self._merge(update):
            return
        async with self._changed:
            while self._is_full() and not self._closed:
                if self.sheds:
                    if self._has_spare_room(update):
                        break
                    return
                await self._changed.wait()
            self._append(update)

    async def put_last(self, update: Update) -> None:
        """Add an update without waiting for room, such as the end of a turn."""
        async with self._changed:
            self._append(update)

    async def shed(self, *, on: bool) -> None:
        """Drop deltas that find no room (on), or wait for room (off)."""
        async with self._changed:
            self.sheds = on
            self._changed.notify_all()

    async def close(self) -> None:
        """End the iteration after the updates that are already in it."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def updates(self) -> AsyncIterator[Update]:
        """Yield updates in order until the mailbox is closed and empty."""
        while True:
            async with self._changed:
                while not self._items and not self._closed:
                    await self._changed.wait()
                if not self._items:
                    return
                update = self._items.popleft()
                self._size -= _weight(update)
                self._changed.notify_all()
            yield update

    def _is_full(self) -> bool:
        return len(self._items) >= self._max_items or self._size >= self._max_text_bytes

    def _has_spare_room(self, update: Update) -> bool:
        """Return whether to keep an update while shedding: tools and plans, to twice the bound."""
        is_delta = isinstance(update, Piece)
        return not is_delta and len(self._items) < 2 * self._max_items

    def _append(self, update: Update) -> None:
        if not self._closed:
            self._items.append(update)
            self._size += _weight(update)
            self._changed.notify_all()

    def _merge(self, update: Update) -> bool:
        """Join a delta to a waiting one of its kind; return whether that was done."""
        if not self._items or self._is_full():
            return False
        last = self._items[-1]
        if not isinstance(update, Piece) or not isinstance(last, Piece):
            return False
        merged = replace(update, text=last.text + update.text)
        # One kind, and of one subagent or of one tool.
        if replace(merged, text=last.text) != last or _weight(merged) > MAX_MERGED_CHARS:
            return False
        self._size += _weight(merged) - _weight(last)
        self._items[-1] = merged
        return True


def _weight(update: Update) -> int:
    if isinstance(update, Piece):
        return len(update.text)
    if isinstance(update, ToolDone):
        return len(update.content) + update.shown.size()
    return update.shown.size() if isinstance(update, PermissionAsked) else 0
