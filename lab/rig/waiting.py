"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

# A busy machine may take so long for the work of a moment; a promise has its own limit.
PATIENCE_S: Final = 30.0


def eventually(check: Callable[[], Any], *, within_s: float = PATIENCE_S, what: str = "it") -> Any:
    """Return the first true result of check. Raises TimeoutError after within_s."""
    deadline = time.monotonic() + within_s
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {within_s} s")
        time.sleep(0.02)
