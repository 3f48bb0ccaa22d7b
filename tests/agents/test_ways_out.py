"""Ways out while the server cannot store, open files or take memory: stop, interrupt, log-out."""

import contextlib
import os
import resource
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from sessions.agents.processes import tree
from tests.agents.talking import Talk, assert_closed
from tests.agents.test_full_disk import QUICK, answering, full_disk_of
from tests.support.server import Server, eventually, make_server

__all__ = ["make_server"]

Fault = Callable[[], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def limited(server: Server, kind: int, limit: int) -> Iterator[None]:
    process = psutil.Process(server.pid)
    before = process.rlimit(kind)
    process.rlimit(kind, (limit, before[1]))
    try:
        yield
    finally:
        process.rlimit(kind, before)


def without_files(server: Server) -> contextlib.AbstractContextManager[None]:
    """Let no descriptor be free: a new one gets the lowest number that is not open."""
    used = {int(fd.name) for fd in Path(f"/proc/{server.pid}/fd").iterdir()}
    lowest = next(number for number in range(len(used) + 1) if number not in used)
    return limited(server, resource.RLIMIT_NOFILE, lowest)


@contextlib.contextmanager
def without_memory(server: Server) -> Iterator[None]:
    """Let the server's memory not grow: what it has freed is all that it can take."""
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    [held] = [line.split()[1] for line in status.splitlines() if line.startswith("VmData:")]
    with limited(server, resource.RLIMIT_DATA, int(held) * 1024):
        yield
    # It looks for memory every second.
    eventually(
        lambda: httpx.get(f"{server.url}/readyz", timeout=30).status_code == 200,
        within_s=30,
        what="memory again",
    )


@contextlib.contextmanager
def read_only(url: str) -> Iterator[None]:
    """Let the database take no writes, and end the connections that still may write."""
    name = url.rpartition("/")[2].partition("?")[0]
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    admin = url.replace(f"/{name}", "/postgres", 1)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        connection.execute(end, [name])
        try:
            yield
        finally:
            connection.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
            connection.execute(end, [name])


@pytest.fixture(params=["full disk", "no files", "no memory", "read-only"])
def broken(request, make_server) -> tuple[Server, Fault]:
    """A server, and its fault as a block."""
    if request.param == "read-only":
        url = request.getfixturevalue("postgres_url")
        server = make_server(environment=QUICK | {"DATABASE_URL": url})
        return server, lambda: read_only(url)
    server = make_server(environment=QUICK)
    faults = {
        "full disk": full_disk_of,
        "no files": without_files,
        "no memory": without_memory,
    }
    return server, lambda: faults[request.param](server)


def test_i7_an_agent_is_stopped_whatever_the_server_lacks(broken):
    server, fault = broken
    with server.client("alice") as http:
        talk = Talk(http)
        receipt = answering(talk)
        with fault():
            answer = talk.stop(receipt["sessionId"])
            assert (answer["ok"], answer["interrupted"]) == (True, True)
            # Where the stop is recorded, the answer comes with the end of the turn.
            eventually(
                lambda: not tree.of_session(receipt["sessionId"]), within_s=20, what="its end"
            )
        prompt = talk.settled(receipt)
        assert (prompt["promptState"], prompt["stopReason"]) == ("interrupted", "interrupted")
        talk.until(receipt["sessionId"], state="ENDED")
        again = talk.send("/slow 1", receipt["sessionId"])
        assert talk.settled(again)["promptState"] == "answered"
        assert_closed(talk.events(receipt["sessionId"]))


def test_i7_an_interrupt_ends_the_turn_whatever_the_server_lacks(broken):
    server, fault = broken
    with server.client("alice") as http:
        talk = Talk(http)
        receipt = answering(talk)
        with fault():
            assert talk.interrupt(receipt["sessionId"])["interrupted"]
        assert talk.settled(receipt)["stopReason"] == "interrupted"
        assert_closed(talk.events(receipt["sessionId"]))


def test_a_log_out_works_whatever_the_server_lacks(broken):
    server, fault = broken
    cookies = server.login("alice")
    token = next(value for name, value in cookies.items() if "csrf" in name)
    with httpx.Client(base_url=server.url, cookies=cookies, timeout=30) as http:
        assert http.get("/").status_code == 200
        with fault():
            answer = http.post("/logout/", headers={"X-CSRFToken": token, "Referer": server.url})
            assert answer.status_code == 302
            ended = [c for c in answer.headers.get_list("set-cookie") if "Max-Age=0" in c]
            assert any(c.startswith("backstay_login_") for c in ended)
        # The key, which this client has kept, is no good any more.
        assert http.get("/").status_code == 302


def sent(http: httpx.Client, body: dict) -> httpx.Response:
    """Send as clients do: again, when the connection was lost."""
    with contextlib.suppress(httpx.RemoteProtocolError):
        return http.post("/api/chat/send", json=body)
    return http.post("/api/chat/send", json=body)


def test_a_prompt_is_refused_with_a_sentence_and_readyz_tells(broken):
    server, fault = broken
    with server.client("alice") as http:
        talk = Talk(http)
        receipt = talk.send("/slow 1")
        talk.settled(receipt)
        body = {"clientMsgId": str(uuid.uuid4()), "sessionId": receipt["sessionId"], "text": "m"}
        with fault():
            answer = sent(http, body)
            if answer.status_code != 202:  # an open database may need no file
                assert answer.status_code == 503
                assert answer.json()["code"] in {
                    *("storage_full", "storage_read_only", "out_of_resources")
                }
                assert int(answer.headers["Retry-After"]) > 0
            ready = eventually(
                lambda: (told := http.get("/readyz")).status_code == 503 and told,
                within_s=20,
                what="its fault told",
            )
            assert not any(letter.isdigit() for letter in ready.text), "no counts for strangers"
        eventually(
            lambda: http.post("/api/chat/send", json=body).status_code == 202,
            within_s=30,
            what="a prompt after it",
        )
        eventually(
            lambda: http.get("/readyz").status_code == 200, within_s=30, what="readiness after it"
        )


def test_no_files_take_no_processor_time(make_server):
    server = make_server(environment=QUICK)
    with server.client("alice") as http, contextlib.ExitStack() as fault:
        assert http.get("/healthz").status_code == 200
        fault.enter_context(without_files(server))
        assert http.get("/healthz").status_code == 200
        clients = [httpx.Client(timeout=2) for _ in range(4)]
        for client in clients:
            with contextlib.suppress(httpx.HTTPError):
                client.get(f"{server.url}/healthz")
        assert psutil.Process(server.pid).cpu_percent(interval=2) < 50
        for client in clients:
            client.close()
    assert httpx.get(f"{server.url}/healthz", timeout=20).status_code == 200


def test_files_are_kept_back_for_agents(make_server):
    """However many clients come: a person who is connected can send, and stop the agent."""
    server = make_server(environment=QUICK | {"CHAT_MAX_CONNECTIONS_PER_ADDRESS": "0"})
    with server.client("alice") as http, contextlib.ExitStack() as crowd:
        talk = Talk(http)
        talk.settled(talk.send("/slow 1"))
        with limited(server, resource.RLIMIT_NOFILE, 160):
            answers = []
            for _ in range(140):
                client = crowd.enter_context(httpx.Client(timeout=10))
                with contextlib.suppress(httpx.TransportError):
                    answers.append(client.get(f"{server.url}/healthz").status_code)
            assert {200, 503} <= set(answers)
            receipt = answering(talk)
            assert talk.stop(receipt["sessionId"])["interrupted"]
            eventually(
                lambda: not tree.of_session(receipt["sessionId"]), within_s=20, what="its end"
            )


def test_a_server_on_a_read_only_file_says_so(make_server):
    """Root may write to any file: it has to give that power away first."""
    powers = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]
    server = make_server(environment=QUICK, through=powers if os.geteuid() == 0 else [])
    with server.client("alice") as http:
        talk = Talk(http)
        talk.settled(talk.send("/slow 1"))
    token = server.token("alice")
    server.stop()
    files = [*Path(server.folder, "data").glob("backstay.sqlite3*")]
    for file in files:
        file.chmod(0o400)
    try:
        server.start()
        with httpx.Client(
            base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=20
        ) as http:
            assert http.get("/api/sessions").json()["sessions"]
            body = {"clientMsgId": "m", "sessionId": None, "text": "hello", "agent": "demo"}
            answer = http.post("/api/chat/send", json=body)
            assert (answer.status_code, answer.json()["code"]) == (503, "storage_read_only")
            ready = http.get("/readyz")
            assert ready.status_code == 503
            assert "read-only" in ready.json()["checks"]["database"]
    finally:
        for file in files:
            file.chmod(0o600)
