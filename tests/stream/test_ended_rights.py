"""I11: a stream ends when what let it in lets nobody in any more."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

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
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    headers = [("Cookie", cookie)]
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
            headers = {"X-CSRFToken": here["backstay_csrf"], "Origin": server.url}
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
        server.data.call("log_in_over", cookie=cookies["backstay_login"], name="bob")
        ends(server, wire, session)
