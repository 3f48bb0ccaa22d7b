"""Waiting for what a client does in its own time."""

import asyncio
from collections.abc import Callable
from typing import Any


async def until(check: Callable[[], Any], within_s: float = 20.0) -> None:
    """Return once check is true; fail after the deadline."""
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        if check():
            return
        assert asyncio.get_running_loop().time() < deadline, f"not within {within_s} s"
        await asyncio.sleep(0.01)
