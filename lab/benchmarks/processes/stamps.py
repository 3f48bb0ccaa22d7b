"""The content of a benchmark event: its number, the moment of its append, padding.

Both servers send the same text, so that one client can count both exactly. The clock is
CLOCK_MONOTONIC, which is one for all processes of a machine.
"""

from __future__ import annotations

import re
import time

EVENT_BYTES = 120
STAMP = re.compile(rb"#(\d{6}) (\d{19}) ")


def stamped(number: int, *, size: int = EVENT_BYTES) -> str:
    """Return the text of event `number`, appended now."""
    return f"#{number:06d} {time.monotonic_ns():019d} ".ljust(size, "x")


def mark_of(number: int) -> str:
    """Return the beginning of the text of event `number`."""
    return f"#{number:06d} "
