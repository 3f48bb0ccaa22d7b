"""The folder of one log-in, through which its holder and the web processes of a machine speak.

Files and a named pipe, and no socket: any web process reads the output from its own cursor, and a
path may be longer than a socket's.
"""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# The longest wait for the page's next look. Browsers slow a hidden page down to one a minute.
LEFT_S: Final = 90.0
MAX_INPUT_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True)
class Shown:
    """The output behind a cursor, the cursor behind it, and how the log-in ended, "" before."""

    text: str
    following: int
    ended: str


class Place:
    """The folder of one log-in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder / "output"
        self.typed = folder / "typed"
        self._ended = folder / "ended"
        self._succeeded = folder / "succeeded"
        self._about = folder / "about.json"
        self._seen = folder / "seen"
        self._lock = folder / "lock"

    def make(self, about: dict[str, Any]) -> None:
        """Make the folder and its files; about: facts for the web processes."""
        self.folder.mkdir(mode=0o700, parents=True)
        self._about.write_text(json.dumps(about), encoding="utf-8")
        self.output.touch(mode=0o600)
        os.mkfifo(self.typed, 0o600)
        self.see()

    def about(self) -> dict[str, Any]:
        """Return the facts. Raises FileNotFoundError for a log-in that is gone."""
        told: dict[str, Any] = json.loads(self._about.read_text("utf-8"))
        return told

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- the page's side ---

    def see(self) -> None:
        """Note that a page still shows it."""
        self._seen.touch(mode=0o600)

    def leave(self) -> None:
        """Tell the holder that the page has left."""
        self._seen.unlink(missing_ok=True)

    def read(self, since: int) -> Shown:
        """Return the output behind a cursor. Raises FileNotFoundError."""
        ended = self._ended.read_text("utf-8") if self._ended.exists() else ""
        with self.output.open("rb") as file:
            file.seek(since)
            data = file.read()
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(data, final=bool(ended))
        return Shown(text, since + len(data) - len(decoder.getstate()[0]), ended)

    def has_succeeded(self) -> bool:
        """Return whether its command has ended well."""
        return self._succeeded.exists()

    def write(self, text: str) -> bool:
        """Hand typed text to the holder; return False when it takes none."""
        data = text.encode("utf-8", "replace")
        with suppress(OSError):
            pipe = os.open(self.typed, os.O_WRONLY | os.O_NONBLOCK)
            try:
                return os.write(pipe, data) == len(data)
            finally:
                os.close(pipe)
        return False

    # --- the holder's side ---

    def is_left(self) -> bool:
        """Return whether no page shows it any more."""
        try:
            return time.time() - self._seen.stat().st_mtime > LEFT_S
        except FileNotFoundError:
            return True

    def end(self, sentence: str, *, is_success: bool) -> None:
        """Tell the pages how it ended."""
        if is_success:
            self._succeeded.touch(mode=0o600)
        new = self._ended.with_suffix(".new")
        new.write_text(sentence, encoding="utf-8")
        new.replace(self._ended)

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Hold the log-in; yield False where another process does. Forks hold it, too."""
        with self._lock.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
