"""The rendering process: one for this process, started at need, ended at a deadline.

Parsing and colouring are Python, so in a thread they would take the interpreter from the event
loop. Where no process can be started, a thread renders all the same.
"""

from __future__ import annotations

import atexit
import logging
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

import psutil

from sessions.core.clean import clean_text
from sessions.core.conf import chat
from sessions.text import growing
from sessions.text.worker import ANSWERED, ASKED

logger = logging.getLogger(__name__)

_ROOT: Final = Path(__file__).resolve().parents[2]
_MEGABYTE: Final = 1_000_000
# Texts that wait at once, each in a thread of its turn; one more is shown as plain text.
MAX_WAITING: Final = 32
# On a busy machine the deadline, which is of the processor's time, takes this much longer.
PATIENCE: Final = 5
START_S: Final = 20.0
# Before the next try to start a process that could not be started.
REST_S: Final = 30.0
MAX_ANSWER_BYTES: Final = 8 * _MEGABYTE


class NotRendered(Exception):
    """A text was not rendered in time, or was too much for the process."""


class RenderingProcess:
    """Renders texts, one at a time, in a process of its own. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ready = False
        self._rests_until = 0.0
        self._costs = threading.local()

    @property
    def pid(self) -> int | None:
        """The process id, None while there is no process."""
        return self._process.pid if self._process is not None else None

    def clock(self) -> float:
        """Return the processor's seconds of this thread, and of its texts in the process."""
        return time.thread_time() + float(getattr(self._costs, "spent_s", 0.0))

    def prepare(self) -> None:
        """Start the process if it does not run; it is waited for with the first text."""
        with self._lock:
            self._start()

    def render(self, text: str) -> str:
        """Return the sanitised HTML of a text, "" for plain text. Raises NotRendered."""
        with self._in_turn():
            if self._start() and self._is_up():
                return self._rendered(text)
        return growing.render(text)

    def close(self) -> None:
        """End the process; a later text starts another one."""
        process, self._process, self._is_ready = self._process, None, False
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        if self._waiting >= MAX_WAITING:
            raise NotRendered("too many texts wait")
        self._waiting += 1
        try:
            with self._lock:
                yield
        finally:
            self._waiting -= 1

    def _start(self) -> bool:
        """Return whether there is a process."""
        if self._process is not None and self._process.poll() is None:
            return True
        self.close()
        if time.monotonic() < self._rests_until:
            return False
        command = [sys.executable, "-m", "sessions.text.worker"]
        limits = [str(chat.RENDER_TIMEOUT_S), str(chat.RENDER_MEMORY_MB * _MEGABYTE)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 (our own program)
                [*command, *limits],
                cwd=_ROOT,
                env={"PYTHONPATH": str(_ROOT), "PATH": os.defpath, "LC_ALL": "C.UTF-8"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the server
                bufsize=0,
            )
        except OSError as exc:
            self._rest(str(exc))
        return self._process is not None

    def _is_up(self) -> bool:
        """Return whether the process is ready; it has a time to get there."""
        if self._is_ready:
            return True
        try:
            self._read_answer(START_S, processor_s=START_S)
        except NotRendered as exc:
            self._rest(str(exc))
            return False
        self._is_ready = True
        return True

    def _rest(self, why: str) -> None:
        logger.warning("no rendering process: threads render instead", extra={"why": why})
        self._rests_until = time.monotonic() + REST_S
        self.close()

    def _rendered(self, text: str) -> str:
        body = clean_text(text).encode()
        began = _processor_s(self.pid)
        try:
            _, stdin = self._pipes()
            stdin.write(ASKED.pack(len(body)) + body)
            limit_s = chat.RENDER_TIMEOUT_S
            html, cost_s = self._read_answer(PATIENCE * limit_s, processor_s=began + limit_s)
        except (NotRendered, OSError) as exc:
            self._charge(max(chat.RENDER_TIMEOUT_S, _processor_s(self.pid) - began))
            self.close()
            raise NotRendered(str(exc)) from exc
        self._charge(cost_s)
        return html

    def _charge(self, cost_s: float) -> None:
        self._costs.spent_s = getattr(self._costs, "spent_s", 0.0) + cost_s

    def _read_answer(self, wall_s: float, *, processor_s: float) -> tuple[str, float]:
        """Return HTML and cost. processor_s: the process's total time of the processor at most."""
        stdout, _ = self._pipes()
        deadline = time.monotonic() + wall_s
        head = self._read(stdout, ANSWERED.size, deadline, processor_s)
        size, cost_s = ANSWERED.unpack(head)
        if size > MAX_ANSWER_BYTES:
            raise NotRendered("the answer is too long")
        return self._read(stdout, size, deadline, processor_s).decode(), cost_s

    def _read(self, pipe: IO[bytes], size: int, deadline: float, processor_s: float) -> bytes:
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        received = b""
        while len(received) < size:
            # Looked at again and again: the deadline is of the processor's time.
            if poll.poll(200):
                part = pipe.read(size - len(received))
                if not part:
                    raise NotRendered("the process has ended")
                received += part
            elif time.monotonic() > deadline or _processor_s(self.pid) > processor_s:
                raise NotRendered("the deadline is over")
        return received

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        process = self._process
        if process is None or process.stdout is None or process.stdin is None:
            raise NotRendered("the process has ended")
        return process.stdout, process.stdin


def _processor_s(pid: int | None) -> float:
    """Return the processor's time of a process so far, 0 for one that is gone."""
    with suppress(psutil.Error, OSError):
        times = psutil.Process(pid).cpu_times() if pid else None
        return times.user + times.system if times else 0.0
    return 0.0


renderer: Final = RenderingProcess()
atexit.register(renderer.close)
