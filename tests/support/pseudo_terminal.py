"""A program at a real pseudo terminal, as a person uses it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lab.rig.waiting import PATIENCE_S

SGR: Final = re.compile(r"\x1b\[[\d;]*m")
INTERRUPT: Final = "\x03"


class PseudoTerminal:
    """One program with a terminal of its own. text: all that it has shown, without colours."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        environment: Mapping[str, str],
        columns: int = 80,
    ) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**environment, "TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            # Its own terminal sends the signals of its keys.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        os.close(theirs)
        self._shown = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    @property
    def text(self) -> str:
        """All that was shown so far, without colours."""
        return SGR.sub("", self._shown).replace("\r\n", "\n")

    def types(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    def shows(self, text: str) -> None:
        """Read until a text was shown."""
        deadline = time.monotonic() + 3 * PATIENCE_S
        while text not in self.text:
            left = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._ours], [], [], left)
            assert ready, f"{text!r} was not shown: {self.text}"
            self._shown += os.read(self._ours, 65536).decode(errors="replace")

    def ends(self) -> int:
        """Read until the program has ended; return its exit code."""
        # Behind the last program at it, a terminal has no input.
        deadline = time.monotonic() + 3 * PATIENCE_S
        with suppress(OSError):
            while select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))[0]:
                self._shown += os.read(self._ours, 65536).decode(errors="replace")
        return self.process.wait(3 * PATIENCE_S)
