"""The wire between the benchmark and its processes: one JSON object per line on stdin and stdout.

It leaves the HTTP side of a server exactly as its users see it, and it ends every process: when
the benchmark is gone, stdin ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

Json = dict[str, Any]
Handler = Callable[..., Json]

STOP_TIMEOUT_S = 15.0


class ProcessFailedError(RuntimeError):
    """A process of the benchmark has ended or does not answer; the message has its last words."""


def answer(reply: Json) -> None:
    """Send one reply to the benchmark."""
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()


def obey(handlers: Mapping[str, Handler]) -> None:
    """Carry out {"do": name, …} lines until stdin ends or one fails; then end this process."""
    try:
        for line in sys.stdin:
            command = json.loads(line)
            answer(handlers[command.pop("do")](**command))
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


class Process:
    """One process of the benchmark: `python -m MODULE ARGS` in a folder of its own."""

    def __init__(self, module: str, *args: str, folder: Path, env: Mapping[str, str]) -> None:
        self._words = folder / f"{module}.log"
        with self._words.open("wb") as errors:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", module, *args],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(env),
                # Ctrl-C is for the benchmark, which then stops its processes in order.
                start_new_session=True,
            )
        self._lines: list[bytes] = []
        self._rest = b""
        self.stats = psutil.Process(self._popen.pid)

    def tell(self, message: Json) -> None:
        """Send one line; nothing is waited for."""
        assert self._popen.stdin is not None
        self._popen.stdin.write(json.dumps(message).encode() + b"\n")
        self._popen.stdin.flush()

    def hear(self, *, within_s: float) -> Json:
        """Return the next line that the process says. Raises ProcessFailedError."""
        assert self._popen.stdout is not None
        deadline = time.monotonic() + within_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._popen.stdout, selectors.EVENT_READ)
            while not self._lines:
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise self._failure(f"said nothing for {within_s:.0f} s")
                data = os.read(self._popen.stdout.fileno(), 1 << 16)
                if not data:
                    raise self._failure("has ended")
                *whole, self._rest = (self._rest + data).split(b"\n")
                self._lines += whole
        heard: Json = json.loads(self._lines.pop(0))
        return heard

    def ask(self, message: Json, *, within_s: float) -> Json:
        """Send one line and return the reply."""
        self.tell(message)
        return self.hear(within_s=within_s)

    def cpu_s(self) -> float:
        """Return the CPU seconds that the process has used so far."""
        times = self.stats.cpu_times()
        return float(times.user + times.system)

    def stop(self) -> None:
        """End the process, by its pid alone."""
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended already
            self._popen.stdin.close()
        try:
            self._popen.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait(STOP_TIMEOUT_S)
        self._popen.stdout.close()

    def _failure(self, what: str) -> ProcessFailedError:
        words = self._words.read_text(encoding="utf-8", errors="replace")[-2000:]
        return ProcessFailedError(f"{self._words.stem} {what}:\n{words}")
