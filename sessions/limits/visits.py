"""Visits: requests on their way through the server, each charged to a user or an address.

A request is charged to its address until its user is known. A credential that was good a moment
ago vouches for its request, so that strangers behind the same proxy cannot use up its user's
share. Ways out have a bucket of their own: a program that floods the server can be stopped.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import ExitStack
from contextvars import ContextVar
from typing import Final

from sessions.core.conf import chat
from sessions.core.db import owner
from sessions.core.errors import TooManyRequests
from sessions.limits.at_once import AtOnce
from sessions.limits.buckets import TokenBuckets

# Digests of credentials with their users; the one that was used least recently is forgotten.
MAX_KNOWN: Final = 10_000
RETRY_SOON_S: Final = 1
CHAT_LISTS_AT_ONCE: Final = 2

requests: Final = TokenBuckets(lambda: chat.REQUESTS_PER_MINUTE)
ways_out: Final = TokenBuckets(lambda: chat.REQUESTS_PER_MINUTE)
streams: Final = TokenBuckets(lambda: chat.STREAMS_PER_MINUTE)
strangers: Final = TokenBuckets(lambda: chat.STRANGER_REQUESTS_PER_MINUTE)
strangers_at_once: Final = AtOnce(lambda: chat.MAX_CONNECTIONS_PER_ADDRESS)
requests_at_once: Final = AtOnce(lambda: chat.REQUESTS_AT_ONCE)
reads: Final = AtOnce(lambda: chat.READS_AT_ONCE)
searches: Final = AtOnce(lambda: chat.SEARCHES_AT_ONCE)
# Each starts an agent.
chat_lists: Final = AtOnce(lambda: CHAT_LISTS_AT_ONCE)
exports: Final = AtOnce(lambda: chat.EXPORTS_AT_ONCE)

_known: Final[OrderedDict[str, int]] = OrderedDict()
_current: ContextVar[Visit | None] = ContextVar("visit", default=None)


class Visit:
    """One request. address: the client's network; credential: a digest, "" without one.

    is_way_out: it stops an agent or logs out. is_stream: it stays open, under limits of its own.
    becomes_known: called with the user once that is known; may raise TooManyConnections.
    """

    def __init__(
        self,
        address: str,
        credential: str = "",
        *,
        is_way_out: bool = False,
        is_stream: bool = False,
        becomes_known: Callable[[int], None] | None = None,
    ) -> None:
        self._address = address
        self._credential = credential
        self.is_way_out = is_way_out
        self._is_stream = is_stream
        self._becomes_known = becomes_known
        self._user_id: int | None = None
        self._has_strangers_token = False
        self._as_stranger = ExitStack()
        self._as_user = ExitStack()

    def enter(self) -> None:
        """Begin. Raises TooManyRequests."""
        _current.set(self)
        user_id = _known.get(self._credential)
        if user_id is not None:
            _known.move_to_end(self._credential)
            self._charge(user_id)
            return
        _begin(self._as_stranger, strangers_at_once, self._address)
        _take(strangers, self._address)
        self._has_strangers_token = True

    def leave(self) -> None:
        """End: what the visit holds is free again. A stranger's token is spent."""
        self._as_stranger.close()
        self._as_user.close()

    def admit(self, user_id: int) -> None:
        """Note the user, who is charged from now on. Raises TooManyRequests."""
        self._remember(user_id)
        self._as_stranger.close()
        if self._has_strangers_token:
            self._has_strangers_token = False
            strangers.give_back(self._address)
        if self._user_id is None:
            self._charge(user_id)
        if self._becomes_known is not None:
            self._becomes_known(user_id)

    def hold(self, things: AtOnce, user_id: int) -> None:
        """Count one thing of the user until the visit ends. Raises TooManyRequests."""
        _begin(self._as_user, things, user_id)

    def _remember(self, user_id: int) -> None:
        if self._credential:
            _known[self._credential] = user_id
            if len(_known) > MAX_KNOWN:
                _known.popitem(last=False)

    def _charge(self, user_id: int) -> None:
        self._user_id = user_id
        _take(ways_out if self.is_way_out else requests, user_id)
        if not (self.is_way_out or self._is_stream):
            _begin(self._as_user, requests_at_once, user_id)


def admit(user_id: int) -> None:
    """Note the user of the visit in this context. Raises TooManyRequests."""
    owner.set(user_id)
    visit = _current.get()
    if visit is not None:
        visit.admit(user_id)


def hold(things: AtOnce, user_id: int) -> None:
    """Count one thing of a user until this context's visit ends. Raises TooManyRequests."""
    visit = _current.get()
    if visit is not None:
        visit.hold(things, user_id)


def open_stream(user_id: int) -> None:
    """Charge the opening of a stream, which writes rows, to its user. Raises TooManyRequests."""
    if _current.get() is not None:
        _take(streams, user_id)


def _begin(stack: ExitStack, things: AtOnce, key: Hashable) -> None:
    if not things.begin(key):
        raise TooManyRequests(retryAfter=RETRY_SOON_S)
    stack.callback(things.end, key)


def _take(buckets: TokenBuckets, key: Hashable) -> None:
    wait_s = buckets.take(key)
    if wait_s:
        raise TooManyRequests(retryAfter=wait_s)
