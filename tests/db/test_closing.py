"""Rows of streams that have ended: closed soon, although the database was away for a moment."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from sessions.core.conf import chat
from sessions.core.states import SessionState
from sessions.models import Session
from transport.live.node import Node
from transport.live.stream import Stream
from transport.models import Connection
from transport.rows import closing, connections, pool, presence

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("stream_threads"),
]


async def write(_: bytes) -> None:
    """Take a chunk."""


async def becomes(check: Callable[[], object], wanted: object) -> None:
    """Wait until a look at the database gives what is wanted."""
    async with asyncio.timeout(30):
        while await pool.run(check) != wanted:
            await asyncio.sleep(0.02)


def open_rows() -> tuple[Session, connections.Opened]:
    owner = get_user_model().objects.create_user("owner")
    session = Session.objects.create(owner=owner, agent="demo", state=SessionState.ACTIVE)
    opened = connections.open_connection(owner, user_agent="", watches=[(session.pk, None)])
    presence.refresh([session.pk])
    return session, opened


def state_of(session: Session) -> str:
    return Session.objects.get(pk=session.pk).state


def fail_once(monkeypatch, module, name: str) -> None:
    """Let a function fail at its first call, as it does while the database restarts."""
    real, failures = getattr(module, name), [OSError("the database is away")]

    def work(*args):
        if failures:
            raise failures.pop()
        return real(*args)

    monkeypatch.setattr(module, name, work)


@pytest.mark.parametrize("what", [(closing, "close"), (presence, "refresh")])
async def test_a_tab_closed_while_the_database_is_away_stops_watching_soon(monkeypatch, what):
    session, opened = await pool.run(open_rows)
    node = Node()
    stream = Stream(opened.id, hub=node.hub, writer=write, spread_ms=node.spread_ms)
    node.add(stream)
    fail_once(monkeypatch, *what)
    try:
        await node.remove(stream, "stream ended")
        await becomes(lambda: Connection.objects.get(pk=opened.id).close_reason, "stream ended")
        await becomes(lambda: state_of(session), SessionState.DETACHED)
    finally:
        await node.stop()


async def test_a_server_that_stops_tries_once_more_to_close_what_it_could_not(monkeypatch):
    _, opened = await pool.run(open_rows)
    node = Node()
    stream = Stream(opened.id, hub=node.hub, writer=write, spread_ms=node.spread_ms)
    node.add(stream)
    fail_once(monkeypatch, closing, "close")
    await node.remove(stream, "stream ended")
    await node.stop()
    await becomes(lambda: Connection.objects.get(pk=opened.id).close_reason, "stream ended")


def test_only_rows_of_streams_that_are_open_are_renewed():
    session, served = open_rows()
    left = connections.open_connection(session.owner, user_agent="", watches=[(session.pk, None)])
    almost = timezone.now() - timedelta(seconds=chat.LEASE_S - 1)
    Connection.objects.update(last_seen_at=almost)
    assert connections.renew({served.id}) == {served.id}
    assert closing.reap(timezone.now() + timedelta(seconds=2)) == [session.pk]
    assert list(Connection.objects.filter(closed_at=None)) == [Connection(pk=served.id)]
    assert Connection.objects.get(pk=left.id).close_reason == "process gone"
