"""The program that holds one log-in: a pseudo terminal, its output in a file, its input in a pipe.

No web process owns it: each of this machine shows the log-in, and none that restarts ends it. It
ends the command when the page has left, or at a limit of time or output, and removes every file.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from sessions.agents.log_in.place import MAX_INPUT_BYTES, Place
from sessions.agents.processes import tree
from sessions.agents.processes.memory import limit_memory

LIMIT_S: Final = 600.0
MAX_OUTPUT_BYTES: Final = 256 * 1024
# Wide: a link that a program breaks into lines cannot be opened.
COLUMNS, ROWS = 500, 40
LOOK_S: Final = 0.2
READ_BYTES: Final = 16 * 1024
NOT_STARTED: Final = 127


@dataclass(frozen=True, slots=True)
class Order:
    """A command in its environment. mark: of tree.MARK there. gone: folders removed at its end."""

    command: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    mark: str
    memory_mb: int
    gone: tuple[str, ...]


class Terminal:
    """The command at its pseudo terminal."""

    def __init__(self, order: Order, place: Place) -> None:
        self._order, self._place = order, place
        self._pid, self._screen = pty.fork()
        if self._pid == 0:
            _become(order)
        if order.memory_mb:
            limit_memory(self._pid, order.memory_mb)
        fcntl.ioctl(self._screen, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.set_blocking(self._screen, False)
        # Read and write: it has no end when a web process closes its side.
        self._typed = os.open(place.typed, os.O_RDWR | os.O_NONBLOCK)
        self._written = 0
        self.has_succeeded = False

    def run(self) -> str:
        """Carry output and input until the end; return the sentence about it."""
        deadline = time.monotonic() + LIMIT_S
        with self._place.output.open("ab", buffering=0) as output:
            while True:
                ready, _, _ = select.select([self._screen, self._typed], [], [], LOOK_S)
                if self._typed in ready:
                    self._pass_on()
                if self._screen in ready and not self._take(output.fileno()):
                    return self._ended()
                if self._place.is_left():
                    return "The page has left, and the log-in was ended."
                if time.monotonic() > deadline:
                    return f"The log-in was ended after {LIMIT_S / 60:g} minutes."
                if self._written > MAX_OUTPUT_BYTES:
                    return "The log-in was ended: it wrote too much."

    def close(self) -> None:
        """End every process of the command."""
        os.close(self._screen)
        os.close(self._typed)
        tree.kill_all(lambda: tree.scan(self._pid, mark=self._order.mark))
        with suppress(ChildProcessError):
            os.waitpid(self._pid, os.WNOHANG)

    def _pass_on(self) -> None:
        with suppress(OSError):  # a program that does not read loses what is typed
            os.write(self._screen, os.read(self._typed, MAX_INPUT_BYTES))

    def _take(self, output: int) -> bool:
        """Keep a piece of the output; return False at its end."""
        try:
            piece = os.read(self._screen, READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:  # of Linux, when the last process has closed the terminal
            return False
        self._written += len(piece)
        os.write(output, piece)
        return bool(piece)

    def _ended(self) -> str:
        with suppress(ChildProcessError):
            _, status = os.waitpid(self._pid, 0)
            code = os.waitstatus_to_exitcode(status)
            if code != 0:
                return f"The log-in has ended with exit code {code}."
            self.has_succeeded = True
        return "The log-in has ended."


def hold(order: Order, place: Place) -> None:
    """Run the command; keep its last words while a page reads them, then remove every file."""
    terminal = Terminal(order, place)
    try:
        sentence = terminal.run()
    finally:
        terminal.close()
    place.end(sentence, is_success=terminal.has_succeeded)
    deadline = time.monotonic() + LIMIT_S
    while not place.is_left() and time.monotonic() < deadline:
        time.sleep(LOOK_S)  # a page leaves by a file, which wakes nobody


def _become(order: Order) -> NoReturn:
    """Replace this process by the command."""
    try:
        os.chdir(order.cwd)
        os.execvpe(order.command[0], order.command, order.env)  # noqa: S606 (as configured)
    except OSError as exc:
        print(f"{order.command[0]} cannot be started: {exc.strerror}.")
    os._exit(NOT_STARTED)


def _detach() -> None:
    """Leave the process that waits for the start: it goes, and a copy of it holds the log-in."""
    if os.fork():
        os._exit(0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)


def main() -> None:
    """Hold the log-in of a folder by the order on standard input."""
    place, order = Place(Path(sys.argv[1])), Order(**json.load(sys.stdin))
    with place.held():
        _detach()
        try:
            hold(order, place)
        finally:
            subprocess.run(["rm", "-rf", "--", *order.gone, str(place.folder)], check=False)  # noqa: S603, S607 (ours)


if __name__ == "__main__":
    main()
