"""The rendition: the open answer of one session as HTML, as far as its blocks are settled.

It travels beside the log. A frame that is lost costs nothing: the next catch-up brings the whole
again, and the end of the block, which is an event, has the final HTML.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sessions.eventlog import snapshot
from sessions.eventlog.events import BlockType, EventType, LoggedEvent
from sessions.text.growing import MAX_HTML_CHARS, GrowingMarkdown, Piece
from transport import frames
from transport.rows import pool

logger = logging.getLogger(__name__)

# Deltas of this time are parsed together.
PAUSE_S: Final = 0.1
# Blocks of subagents grow beside that of the answer.
MAX_OPEN: Final = 8

MAX_WAITING_CHARS: Final = 65_536

Run = Callable[..., Awaitable[Any]]


@dataclass(slots=True)
class _Text:
    """An open block of text. loaded: the seq up to which the log was read for it."""

    message_id: str
    block_id: str
    loaded: int | None
    markdown: GrowingMarkdown = field(default_factory=GrowingMarkdown)
    waiting: list[tuple[int, str]] = field(default_factory=list)
    is_due: bool = False
    chars: int = 0
    html: str = ""
    end: int = 0

    def grow(self, seq: int, delta: str) -> None:
        """Take a delta; only a whole line can settle a block."""
        self.waiting.append((seq, delta))
        self.chars += len(delta)
        self.is_due |= self.loaded is None or "\n" in delta or self.chars > MAX_WAITING_CHARS

    def take(self) -> list[tuple[int, str]]:
        """Return the deltas that wait."""
        waiting, self.waiting = self.waiting, []
        self.is_due, self.chars = False, 0
        return waiting

    def frame(self, session_id: UUID, *, first: int, html: str) -> bytes:
        """Return the frame of the HTML from first to the end of the settled blocks."""
        return frames.unlogged(
            "rendered",
            sessionId=str(session_id),
            messageId=self.message_id,
            blockId=self.block_id,
            **{"from": first, "to": self.end},
            html=html,
        )


class Rendition:
    """The open blocks of one session; on the loop's thread, but for the parser."""

    def __init__(self, session_id: UUID, *, run: Run = pool.run) -> None:
        self._session_id = session_id
        self._run = run
        self._open: dict[str, _Text] = {}
        self._others: set[str] = set()
        # The frames that wait for the next event, by their block.
        self._ready: list[tuple[str, bytes]] = []
        self._task: asyncio.Task[None] | None = None

    def take(self, events: Sequence[LoggedEvent]) -> bytes:
        """Note the events that go out; return the frames that go in front of them."""
        for event in events:
            match event.type:
                case EventType.BLOCK_START:
                    self._begin(event)
                case EventType.BLOCK_DELTA:
                    self._grow(event)
                case EventType.BLOCK_END:
                    self._end(event)
                case EventType.MESSAGE_END | EventType.TURN_END:
                    self.forget()
        ready, self._ready = self._ready, []
        return b"".join(frame for block_id, frame in ready if block_id in self._open)

    def whole(self) -> bytes:
        """Return the frames that bring a reader up to date who has caught up."""
        shown = (text for text in self._open.values() if text.html)
        return b"".join(text.frame(self._session_id, first=0, html=text.html) for text in shown)

    def forget(self) -> None:
        """Forget the open blocks: they have ended, or events of theirs were left out."""
        self._open.clear()
        self._others.clear()

    def stop(self) -> None:
        """End the work; the last reader is gone."""
        if self._task is not None:
            self._task.cancel()

    # --- Events -----------------------------------------------------------------------------------

    def _begin(self, event: LoggedEvent) -> None:
        block_id = event.payload["blockId"]
        if event.payload["blockType"] != BlockType.TEXT or len(self._open) >= MAX_OPEN:
            self._others.add(block_id)
        else:
            self._open[block_id] = _Text(event.payload["messageId"], block_id, event.seq)

    def _grow(self, event: LoggedEvent) -> None:
        block_id, delta = event.payload["blockId"], event.payload["delta"]
        if block_id in self._others:
            return
        text = self._open.get(block_id)
        if text is None:  # the readers came in the middle of it
            text = self._open[block_id] = _Text(event.payload["messageId"], block_id, None)
        text.grow(event.seq, delta)
        if text.is_due:
            self._work_soon()

    def _end(self, event: LoggedEvent) -> None:
        self._open.pop(event.payload["blockId"], None)
        self._others.discard(event.payload["blockId"])

    # --- Work -------------------------------------------------------------------------------------

    def _work_soon(self) -> None:
        if self._task is None or self._task.done():
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._work(), name=f"render {self._session_id}")

    async def _work(self) -> None:
        while any(text.is_due for text in self._open.values()):
            await asyncio.sleep(PAUSE_S)
            for text in [text for text in self._open.values() if text.is_due]:
                try:
                    await self._advance(text)
                except Exception:
                    logger.exception("cannot render", extra={"session": str(self._session_id)})
                    self._leave_raw(text)

    async def _advance(self, text: _Text) -> None:
        """Render the blocks that the waiting deltas have settled."""
        start = "" if text.loaded is not None else await self._load(text)
        if text.loaded is None:
            return
        added = start + "".join(delta for seq, delta in text.take() if seq > text.loaded)
        pieces: list[Piece] = await self._run(text.markdown.add, added)
        if not pieces or self._open.get(text.block_id) is not text:
            return
        html = "".join(piece.html for piece in pieces)
        if len(text.html) + len(html) > MAX_HTML_CHARS:
            self._leave_raw(text)
            return
        first, text.end = text.end, pieces[-1].units
        text.html += html
        self._ready.append((text.block_id, text.frame(self._session_id, first=first, html=html)))

    async def _load(self, text: _Text) -> str:
        """Return the text before the first delta that was seen here, from the log."""
        head, current = await self._run(snapshot.current, self._session_id)
        blocks = current["blocks"] if current else []
        for block in blocks:
            if block["blockId"] == text.block_id and block["blockType"] == BlockType.TEXT:
                text.loaded = head
                return str(block["content"])
        self._leave_raw(text)
        return ""

    def _leave_raw(self, text: _Text) -> None:
        """Show a block as its raw text until its end."""
        self._open.pop(text.block_id, None)
        self._others.add(text.block_id)
