"""The lines of a terminal or a pipe, as they come."""

from __future__ import annotations

import asyncio
import os
import select
import sys
from collections.abc import AsyncIterator
from typing import Final

READ_BYTES: Final = 65536


async def input_lines() -> AsyncIterator[str]:
    """Yield the lines of stdin, without a thread that a Ctrl+C would wait for."""
    descriptor = sys.stdin.fileno()
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    try:
        loop.add_reader(descriptor, readable.set)
    except PermissionError:
        # A file is always readable, and epoll refuses it.
        for line in sys.stdin:
            yield line
        return
    buffered = b""
    try:
        while True:
            await readable.wait()
            readable.clear()
            # The loop may have called twice for the same bytes, and a read of nothing would block.
            if not select.select([descriptor], [], [], 0)[0]:
                continue
            data = _read(descriptor)
            buffered += data
            *lines, buffered = buffered.split(b"\n")
            for line in lines:
                yield line.decode(errors="replace")
            if not data:
                break
        if buffered:
            yield buffered.decode(errors="replace")
    finally:
        loop.remove_reader(descriptor)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, READ_BYTES)
    except OSError:
        # The terminal is gone.
        return b""
