"""One event stream, kept alive.

A stream is disposable. The cursor of every watched session stays here; whatever goes wrong, the
connection is thrown away and the next one is opened with all cursors in its URL.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from random import Random
from typing import Any, Final

import httpx

from transport.client.answers import Answer, answer_of, backoff_s
from transport.client.cursors import Cursors, Verdict
from transport.client.sse import Frame, FrameParser

logger = logging.getLogger(__name__)

Json = dict[str, Any]
Command = Callable[[str, Json, str | None], Awaitable[Answer]]

PATH: Final = "/api/chat/events"
PING_GRACE: Final = 2
# The first bytes come at once by protocol; a proxy that holds them is as good as down.
CONNECT_S: Final = 15.0
# A connection that has lived this long has proved itself: the next loss starts at the first delay.
STABLE_S: Final = 5.0
# So often a connection is replaced at once before one has proved itself; then with delays.
MAX_AT_ONCE: Final = 2
# No answer to a probe within this time: a half-open socket.
PROBE_S: Final = 1.0
# A hole that `reconnect` has not filled by then is filled by a new connection.
REPAIR_S: Final = 10.0
# What was applied is told to the server at most this often.
ACK_S: Final = 3.0
# So long the answer to a command of the stream is waited for.
COMMAND_S: Final = 15.0


class StreamState(StrEnum):
    """What a person may be told about the line."""

    IDLE = "idle"
    CONNECTING = "connecting"
    LIVE = "live"
    WAITING = "waiting"
    UNAUTHORISED = "unauthorised"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Status:
    """State of the line; connection_id is set while it is live, reason says why it broke.

    down_since: when a line that was live was lost, None while it is live or never was. retry_s:
    what is waited before the next try, in seconds; None when no try is planned.
    """

    state: StreamState = StreamState.IDLE
    connection_id: str | None = None
    reason: str = ""
    down_since: datetime | None = None
    retry_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Loss:
    """Why a connection is over.

    at_once: the next is opened without a delay. is_own: for a reason of this client's own; what
    else ends a live line may have ended everybody's. at_least_s: Retry-After.
    """

    reason: str
    at_once: bool = False
    is_own: bool = False
    at_least_s: float = 0.0


class _Refused(Exception):
    """The stream's request was answered with an error."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"status {answer.status}")
        self.answer = answer


