"""Texts that a terminal does not show at once: skipped, cut, earlier, or files of a message."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, BinaryIO, Final

from sessions.text.asking import inset, one_line
from transport.terminal.desk import Desk, Words
from transport.terminal.showing.messages import message_lines

HELP: Final = """\
:skipped        show the events that were skipped
:whole          show the open request or the last long text that was cut, all of it
:earlier        show the messages before the ones that were shown
:save NAME PATH save a file or an image of a message; NAME: the beginning of its SHA-256
:export PATH    save the whole transcript as Markdown, or as JSON lines for a PATH.jsonl
"""
EVENTS_PAGE: Final = 200


class Reading:
    """Reads what the stream does not carry."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._read_to: tuple[str, int | None] = ("", None)

    @property
    def words(self) -> Words:
        """Return the commands by their words; each takes the rest of its line."""
        return {
            ":skipped": self._skipped,
            ":whole": self._whole,
            ":earlier": self._earlier,
            ":save": self._save,
            ":export": self._export,
        }

    async def _skipped(self, _rest: str) -> None:
        skips = self._desk.screen.skips()
        if not skips:
            self._desk.say("Nothing was skipped.")
        for first, last in skips:
            events = await self._events(first, last)
            if events is not None:
                self._desk.screen.show_skipped(first, last, events)

    async def _events(self, first: int, last: int) -> list[dict[str, Any]] | None:
        """Return the events of the session from first to last; None where they are refused."""
        events: list[dict[str, Any]] = []
        after = first - 1
        while after < last:
            page = await self._desk.read(
                "/events", "events", after=after, upto=last, limit=EVENTS_PAGE
            )
            if page is None:
                return None
            if not page["events"]:
                break  # the rest is pruned
            events += page["events"]
            after = events[-1]["seq"]
        return events

    async def _whole(self, _rest: str) -> None:
        screen = self._desk.screen
        asked = screen.requests.unread()
        text = asked or screen.last_cut
        if text is None:
            return self._desk.say("No text was cut.")
        try:
            async for piece in self._desk.client.whole_text(screen.session_id or "", *text):
                screen.paper.add(piece)
        except LookupError as exc:
            self._desk.say(f"! {inset(str(exc))}")
        else:
            if asked is not None:
                screen.requests.read(*asked)
        return screen.paper.end()

    async def _earlier(self, _rest: str) -> None:
        if (session_id := self._desk.opened()) is None:
            return None
        before = self._read_to[1] if self._read_to[0] == session_id else None
        if before is None:
            shot = await self._desk.read("/snapshot", "messages")
            before = shot["oldestSeq"] if shot else None
        if before is None:
            return self._desk.say("There is no earlier message.")
        page = await self._desk.read("/messages", "messages", before=before, limit=20)
        if page is None:
            return None
        for message in page["messages"]:
            for line in message_lines(message):
                self._desk.say(line)
        if not page["messages"]:
            return self._desk.say("There is no earlier message.")
        self._read_to = (session_id, page["oldestSeq"])
        return self._desk.say("— the end of the earlier messages —")

    async def _save(self, rest: str) -> None:
        name, _, path = rest.strip().partition(" ")
        found = self._desk.screen.standing.blobs(name) if name else []
        if len(found) != 1 or not path.strip():
            self._desk.say("Name one file of this chat and a path, as :save 3f2a9c1d out.png")
            return
        await self._download(f"/api/blobs/{found[0]}", path.strip())

    async def _export(self, rest: str) -> None:
        if (session_id := self._desk.opened()) is None:
            return
        kind = "jsonl" if rest.strip().endswith(".jsonl") else "md"
        if rest.strip():
            await self._download(f"/api/sessions/{session_id}/export?format={kind}", rest.strip())
        else:
            self._desk.say("Name a path, as :export chat.md")

    async def _download(self, address: str, path: str) -> None:
        """Store an answer under a path that is free: no file is written over."""
        place = Path(path)
        try:
            file = await asyncio.to_thread(_new_file, place)
        except (OSError, RuntimeError, ValueError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else "it is no path"
            self._desk.say(f"! {one_line(str(place))} cannot be written: {why}")
            return
        try:
            with file:
                size = await self._desk.client.download(address, file.write)
        except LookupError as exc:
            await asyncio.to_thread(Path(file.name).unlink, missing_ok=True)
            self._desk.say(f"! {inset(str(exc))}")
        else:
            self._desk.say(f"[{one_line(str(place))}: {size:,} bytes]")


def _new_file(place: Path) -> BinaryIO:
    return place.expanduser().open("xb")
