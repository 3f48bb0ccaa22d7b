"""What a POST was answered, and when to try again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random
from typing import Any, Final

import httpx

FIRST_DELAY_S: Final = 0.5
MAX_DELAY_S: Final = 30.0
# Of the statuses of a refused command, those that another try may not meet again.
PASSING: Final = frozenset({401, 408, 425, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and JSON of an answer. body is empty when it was no JSON object: a proxy's page."""

    status: int
    body: dict[str, Any]
    retry_after_s: float = 0.0

    @property
    def is_done(self) -> bool:
        """Whether it was carried out."""
        return 200 <= self.status < 300

    @property
    def is_refusal(self) -> bool:
        """Whether the server itself has refused, for good: a gateway's page has no code."""
        return 400 <= self.status < 500 and bool(self.code) and self.status not in PASSING

    @property
    def code(self) -> str:
        """The machine's word for an error, "" without one."""
        return str(self.body.get("code", ""))


def backoff_s(attempt: int, random: Random) -> float:
    """Return the wait before try number attempt (0, 1, 2 …), in seconds.

    It lies between half of a ceiling and the ceiling, which doubles from half a second to 30 s.
    Never nothing: a server that answers with errors is not to be hammered.
    """
    ceiling = min(MAX_DELAY_S, FIRST_DELAY_S * 2.0 ** min(attempt, 16))
    return ceiling * (1.0 + random.random()) / 2.0


def answer_of(response: httpx.Response) -> Answer:
    """Return the answer of a response that has been read."""
    try:
        parsed = json.loads(response.content) if response.content else {}
    except ValueError:
        parsed = {}
    body = parsed if isinstance(parsed, dict) else {}
    told = response.headers.get("Retry-After") or body.get("retryAfter")
    return Answer(response.status_code, body, retry_after_s(told))


def retry_after_s(told: object) -> float:
    """Return Retry-After in seconds, given as seconds or as a date; 0 when unreadable."""
    if told is None:
        return 0.0
    try:
        return max(0.0, float(str(told)))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(str(told))
    except (TypeError, ValueError):
        return 0.0
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
