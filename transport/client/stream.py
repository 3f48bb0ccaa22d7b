"""One event stream, kept alive.

A stream is disposable. The cursor of every watched session stays here; whatever goes wrong, the
connection is thrown away and the next one is opened with all cursors in its URL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from random import Random
from typing import Any, Final

import httpx

from transport.client.commands import Command, Json
from transport.client.connection import Connection, Loss, Patience, own_loss
from transport.client.cursors import Cursors, Verdict
from transport.client.retries import Retries
from transport.client.sse import Frame, is_applied, message_of

# A connection that has lived this long has proved itself: the next loss starts at the first delay.
STABLE_S: Final = 5.0


class StreamState(StrEnum):
    """The state of the connection, for a person."""

    IDLE = "idle"
    CONNECTING = "connecting"
    LIVE = "live"
    WAITING = "waiting"
    UNAUTHORISED = "unauthorised"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Status:
    """State of the connection; connection_id is set while it is live, reason says why it broke.

    down_since: when a live connection was lost, None while one is live or none ever was. retry_s:
    the wait before the next try, in seconds; None when no try is planned.
    """

    state: StreamState = StreamState.IDLE
    connection_id: str | None = None
    reason: str = ""
    down_since: datetime | None = None
    retry_s: float | None = None

    def then(self, state: StreamState, **changes: Any) -> Status:
        """Return the next status: one that leaves the live state notes when."""
        down_since = self.down_since
        if state is StreamState.LIVE:
            down_since = None
        elif self.state is StreamState.LIVE:
            down_since = datetime.now(UTC)
        return Status(state, down_since=down_since, **changes)


class Stream:
    """The stream of one server. `run` keeps it up until cancelled; the rest may be called any time.

    on_frame gets the frames to apply, in order and once; on_raw every frame, before it is judged.
    Both are plain functions: a frame that they were given counts as applied.
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
        self._patience = Patience(heartbeat_s)
        self._retries = Retries(self._random)
        self._cursors = Cursors()
        self._connection: Connection | None = None
        self._hurry = asyncio.Event()

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

    # --- A caller's requests ----------------------------------------------------------------------

    def watch(self, session_id: str, cursor: int | None = None) -> None:
        """Follow a session from a cursor on; None: its snapshot first."""
        self._cursors.track(session_id, cursor)
        body = {"sessionId": session_id}
        self._tell("watch", body if cursor is None else {**body, "cursor": cursor})

    def unwatch(self, session_id: str) -> None:
        """Follow a session no more."""
        self._cursors.untrack(session_id)
        if self._connection is not None:
            self._connection.repaired(session_id)
        self._tell("unwatch", {"sessionId": session_id})

    def hurry(self) -> None:
        """Try now: the network is back, or a person has logged in. A live connection is probed."""
        self._hurry.set()
        if self.status.state is StreamState.LIVE:
            self.probe()

    def probe(self) -> None:
        """Ask for a sign of life; without one within PROBE_S the connection is replaced."""
        if self._connection is not None:
            self._connection.probe(self._random)

    def rebuild(self, reason: str) -> None:
        """Throw this connection away, for a reason of this client's own; open the next at once."""
        self._lose(own_loss(reason))

    def forget(self, connection_id: str | None) -> None:
        """Rebuild when the server no longer knows this connection; a younger one is left alone."""
        if connection_id is not None and connection_id == self.connection_id:
            self.rebuild("unknown connection")

    # --- Its life ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the stream up until cancelled."""
        try:
            while True:
                await self._wait(await self._one_connection())
        finally:
            self._set(StreamState.CLOSED, reason="closed")

    async def _one_connection(self) -> float | None:
        """Serve one connection; return the wait before the next, None: until `hurry`."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._hurry.clear()
        self._set(StreamState.CONNECTING)
        self._connection = Connection(
            self._http,
            self._cursors.all(),
            command=self._command,
            patience=self._patience,
            take=self._take,
            on_watch_refused=self._watch_refused,
        )
        try:
            loss = await self._connection.serve()
        finally:
            self._connection = None
        if loop.time() - began > STABLE_S:
            self._retries.forget()
        if loss.status == httpx.codes.UNAUTHORIZED:
            self._set(StreamState.UNAUTHORISED, reason="log-in needed")
            return None
        if loss.status == httpx.codes.BAD_REQUEST:
            # The server cannot read these cursors: start from snapshots.
            self._cursors.forget()
        was_live = self.status.state is StreamState.LIVE
        delay = self._retries.delay_after(loss, was_live=was_live)
        self._set(StreamState.WAITING, reason=loss.reason, retry_s=delay)
        return delay

    def _tell(self, name: str, body: Json) -> None:
        if self._connection is not None:
            self._connection.tell(name, body)

    def _lose(self, loss: Loss) -> None:
        if self._connection is not None:
            self._connection.lose(loss)

    async def _wait(self, delay_s: float | None) -> None:
        if delay_s == 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._hurry.wait()
            self._retries.hurried()

    def _set(self, state: StreamState, **changes: Any) -> None:
        self.status = self.status.then(state, **changes)
        if self._on_status is not None:
            self._on_status(self.status)

    # --- Frames -----------------------------------------------------------------------------------

    def _take(self, frame: Frame) -> None:
        try:
            data = message_of(frame)
        except ValueError:
            self._lose(Loss("unreadable frame"))
            return
        if frame.event != "message":
            self._retries.spread_s = data.get("spreadMs", 0) / 1000
        if self._on_raw is not None:
            self._on_raw(data)
        match data["type"]:
            case "welcome":
                self._welcome(data)
            case "going_away":
                self._lose(Loss("server going away", at_once=True))
            case "probe" if self._connection is not None:
                self._connection.probe_answered(data["nonce"])
            case _:
                self._message(data)

    def _welcome(self, data: Json) -> None:
        connection = self._connection
        if connection is None:
            return
        connection.id = data["connectionId"]
        self._patience.heartbeat_s = data["heartbeatMs"] / 1000 or self._patience.heartbeat_s
        self._patience.ping_grace = data.get("pingGrace") or self._patience.ping_grace
        self._set(StreamState.LIVE, connection_id=connection.id)
        connection.acknowledge(self._cursors)
        self._on_frame(data)
        # The wishes since the request went out could not be told to the server.
        for session_id, cursor in self._cursors.all().items():
            if (session_id, cursor) not in connection.watches.items():
                self.watch(session_id, cursor)

    def _message(self, data: Json) -> None:
        session_id = data.get("sessionId")
        verdict = self._cursors.accept(data)
        if verdict is Verdict.GAP and self._connection is not None:
            self._connection.repair(data["sessionId"], self._cursors.get(data["sessionId"]) or 0)
        if verdict is not Verdict.DELIVER:
            return
        if session_id is not None:
            if data["type"] == "unwatched":
                # Not by a wish that still holds: an old `unwatch` came late, or came twice.
                self.watch(session_id, self._cursors.get(session_id))
                return
            if data["type"] == "watch_rejected":
                self._cursors.untrack(session_id)
            if self._connection is not None and is_applied(data):
                self._connection.repaired(session_id)
        self._on_frame(data)

    def _watch_refused(self, session_id: str, code: str) -> None:
        self._cursors.untrack(session_id)
        self._on_frame({"type": "watch_rejected", "sessionId": session_id, "code": code})
