"""The database of a run, read past the servers: one JSON line per call, to a process of its own.

That process is lab/chaos/backdoor.py; it runs with the settings of the servers.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]

# A whole log in one line.
LINE_BYTES: Final = 1 << 30
CALL_S: Final = 60.0


class DatabaseError(RuntimeError):
    """A call failed; the message is the other process's traceback."""


class Database:
    """The suite's end; calls are made one by one."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._busy = asyncio.Lock()

    async def open(self) -> None:
        """Start the process and make the tables."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "lab.chaos.backdoor"),
            env=dict(self._environment),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES,
        )
        await self.call("migrate")

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), CALL_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def call(self, function: str, **arguments: Any) -> Any:
        """Run a function of CALLS and return its result. Raises DatabaseError."""
        async with self._busy, asyncio.timeout(CALL_S):
            process = self._process
            if process is None or process.stdin is None or process.stdout is None:
                raise DatabaseError("the database's process does not run")
            process.stdin.write(json.dumps({"call": function, **arguments}).encode() + b"\n")
            await process.stdin.drain()
            line = await process.stdout.readline()
        answer = json.loads(line) if line else {"error": "the database's process is gone"}
        if "error" in answer:
            raise DatabaseError(answer["error"])
        return answer["result"]
