"""One connection of a stream: its request, its frames, its commands, its silence, its loss."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import httpx

from transport.client.acks import Acks
from transport.client.commands import UNANSWERED, Answer, Command, Json, answer_of
from transport.client.cursors import Cursors
from transport.client.sse import Frame, FrameParser

logger = logging.getLogger(__name__)

PATH: Final = "/api/chat/events"
# The first bytes come at once by protocol; a proxy that holds them is as good as down.
CONNECT_S: Final = 15.0
# A connection without an answer to a probe within this time is half open.
PROBE_S: Final = 1.0
# A hole that `reconnect` has not filled by then is filled by a new connection.
REPAIR_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Loss:
    """The end of a connection.

    at_once: the next is opened without a delay. is_own: for a reason of this client's own; any
    other end of a live connection may be everybody's. at_least_s: Retry-After. status: of a
    request that was refused.
    """

    reason: str
    at_once: bool = False
    is_own: bool = False
    at_least_s: float = 0.0
    status: int | None = None


def own_loss(reason: str) -> Loss:
    """Return a loss for a reason of this client's own; the next connection is opened at once."""
    return Loss(reason, at_once=True, is_own=True)


class _Refused(Exception):
    """The stream's request was answered with an error."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"status {answer.status}")
        self.answer = answer


@dataclass(slots=True)
class Patience:
    """How long a server may be silent: some of its heartbeats."""

    heartbeat_s: float = 15.0
    ping_grace: float = 2.0

    @property
    def silence_s(self) -> float:
        """The longest silence of a connection that lives."""
        return self.heartbeat_s * self.ping_grace


class Connection:
    """One connection. Its errands and timers end with it."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        watches: dict[str, int | None],
        *,
        command: Command,
        patience: Patience,
        take: Callable[[Frame], None],
        on_watch_refused: Callable[[str, str], None],
    ) -> None:
        # None until the server has named it.
        self.id: str | None = None
        self.watches = watches
        self._http = http
        self._patience = patience
        self._command = command
        self._take = take
        self._on_watch_refused = on_watch_refused
        self._nonce = ""
        self._lost: asyncio.Future[Loss] = asyncio.get_running_loop().create_future()
        self._errands: set[asyncio.Task[Any]] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    async def serve(self) -> Loss:
        """Take frames until the connection is lost; return why."""
        reading = asyncio.create_task(self._read(), name="read events")
        either: set[asyncio.Future[Any]] = {reading, self._lost}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # The answers of commands that belong to this connection are not worth waiting for.
            ended = [reading, *self._errands]
            for task in ended:
                task.cancel()
            await asyncio.gather(*ended, return_exceptions=True)
            for name in list(self._timers):
                self.cancel(name)
        return self._lost.result() if self._lost.done() else self._loss_of(reading)

    def lose(self, loss: Loss) -> None:
        """End the connection; the first loss counts."""
        if not self._lost.done():
            self._lost.set_result(loss)

    def lose_after(self, name: str, delay_s: float, reason: str) -> bool:
        """Lose the connection unless `cancel` comes first; False when that is planned already."""
        if name in self._timers:
            return False
        loop = asyncio.get_running_loop()
        self._timers[name] = loop.call_later(delay_s, self.lose, own_loss(reason))
        return True

    def cancel(self, name: str) -> None:
        """Cancel a planned loss."""
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    # --- Its commands -----------------------------------------------------------------------------

    def tell(self, name: str, body: Json) -> None:
        """Send a command about this connection, once; before it is live there is none."""
        if self.id is not None:
            self._errand(self._told(name, body))

    def acknowledge(self, cursors: Cursors) -> None:
        """Tell the server what was applied, for as long as the connection lives."""
        if self.id is not None:
            self._errand(self._acknowledged(Acks(self._command, cursors, self.id)))

    def probe(self, random: Random) -> None:
        """Ask for a sign of life; without one within PROBE_S the connection is lost."""
        if self.id is not None and self.lose_after("probe", PROBE_S, "probe unanswered"):
            self._nonce = f"{random.getrandbits(64):016x}"
            self.tell("probe", {"nonce": self._nonce})

    def probe_answered(self, nonce: str) -> None:
        """Take the answer to a probe."""
        if nonce == self._nonce:
            self.cancel("probe")

    def repair(self, session_id: str, cursor: int) -> None:
        """Ask for the missing events; once, until they come or the connection is lost."""
        if self.lose_after(f"repair {session_id}", REPAIR_S, "gap not filled"):
            self.tell("reconnect", {"sessions": [{"sessionId": session_id, "cursor": cursor}]})

    def repaired(self, session_id: str) -> None:
        """Note that the missing events have come."""
        self.cancel(f"repair {session_id}")

    def _errand(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _told(self, name: str, body: Json) -> None:
        """Lose the connection when it is unclear what the server knows of it."""
        try:
            answer = await self._command(name, body, self.id)
        except UNANSWERED:
            self.lose(Loss(f"{name} failed"))
            return
        if answer.code == "unknown_connection":
            self.lose(own_loss("unknown connection"))
        elif name == "watch" and answer.is_refused:
            self._on_watch_refused(body["sessionId"], answer.code)
        elif answer.status >= 400:
            self.lose(Loss(f"{name} got status {answer.status}"))

    async def _acknowledged(self, acks: Acks) -> None:
        await acks.run()
        self.lose(own_loss("unknown connection"))

    # --- Its frames -------------------------------------------------------------------------------

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        parser = FrameParser()
        async with asyncio.timeout(CONNECT_S) as watchdog, self._open() as response:
            if response.status_code != httpx.codes.OK or not _is_event_stream(response):
                await response.aread()
                raise _Refused(answer_of(response))
            async for data in response.aiter_bytes():
                for frame in parser.push(data):
                    self._take(frame)
                    if self._lost.done():
                        return
                watchdog.reschedule(loop.time() + self._patience.silence_s)

    def _open(self) -> AbstractAsyncContextManager[httpx.Response]:
        watches: list[tuple[str, str | int | float | bool | None]] = [
            ("watch", session_id if cursor is None else f"{session_id}:{cursor}")
            for session_id, cursor in self.watches.items()
        ]
        timeout = httpx.Timeout(None, connect=CONNECT_S)
        headers = {"Accept": "text/event-stream"}
        return self._http.stream("GET", PATH, params=watches, headers=headers, timeout=timeout)

    def _loss_of(self, reading: asyncio.Task[None]) -> Loss:
        """Return how the reading ended."""
        error = None if reading.cancelled() else reading.exception()
        if error is None:
            return Loss("ended")
        if isinstance(error, _Refused):
            answer = error.answer
            if answer.is_foreign:
                return Loss("an answer that is not Backstay's", at_least_s=answer.retry_after_s)
            return Loss(str(error), at_least_s=answer.retry_after_s, status=answer.status)
        if isinstance(error, TimeoutError) and self.id is not None:
            return Loss("silent", at_once=True)
        if not isinstance(error, httpx.HTTPError | TimeoutError | OSError):
            logger.error("a stream broke", exc_info=error)
        return Loss(str(error) or type(error).__name__)


def _is_event_stream(response: httpx.Response) -> bool:
    return bool(response.headers.get("Content-Type", "").startswith("text/event-stream"))
