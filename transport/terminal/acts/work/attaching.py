"""The files of the next prompt, in a terminal: uploaded when they are named."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

from sessions.text.asking import one_line
from transport.client.uploads import named
from transport.terminal.desk import Desk, Words

HELP: Final = ":attach PATH    send a file with the next prompt\n"
MAX_NAME_CHARS: Final = 255


class Attaching:
    """The files that wait for the next prompt."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._files: list[dict[str, Any]] = []

    @property
    def words(self) -> Words:
        """Return the commands by their words; each takes the rest of its line."""
        return {":attach": self.attach}

    async def attach(self, path: str) -> None:
        """Upload a file; a failure attaches nothing."""
        place = Path(path.strip())
        try:
            data = await asyncio.to_thread(_read, place)
        except (OSError, RuntimeError, ValueError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else "it is no path"
            self._desk.say(f"! {one_line(str(place))} cannot be read: {why}")
            return
        blob, answer = await self._desk.client.upload(data)
        if not answer.is_done:
            self._desk.failed(answer)
            return
        self._files.append(named(blob, place.name[:MAX_NAME_CHARS]))
        self._desk.say(f"[{one_line(place.name)}: {len(data):,} bytes, with the next prompt]")

    def take(self) -> list[dict[str, Any]]:
        """Return the files for a prompt; the one after it has none."""
        files, self._files = self._files, []
        return files


def _read(place: Path) -> bytes:
    """Return the bytes of a file. Raises OSError, RuntimeError (a home that is unknown)."""
    return place.expanduser().read_bytes()
