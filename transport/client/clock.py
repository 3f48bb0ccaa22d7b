"""Waits: how long a client leaves a server alone before it tries again. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random
from typing import Final

FIRST_DELAY_S: Final = 0.5
MAX_DELAY_S: Final = 30.0
# A day: nothing on this side lasts longer, and no timer takes an endless time.
MAX_RETRY_AFTER_S: Final = 86_400.0
_SECONDS: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_DATE: Final = re.compile(r"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT")


def backoff_s(attempt: int, random: Random) -> float:
    """Return the wait before try number attempt (0, 1, 2 …), in seconds.

    It lies between half of a ceiling and the ceiling, which doubles from half a second to 30 s.
    Never nothing: a server that answers with errors is not to be hammered.
    """
    ceiling = min(MAX_DELAY_S, FIRST_DELAY_S * 2.0 ** min(attempt, 16))
    return ceiling * (1.0 + random.random()) / 2.0


def retry_after_s(value: object, now: datetime | None = None) -> float:
    """Return Retry-After in seconds, given as seconds or as a date; 0 when unreadable."""
    text = str(value).strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), MAX_RETRY_AFTER_S)
    if not _DATE.fullmatch(text):
        return 0.0
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    wait_s = (at - (now or datetime.now(UTC))).total_seconds()
    return min(max(0.0, wait_s), MAX_RETRY_AFTER_S)
