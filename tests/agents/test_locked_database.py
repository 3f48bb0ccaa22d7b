"""Another program holds the lock of the SQLite file: the session waits and keeps its agent."""

import contextlib
import sqlite3
from collections.abc import Iterator

import pytest

from tests.agents.talking import Talk, assert_closed
from tests.support.server import Server, eventually, make_server

__all__ = ["make_server"]

FAILED_RENEWAL = "could not renew leases"


@contextlib.contextmanager
def lock_of(server: Server) -> Iterator[None]:
    """Hold the file's write lock, as a backup or a database browser does."""
    path = f"{server.environment['DATA_DIR']}/backstay.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()


def outlast_the_lease(server: Server) -> None:
    """Wait for failed renewals; the first is told when the lease is as good as over."""
    eventually(
        lambda: server.log().count(FAILED_RENEWAL) >= 4,
        within_s=60,
        what="renewals that fail",
    )


@pytest.mark.parametrize("words", [10, 150], ids=["ends meanwhile", "ends later"])
def test_i7_a_lock_that_outlasts_the_lease_costs_neither_turn_nor_agent(make_server, words):
    server = make_server(environment={"CHAT_LEASE_S": "4"})
    with server.client("alice") as http:
        talk = Talk(http)
        first = talk.send("hello")
        talk.settled(first)
        second = talk.send(f"/slow {words}", first["sessionId"])
        talk.until(first["sessionId"], runState="running")
        with lock_of(server):
            outlast_the_lease(server)
        prompt = talk.settled(second, within_s=60)
        assert (prompt["promptState"], prompt["stopReason"]) == ("answered", "end_turn")
        events = talk.events(first["sessionId"])
        assert len([event for event in events if event["type"] == "agent_started"]) == 1
        assert_closed(events)
