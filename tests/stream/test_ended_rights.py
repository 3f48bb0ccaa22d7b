"""I11: a stream ends when what let it in lets nobody in any more."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import httpx
import pytest

from lab.rig.origin_key import HEADERS
from tests.support.browsing import cookie
from tests.support.server import Server
from tests.support.sse import Wire, stream


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    running = Server(
        tmp_path_factory.mktemp("server"),
        environment={"CHAT_LEASE_S": "0.6"},
        options=["--no-agents"],
    )
    try:
        yield running.start()
    finally:
        running.close()


@contextmanager
def by_cookie(server: Server, cookies: dict[str, str], session: str) -> Iterator[Wire]:
    sent = "; ".join(f"{name}={value}" for name, value in cookies.items())
    headers = [("Cookie", sent), *HEADERS.items()]
    with stream(server.url, "", watch=[session], headers=headers, authorization=False) as wire:
        wire.wait_for_type("session_snapshot")
        yield wire


def ends(server: Server, wire: Wire, session: str) -> None:
    wire.wait_for_type("going_away")
    wire.wait_for_end()
    head = server.data.call("append", session=session, count=1)
    assert head not in wire.seqs(session)


def test_log_out_ends_the_streams_of_that_log_in_alone(server):
    session = server.data.call("create_session", name="alice")
    here, elsewhere = server.login("alice"), server.login("alice")
    with by_cookie(server, elsewhere, session) as other, by_cookie(server, here, session) as wire:
        with httpx.Client(base_url=server.url, cookies=here) as browser:
            headers = {"X-CSRFToken": cookie(here, "csrf"), "Origin": server.url}
            assert browser.post("/logout/", headers=headers).status_code in {200, 302}
        ends(server, wire, session)
        other.read_for(0.5)
        assert not other.ended


@pytest.mark.parametrize("what", ["revoke_tokens", "change_password", "deactivate"])
def test_token_password_or_account_that_is_gone_ends_the_stream(server, what):
    session = server.data.call("create_session", name=what)
    other = server.data.call("create_session", name="carol")
    with (
        stream(server.url, server.token("carol"), watch=[other]) as untouched,
        stream(server.url, server.token(what), watch=[session]) as wire,
    ):
        for opened in (wire, untouched):
            opened.wait_for_type("session_snapshot")
        server.data.call(what, name=what)
        ends(server, wire, session)
        untouched.read_for(0.5)
        assert not untouched.ended


@pytest.mark.parametrize("what", ["delete_log_ins", "expire_log_ins"])
def test_log_in_that_is_gone_or_over_ends_its_streams_alone(server, what):
    session = server.data.call("create_session", name="alice")
    with (
        stream(server.url, server.token("alice"), watch=[session]) as by_token,
        by_cookie(server, server.login("alice"), session) as wire,
    ):
        by_token.wait_for_type("session_snapshot")
        server.data.call(what)
        ends(server, wire, session)
        by_token.read_for(0.5)
        assert not by_token.ended


def test_log_in_of_somebody_else_in_the_same_browser_ends_the_streams_before(server):
    session = server.data.call("create_session", name="alice")
    cookies = server.login("alice")
    with by_cookie(server, cookies, session) as wire:
        server.data.call("log_in_over", cookie=cookie(cookies, "login"), name="bob")
        ends(server, wire, session)


@contextmanager
def feed(server: Server, session: str, **headers: str) -> Iterator[Iterator[str]]:
    """The plain feed, line by line, from its first one on."""
    limits = httpx.Timeout(20)
    with (
        httpx.Client(base_url=server.url, headers=headers, timeout=limits) as client,
        client.stream("GET", f"/events/{session}") as answer,
    ):
        lines = answer.iter_lines()
        assert next(line for line in lines if line) == "retry: 1000"
        yield lines


def by_token(server: Server, name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.token(name)}"}


def as_cookie(server: Server, name: str) -> dict[str, str]:
    sent = "; ".join(f"{n}={value}" for n, value in server.login(name).items())
    return {"Cookie": sent, **HEADERS}


ENDS = [
    ("revoke_tokens", {"name": "dora"}, by_token),
    ("change_password", {"name": "dora"}, by_token),
    ("deactivate", {"name": "dora"}, by_token),
    ("change_password", {"name": "dora"}, as_cookie),
    ("delete_log_ins", {}, as_cookie),
    ("expire_log_ins", {}, as_cookie),
]


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
@pytest.mark.parametrize(("what", "arguments", "let_in"), ENDS)
def test_feed_ends_when_what_let_it_in_lets_nobody_in(server, what, arguments, let_in, busy):
    server.data.call("activate", name="dora")
    session = server.data.call("create_session", name="dora")
    other = server.data.call("create_session", name="carol")
    with (
        feed(server, other, **by_token(server, "carol")) as untouched,
        feed(server, session, **let_in(server, "dora")) as lines,
    ):
        server.data.call(what, **arguments)
        with events_coming(server, session, busy=busy):
            *_, error, _id, data = [line for line in lines if line]
        assert error == "event: stream-error"
        assert "forbidden" in data
        head = server.data.call("append", session=other, count=1)
        assert any(line == f"id: {other}:{head}" for line in untouched)


@contextmanager
def events_coming(server: Server, session: str, *, busy: bool) -> Iterator[None]:
    """Append an event every few milliseconds meanwhile."""
    is_over = Event()

    def append() -> None:
        while busy and not is_over.wait(0.01):
            server.data.call("append", session=session, count=1)

    writer = Thread(target=append)
    writer.start()
    try:
        yield
    finally:
        is_over.set()
        writer.join()


def test_log_out_ends_the_feeds_of_that_log_in(server):
    session = server.data.call("create_session", name="alice")
    cookies = server.login("alice")
    sent = "; ".join(f"{name}={value}" for name, value in cookies.items())
    with feed(server, session, Cookie=sent, **HEADERS) as lines:
        with httpx.Client(base_url=server.url, cookies=cookies) as browser:
            headers = {"X-CSRFToken": cookie(cookies, "csrf"), "Origin": server.url}
            assert browser.post("/logout/", headers=headers).status_code in {200, 302}
        assert "event: stream-error" in list(lines)
