"""Calls between a process of the rig and its parent: one JSON object per line on stdin and stdout.

They leave the ports of a server to its users, and they end every process: when the parent is
gone, stdin ends.
"""

from __future__ import annotations

import itertools
import json
import os
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import psutil

from lab.rig.processes import Process, ProcessEnded

Json = dict[str, Any]
Calls = Mapping[str, Callable[..., Any]]

READ_BYTES: Final = 1 << 18


class CallFailed(RuntimeError):
    """A call failed; the message is the other process's traceback."""


class Peer:
    """The parent's end: `python -m MODULE ARGS`, which answers line by line."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        environment: Mapping[str, str],
        log: Path,
        is_warm: bool = False,
    ) -> None:
        command = [sys.executable, "-m", module, *arguments]
        self._process = Process(
            module, command, environment=environment, log=log, has_pipes=True, is_warm=is_warm
        )
        self._process.start()
        self._heard = bytearray()
        self._numbers = itertools.count()
        self.stats = psutil.Process(self._process.pid)

    def tell(self, message: Json) -> None:
        """Send one line, and wait for nothing."""
        stdin, _ = self._process.pipes
        try:
            stdin.write(json.dumps(message).encode() + b"\n")
            stdin.flush()
        except BrokenPipeError as exc:
            raise self._has_ended() from exc

    def hear(self, *, within_s: float) -> Any:
        """Return the next line. Raises ProcessEnded, TimeoutError."""
        deadline = time.monotonic() + within_s
        seen = 0
        while (end := self._heard.find(b"\n", seen)) < 0:
            seen = len(self._heard)
            self._receive(deadline - time.monotonic())
        line = bytes(self._heard[:end])
        del self._heard[: end + 1]
        return json.loads(line)

    def call(self, function: str, /, *, within_s: float, **arguments: Any) -> Any:
        """Run a function of the process and return its result. Raises CallFailed."""
        number = next(self._numbers)
        self.tell({"call": function, "number": number, "arguments": arguments})
        answer = self.hear(within_s=within_s)
        while answer["number"] != number:  # the answer to a call that was too late
            answer = self.hear(within_s=within_s)
        if "error" in answer:
            raise CallFailed(answer["error"])
        return answer["result"]

    def cpu_s(self) -> float:
        """Return the CPU seconds that the process has used so far."""
        times = self.stats.cpu_times()
        return float(times.user + times.system)

    def close(self) -> None:
        """End the process by the end of its stdin."""
        self._process.finish()

    def _receive(self, left_s: float) -> None:
        _, stdout = self._process.pipes
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            if left_s <= 0 or not selector.select(left_s):
                raise TimeoutError(f"{self._process.name} does not answer:\n{self._process.tail()}")
        data = os.read(stdout.fileno(), READ_BYTES)
        if not data:
            raise self._has_ended()
        self._heard += data

    def _has_ended(self) -> ProcessEnded:
        return ProcessEnded(f"{self._process.name} has ended:\n{self._process.tail()}")


def say(message: Any) -> None:
    """Send one line to the parent."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def answer_calls(calls: Calls, *, after_error: Callable[[], object] | None = None) -> None:
    """Answer the parent's calls until stdin ends. after_error: cleans up after a failed call."""
    for line in sys.stdin:
        asked = json.loads(line)
        answer = {"number": asked["number"]}
        try:
            answer["result"] = calls[asked["call"]](**asked["arguments"])
        except Exception:  # noqa: BLE001 (the parent raises it)
            answer["error"] = traceback.format_exc()
            if after_error is not None:
                after_error()
        say(answer)


def answer_until_the_end(calls: Calls) -> None:
    """Answer calls in a thread of a server, and end the server with its parent."""
    try:
        answer_calls(calls)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
