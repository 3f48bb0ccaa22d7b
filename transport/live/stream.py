"""The life of one stream: welcome, catch-up, live events, pings, goodbye.

A stream keeps a cursor per session and no queue: it takes new events from the hub when its reader
has room for them. While it rests, the hub's wake writes them at once. Its coroutine does the rest:
catch-ups, pings, notices, and chunks that must wait for the reader.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from django.utils import timezone

from sessions.core.conf import chat
from sessions.core.errors import UnknownSession
from sessions.personal.shapes import Personal
from transport import frames
from transport.asgi import Writer
from transport.live.catchup import CatchUp, carry_out
from transport.live.forward import Forward
from transport.live.hub import Hub
from transport.live.notices import Notices
from transport.live.watches import Watches
from transport.models import Watch
from transport.rows import pool
from transport.rows.orders import CatchUpRequest

logger = logging.getLogger(__name__)

# A catch-up whose database failed is tried again after this.
RETRY_S: Final = 1.0


class Stream:
    """One open stream, on the loop's thread. A wake writes only while `run` rests."""

    def __init__(
        self,
        connection_id: UUID,
        *,
        hub: Hub,
        writer: Writer,
        spread_ms: Callable[[], int],
        user_id: int | None = None,
    ) -> None:
        self.connection_id = connection_id
        # The person whose news it tells.
        self.user_id = user_id
        self.writer = writer
        self.watches = Watches(connection_id)
        # When the client last took a ping, and which of these times its row has.
        self.pinged_at: datetime | None = None
        self.ping_noted: datetime | None = None
        self._hub = hub
        self._spread_ms = spread_ms
        self._notices = Notices()
        self._wake = asyncio.Event()
        self._live = Forward(
            hub=hub,
            watches=self.watches,
            writer=writer,
            wake=self._wake.set,
            catch_up=self.catch_up,
        )
        self._is_resting = False
        self._is_ending = False
        self._says_goodbye = False
        self._timer: asyncio.TimerHandle | None = None

    # --- Requests of others; each only notes it and wakes the coroutine ---------------------------

    def wake(self, session_id: UUID) -> None:
        """Send the new events of a session: the hub calls it. Those that have to wait are noted."""
        if not self._is_resting or self._wake.is_set() or not self._live.at_once(session_id):
            self._live.note(session_id)

    def position(self, session_id: UUID) -> int | None:
        """Return the cursor that the stream has of a session."""
        return self.watches.cursor(session_id)

    def take_order(self, session_id: UUID, request: CatchUpRequest) -> None:
        """Carry an order of the rows out; one that is older than the last is dropped."""
        if not self.watches.take_order(session_id, request.version):
            return
        if request.kind is Watch.Order.UNWATCH:
            self._leave(session_id, request.version)
            if not self._is_ending:
                self._notices.unwatched(session_id)
                self._wake.set()
        else:
            self.catch_up(session_id, request)

    def catch_up(self, session_id: UUID, request: CatchUpRequest) -> None:
        """Follow a session from now on, or catch it up again."""
        if self._is_ending:
            return
        if session_id not in self.watches:
            self.watches.begin(session_id)
            # Before the catch-up reads: a wake that comes in between is not lost.
            self._hub.attach(session_id, self)
        if self.watches.ask(session_id, request):
            self._wake.set()

    def reject(self, name: str) -> None:
        """Tell that a session may not be watched here."""
        self._notices.reject(name)
        self._wake.set()

    def probe(self, nonce: str) -> None:
        """Send a nonce back."""
        self._notices.probe(nonce)
        self._wake.set()

    def tell_personal(self, news: Personal) -> None:
        """Tell what the person has changed on another device."""
        self._notices.personal(news)
        self._wake.set()

    def end(self, *, goodbye: bool = False) -> None:
        """End the stream; with goodbye it asks the client to reconnect at once."""
        self._is_ending = True
        self._says_goodbye = self._says_goodbye or goodbye
        self._wake.set()

    # --- Its life ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until the client is gone or `end` is called."""
        try:
            await self.writer(frames.welcome(self.connection_id, self._spread_ms()))
            self._schedule_ping()
            # The rejections are known already: they do not wait for the catch-ups.
            await self._notify()
            while self.watches.has_waiting and not self._is_ending:
                await self._catch_up_next()
            while not self._is_ending:
                await self._rest()
                await self._notify()
                await self._catch_up_next()
                if not self._is_ending:
                    await self._live.send()
            if self._says_goodbye:
                await self.writer(frames.unlogged("going_away"))
        finally:
            self._release()

    async def _rest(self) -> None:
        """Wait until there is something to do, and for a reader whose buffers are full."""
        self._is_resting = True
        try:
            await self._wake.wait()
        finally:
            self._is_resting = False
        self._wake.clear()
        if self.writer.is_full:
            await self.writer(b"")

    async def _notify(self) -> None:
        """Write the notices that wait, and a ping that is due."""
        waiting = self._notices.take()
        is_ping, self._notices.ping_is_due = self._notices.ping_is_due, False
        if is_ping:
            waiting.append(frames.ping(self._spread_ms()))
        if waiting:
            await self.writer(b"".join(waiting))
        if is_ping:
            self.pinged_at = timezone.now()

    async def _catch_up_next(self) -> None:
        """Do the oldest waiting catch-up; one at a time, so that live sessions are not held up."""
        if self._is_ending or not self.watches.has_waiting:
            return
        session_id, request = self.watches.next_waiting()
        self._wake.set()
        try:
            done = await self._caught_up(session_id, request)
        except UnknownSession:
            self._leave(session_id)
            self.reject(str(session_id))
            return
        except Exception:
            logger.exception(
                "a catch-up failed",
                extra={"connection": str(self.connection_id), "session": str(session_id)},
            )
            self._retry_later(session_id, request)
            return
        for chunk in done.chunks:
            await self.writer(chunk)
        if self.watches.caught_up(session_id, done, request.version):
            self._hub.caught_up(session_id, self.user_id, done)
            self.wake(session_id)
            if rendered := self._hub.rendered(session_id):
                await self.writer(rendered)

    async def _caught_up(self, session_id: UUID, request: CatchUpRequest) -> CatchUp:
        """Return the catch-up; streams that stand at one cursor and ask for one thing share it."""
        if kept := self._hub.kept(session_id, self.user_id, request):
            return kept
        cursor = self.watches.cursor(session_id)
        key = (session_id, cursor, request.kind, request.cursor, request.upto, request.max_gap,
               request.is_lag)  # fmt: skip
        work = partial(pool.run, carry_out, session_id, request, cursor)
        return await self._hub.share(key, work)

    def _retry_later(self, session_id: UUID, request: CatchUpRequest) -> None:
        def retry() -> None:
            if session_id in self.watches and not self.watches.is_waiting(session_id):
                self.catch_up(session_id, request)

        asyncio.get_running_loop().call_later(RETRY_S, retry)

    def _leave(self, session_id: UUID, version: int = 0) -> None:
        """Follow a session no longer. version: the order that asked for it."""
        if self.watches.end(session_id, version):
            self._hub.detach(session_id, self)
        self._live.forget(session_id)

    def _schedule_ping(self) -> None:
        def due() -> None:
            self._notices.ping_is_due = True
            self._wake.set()
            self._schedule_ping()

        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(chat.HEARTBEAT_INTERVAL_S, due)

    def _release(self) -> None:
        self._is_ending = True
        if self._timer is not None:
            self._timer.cancel()
        for session_id in self.watches:
            self._hub.detach(session_id, self)
