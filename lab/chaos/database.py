"""The database of a run, read past the servers, without holding up the suite's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.rig.backdoor import Backdoor


class Database:
    """The suite's end of the backdoor; calls are made one by one."""

    def __init__(self, environment: Mapping[str, str], *, log: Path) -> None:
        self._environment = environment
        self._log = log
        self._backdoor: Backdoor | None = None
        self._busy = asyncio.Lock()

    async def open(self) -> None:
        """Start the process and make the tables."""
        self._backdoor = Backdoor(self._environment, log=self._log)
        await self.call("migrate")

    async def close(self) -> None:
        """End the process."""
        backdoor, self._backdoor = self._backdoor, None
        if backdoor is not None:
            await asyncio.to_thread(backdoor.close)

    async def call(self, function: str, **arguments: Any) -> Any:
        """Run a call of the backdoor and return its result. Raises CallFailed."""
        if self._backdoor is None:
            raise RuntimeError("the database's process does not run")
        async with self._busy:
            return await asyncio.to_thread(self._backdoor.call, function, **arguments)
