"""Waiting for what a client does in its own time."""

import asyncio
from collections.abc import Callable
from typing import Any

from lab.rig.waiting import PATIENCE_S


async def until(check: Callable[[], Any], within_s: float = PATIENCE_S) -> None:
    """Return once check is true; fail after the deadline."""
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        if check():
            return
        assert asyncio.get_running_loop().time() < deadline, f"not within {within_s} s"
        await asyncio.sleep(0.01)
