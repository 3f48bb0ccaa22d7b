"""POST commands: one request, one deadline, one shape of answer.

Nothing is retried here: only the outbox retries, and only `send`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx

from transport.client.clock import retry_after_s

Json = dict[str, Any]
Command = Callable[[str, Json, str | None], Awaitable["Answer"]]

PATH: Final = "/api/chat/"
# Of the statuses of a refused command, those that another try may not meet again.
PASSING: Final = frozenset({401, 408, 425, 429})
# Of the statuses of a gateway, those that the next try may not meet.
_GATEWAY: Final = frozenset({408, 425, 429})
# The failures after which it is unknown whether a command has arrived.
UNANSWERED: Final = (httpx.HTTPError, TimeoutError, OSError)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and JSON of an answer. body is empty when it was no JSON object: a proxy's page."""

    status: int
    body: Json
    retry_after_s: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether the status is a success, of this server or another."""
        return 200 <= self.status < 300

    @property
    def is_done(self) -> bool:
        """Whether the server has carried the command out."""
        return self._is_ours and self.is_good

    @property
    def is_foreign(self) -> bool:
        """Whether a proxy has answered in the server's place, such as by its own log-in page.

        A gateway that cannot reach the server (5xx) is as good as no answer.
        """
        return not self._is_ours and self.status < 500 and self.status not in _GATEWAY

    @property
    def is_refused(self) -> bool:
        """Whether the server itself has refused, finally: a gateway's page has no code."""
        is_error = 400 <= self.status < 500 and self.status not in PASSING
        return is_error and self._is_ours and bool(self.code)

    @property
    def _is_ours(self) -> bool:
        # Of the server's own answers 204 alone has no body: to ack and suspend.
        return self.status == 204 or self.body.get("ok") is self.is_good

    @property
    def code(self) -> str:
        """The error's code, "" without one."""
        return str(self.body.get("code", ""))


class Commands:
    """Sends commands to one server. timeout_s: for one POST, its answer included."""

    def __init__(self, http: httpx.AsyncClient, *, timeout_s: float) -> None:
        self._http = http
        self._timeout_s = timeout_s

    async def __call__(
        self,
        name: str,
        body: Json,
        connection_id: str | None = None,
        *,
        timeout_s: float | None = None,
    ) -> Answer:
        """Send one command, once. Raises one of UNANSWERED."""
        headers = {} if connection_id is None else {"X-Connection-ID": connection_id}
        async with asyncio.timeout(self._timeout_s if timeout_s is None else timeout_s):
            return answer_of(await self._http.post(PATH + name, json=body, headers=headers))


def answer_of(response: httpx.Response) -> Answer:
    """Return the answer of a response that has been read."""
    try:
        parsed = json.loads(response.content) if response.content else {}
    except (ValueError, RecursionError):
        parsed = {}
    body = parsed if isinstance(parsed, dict) else {}
    told = response.headers.get("Retry-After") or body.get("retryAfter")
    return Answer(response.status_code, body, retry_after_s(told))