class Stream:
    """The line to one server. `run` keeps it up until cancelled; the rest may be called any time.

    on_frame gets what is to be applied, in order and once; on_raw every frame, before it is judged.
    Both are plain functions: what they have been given counts as applied.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        command: Command,
        on_frame: Callable[[Json], None],
        on_raw: Callable[[Json], None] | None = None,
        on_status: Callable[[Status], None] | None = None,
        random: Random | None = None,
        heartbeat_s: float = 15.0,
    ) -> None:
        self.status = Status()
        self._http = http
        self._command = command
        self._on_frame = on_frame
        self._on_raw = on_raw
        self._on_status = on_status
        self._random = random or Random()  # noqa: S311 (jitter, not a secret)
        self._heartbeat_s = heartbeat_s
        self._cursors = Cursors()
        # What the URL of the present connection asked for.
        self._in_url: dict[str, int | None] = {}
        self._acked: dict[str, int | None] = {}
        self._repairs: dict[str, asyncio.TimerHandle] = {}
        self._helpers: set[asyncio.Task[Any]] = set()
        self._probe: tuple[str, asyncio.TimerHandle] | None = None
        self._broken: asyncio.Future[_Loss] | None = None
        self._hurry = asyncio.Event()
        self._attempt = 0
        self._at_once = 0
        # Over so long the clients of this server come back when all of them lose it at once.
        self._spread_s = 0.0

    @property
    def connection_id(self) -> str | None:
        """The id of the connection that is live now."""
        return self.status.connection_id

    def cursor(self, session_id: str) -> int | None:
        """Return the highest seq seen of a session, None when nothing was seen."""
        return self._cursors.get(session_id)

    def cursors(self) -> dict[str, int | None]:
        """Return the cursor of every watched session."""
        return self._cursors.all()

    # --- What may be asked ----------------------------------------------------------------------

    def watch(self, session_id: str, cursor: int | None = None) -> None:
        """Follow a session from a cursor on; None: its snapshot first."""
        self._cursors.track(session_id, cursor)
        if self.connection_id is not None:
            body = {"sessionId": session_id}
            self._help(self._tell("watch", body if cursor is None else {**body, "cursor": cursor}))

    def unwatch(self, session_id: str) -> None:
        """Follow a session no more."""
        self._cursors.untrack(session_id)
        self._acked.pop(session_id, None)
        self._end_repair(session_id)
        if self.connection_id is not None:
            self._help(self._tell("unwatch", {"sessionId": session_id}))

    def hurry(self) -> None:
        """Try now: the network is back, or somebody has logged in. A live line is probed."""
        self._hurry.set()
        if self.status.state is StreamState.LIVE:
            self.probe()

    def probe(self) -> None:
        """Ask for a sign of life; without one within PROBE_S the line is rebuilt."""
        if self._probe is not None or self.connection_id is None:
            return
        nonce = f"{self._random.getrandbits(64):016x}"
        timer = asyncio.get_running_loop().call_later(PROBE_S, self.rebuild, "probe unanswered")
        self._probe = (nonce, timer)
        self._help(self._tell("probe", {"nonce": nonce}))

    def rebuild(self, reason: str) -> None:
        """Throw this connection away, for a reason of this client's own; open the next at once."""
        self._lose(_Loss(reason, at_once=True, is_own=True))

    def forget(self, connection_id: str | None) -> None:
        """Rebuild when the server no longer knows this connection; a younger one is left alone."""
        if connection_id is not None and connection_id == self.connection_id:
            self.rebuild("unknown connection")

    # --- The life of it -------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the line up until cancelled."""
        try:
            while True:
                await self._wait(await self._one_connection())
        finally:
            self._set(StreamState.CLOSED, reason="closed")

    async def _one_connection(self) -> float | None:
        """Serve one connection; return what to wait before the next, None: until `hurry`."""
        loop = asyncio.get_running_loop()
        self._broken = broken = loop.create_future()
        began = loop.time()
        self._hurry.clear()
        self._set(StreamState.CONNECTING)
        reading = asyncio.create_task(self._read(broken), name="read events")
        try:
            await asyncio.wait({reading, broken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # The answers of commands that belong to this connection are not worth waiting for.
            ended = [reading, *self._helpers]
            for task in ended:
                task.cancel()
            await asyncio.gather(*ended, return_exceptions=True)
            self._drop_timers()
        if loop.time() - began > STABLE_S:
            self._attempt = self._at_once = 0
        loss = broken.result() if broken.done() else self._loss_of(reading)
        if loss is None:
            self._set(StreamState.UNAUTHORISED, reason="log-in needed")
            return None
        delay = self._delay_after(loss)
        self._set(StreamState.WAITING, reason=loss.reason, retry_s=delay)
        return delay

    def _loss_of(self, reading: asyncio.Task[None]) -> _Loss | None:
        """Return how the reading ended, None when a log-in is needed."""
        error = None if reading.cancelled() else reading.exception()
        if isinstance(error, _Refused):
            if error.answer.status == httpx.codes.UNAUTHORIZED:
                return None
            if error.answer.status == httpx.codes.BAD_REQUEST:
                # Cursors that the server cannot read: start from snapshots.
                for session_id in self._cursors.all():
                    self._cursors.track(session_id, None)
            return _Loss(str(error), at_least_s=error.answer.retry_after_s)
        if isinstance(error, TimeoutError) and self.status.state is StreamState.LIVE:
            return _Loss("silent", at_once=True)
        if error is not None and not isinstance(error, httpx.HTTPError | TimeoutError | OSError):
            logger.error("a stream broke", exc_info=error)
        return _Loss(str(error) or type(error).__name__ if error is not None else "ended")

    def _delay_after(self, loss: _Loss) -> float:
        was_live = self.status.state is StreamState.LIVE
        is_at_once = loss.at_once and self._at_once < MAX_AT_ONCE
        delay = 0.0 if is_at_once else backoff_s(self._attempt, self._random)
        if is_at_once:
            self._at_once += 1
        else:
            self._attempt += 1
        if was_live and not loss.is_own:
            delay += self._random.random() * self._spread_s
        return max(delay, loss.at_least_s)

    def _lose(self, loss: _Loss) -> None:
        if self._broken is not None and not self._broken.done():
            self._broken.set_result(loss)

    async def _wait(self, delay_s: float | None) -> None:
        if delay_s == 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._hurry.wait()
            self._attempt = 0

    async def _read(self, broken: asyncio.Future[_Loss]) -> None:
        loop = asyncio.get_running_loop()
        self._in_url = self._cursors.all()
        watches: list[tuple[str, str | int | float | bool | None]] = [
            ("watch", session_id if cursor is None else f"{session_id}:{cursor}")
            for session_id, cursor in self._in_url.items()
        ]
        parser = FrameParser()
        async with asyncio.timeout(CONNECT_S) as watchdog, self._open(watches) as response:
            if response.status_code != httpx.codes.OK:
                await response.aread()
                raise _Refused(answer_of(response))
            async for data in response.aiter_bytes():
                for frame in parser.push(data):
                    self._take(frame)
                    if broken.done():
                        return
                watchdog.reschedule(loop.time() + PING_GRACE * self._heartbeat_s)

    def _open(self, watches: list[tuple[str, str | int | float | bool | None]]) -> Any:
        timeout = httpx.Timeout(None, connect=CONNECT_S)
        headers = {"Accept": "text/event-stream"}
        return self._http.stream("GET", PATH, params=watches, headers=headers, timeout=timeout)

    def _drop_timers(self) -> None:
        for timer in self._repairs.values():
            timer.cancel()
        self._repairs.clear()
        if self._probe is not None:
            self._probe[1].cancel()
            self._probe = None
        self._acked.clear()

    def _set(
        self,
        state: StreamState,
        *,
        connection_id: str | None = None,
        reason: str = "",
        retry_s: float | None = None,
    ) -> None:
        down_since = self.status.down_since
        if state is StreamState.LIVE:
            down_since = None
        elif self.status.state is StreamState.LIVE:
            down_since = datetime.now(UTC)
        self.status = Status(state, connection_id, reason, down_since, retry_s)
        if self._on_status is not None:
            self._on_status(self.status)

    # --- Frames ---------------------------------------------------------------------------------

    def _take(self, frame: Frame) -> None:
        try:
            data = json.loads(frame.data)
        except ValueError:
            self._lose(_Loss("unreadable frame"))
            return
        if frame.event != "message":
            data = {"type": frame.event, **data}
            self._spread_s = data.get("spreadMs", 0) / 1000
        if self._on_raw is not None:
            self._on_raw(data)
        match data["type"]:
            case "welcome":
                self._welcome(data)
            case "going_away":
                self._lose(_Loss("server going away", at_once=True))
            case "probe":
                self._probe_answered(data["nonce"])
            case _:
                self._judge(data)

    def _welcome(self, data: Json) -> None:
        self._heartbeat_s = data["heartbeatMs"] / 1000 or self._heartbeat_s
        self._set(StreamState.LIVE, connection_id=data["connectionId"])
        self._help(self._acknowledge())
        self._on_frame(data)
        # What was asked for since the request went out, when there was nobody to tell.
        for session_id, cursor in self._cursors.all().items():
            if (session_id, cursor) not in self._in_url.items():
                self.watch(session_id, cursor)

    def _judge(self, data: Json) -> None:
        session_id = data.get("sessionId")
        verdict = self._cursors.accept(data)
        if verdict is Verdict.GAP and session_id is not None:
            self._repair(session_id)
        if verdict is not Verdict.DELIVER:
            return
        if session_id is not None:
            if data["type"] == "unwatched":
                # Not by a wish that still holds: an old `unwatch` came late, or came twice.
                self.watch(session_id, self._cursors.get(session_id))
                return
            if data["type"] == "watch_rejected":
                self._cursors.untrack(session_id)
            if "seq" in data or data["type"] == "session_snapshot":
                self._end_repair(session_id)
        self._on_frame(data)

    def _probe_answered(self, nonce: str) -> None:
        if self._probe is not None and self._probe[0] == nonce:
            self._probe[1].cancel()
            self._probe = None

    def _repair(self, session_id: str) -> None:
        """Ask for what is missing; once, until it comes or the connection is given up."""
        if session_id in self._repairs:
            return
        self._repairs[session_id] = asyncio.get_running_loop().call_later(
            REPAIR_S, self.rebuild, "gap not filled"
        )
        place = {"sessionId": session_id, "cursor": self._cursors.get(session_id) or 0}
        self._help(self._tell("reconnect", {"sessions": [place]}))

    def _end_repair(self, session_id: str) -> None:
        timer = self._repairs.pop(session_id, None)
        if timer is not None:
            timer.cancel()

    # --- Commands of the stream -----------------------------------------------------------------

    async def _acknowledge(self) -> None:
        """Tell what was applied, as long as this connection lives.

        After the last event of a turn nothing more comes, so what was lost is told again: a
        receipt that says the same or more can be repeated.
        """
        connection_id = self.connection_id
        while True:
            await asyncio.sleep(ACK_S)
            news = {
                session_id: cursor
                for session_id, cursor in self._cursors.all().items()
                if cursor and self._acked.get(session_id) != cursor
            }
            if not news:
                continue
            sessions = [{"sessionId": name, "cursor": cursor} for name, cursor in news.items()]
            try:
                answer = await self._ask("ack", {"sessions": sessions}, connection_id)
            except (httpx.HTTPError, TimeoutError, OSError):
                continue
            if answer.code == "unknown_connection":
                self.forget(connection_id)
            elif answer.is_done or answer.is_refusal:
                self._acked |= news

    async def _ask(self, name: str, body: Json, connection_id: str | None) -> Answer:
        async with asyncio.timeout(COMMAND_S):
            return await self._command(name, body, connection_id)

    async def _tell(self, name: str, body: Json) -> None:
        """Send once. Whatever shows that the server knows another line makes a new one here."""
        connection_id = self.connection_id
        try:
            answer = await self._ask(name, body, connection_id)
        except (httpx.HTTPError, TimeoutError, OSError):
            self._lose(_Loss(f"{name} failed"))
            return
        if answer.code == "unknown_connection":
            self.forget(connection_id)
        elif name == "watch" and answer.is_refusal:
            self._cursors.untrack(body["sessionId"])
            rejected = {"sessionId": body["sessionId"], "code": answer.code}
            self._on_frame({"type": "watch_rejected", **rejected})
        elif answer.status >= 400:
            self._lose(_Loss(f"{name} got status {answer.status}"))

    def _help(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._helpers.add(task)
        task.add_done_callback(self._helpers.discard)
