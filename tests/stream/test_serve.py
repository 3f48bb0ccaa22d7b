"""`manage.py serve` as people run it: start, answer, stop, die, start again."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from lab.rig.folders import temporary_folder
from lab.rig.processes import Process
from lab.rig.programs import services
from lab.rig.servers import environment_of, manage
from tests.support.browsing import open_link
from tests.support.server import ROOT, eventually
from tests.support.sse import stream


def send(client: httpx.Client, text: str, **fields: object) -> dict:
    body = {"clientMsgId": f"m-{time.monotonic_ns()}", "sessionId": None, "text": text, **fields}
    answer = client.post("/api/chat/send", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()


def test_prompt_is_answered_by_a_real_agent_over_the_stream(server):
    with server.client("alice") as client, stream(server.url, server.token("alice")) as wire:
        named = {"X-Connection-ID": wire.connection_id}
        client.headers.update(named)
        receipt = send(client, "hello", agent="demo")
        end = wire.wait_for_type("turn_end", within_s=30)
        assert end.data["stopReason"] == "end_turn"
        assert end.data["sessionId"] == receipt["sessionId"]
        log = server.data.call("events", session=receipt["sessionId"])
        assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
        deltas = [frame for frame in wire.frames if frame.type == "block_delta"]
        assert len(deltas) > 5


def test_a_server_packs_the_files_of_the_page_before_anyone_asks(make_server):
    server = make_server(environment={"LOG_LEVEL": "INFO"})
    eventually(lambda: "the files of the page are packed" in server.log(), what="the packing")


def test_link_of_the_first_start_logs_in_once(server):
    with httpx.Client(follow_redirects=True) as browser:
        assert open_link(browser, server.login_link).status_code == 200
        assert browser.get(f"{server.url}/api/chat/events?watch=x:y").status_code == 400
    with httpx.Client(follow_redirects=True) as stranger:
        assert stranger.get(server.login_link).status_code == 410
        assert stranger.get(f"{server.url}/api/chat/events").status_code == 401


def test_link_is_printed_until_the_owner_has_logged_in_and_a_later_start_leaves_links_alone(server):
    never_used = server.login_link
    server.stop()
    server.start()
    assert server.login_link not in {"", never_used}
    with httpx.Client(follow_redirects=True) as browser:
        assert open_link(browser, server.login_link).status_code == 200
    asked_for = server.manage("login_link", "--base-url", server.url).split()[-1]
    server.stop()
    server.start()
    assert server.login_link == ""
    with httpx.Client(follow_redirects=True) as browser:
        open_link(browser, asked_for)
        assert browser.get(f"{server.url}/api/chat/events?watch=x:y").status_code == 400


def test_two_servers_on_one_host_leave_each_others_log_ins_alone(make_server):
    first, second = make_server(options=["--no-agents"]), make_server(options=["--no-agents"])
    with httpx.Client(follow_redirects=True) as browser:  # its cookies know no ports
        for server in (first, second):
            open_link(browser, server.login_link)
        for server in (first, second):
            assert browser.get(f"{server.url}/api/sessions").status_code == 200
        names = {name.rpartition("_")[0] for name in browser.cookies}
        assert (names, len(browser.cookies)) == ({"backstay_login", "backstay_csrf"}, 4)


def test_server_below_a_path_answers_with_and_without_it(make_server):
    server = make_server(environment={"BASE_PATH": "/chat"}, options=["--no-agents"])
    session = server.data.call("create_session", name="alice")
    token = server.token("alice")
    for site in (server.url, f"{server.url}/chat"):  # a proxy may leave the path out
        assert httpx.get(f"{site}/healthz").status_code == 200
        assert httpx.get(f"{site}/static/sessions/main.js").status_code == 200
        asked = httpx.get(f"{site}/", headers={"Daphne-Root-Path": "/evil"})
        assert asked.headers["location"] == "/chat/login/?next=/chat/"
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{site}/api/sessions", headers=headers).status_code == 200
        assert httpx.get(f"{site}/api/nothing").json()["code"] == "not_found"
        with stream(site, token, watch=[session]) as wire:
            wire.wait_for_type("session_snapshot")
        with httpx.stream("GET", f"{site}/events/{session}", headers=headers) as feed:
            assert feed.status_code == 200
    assert httpx.get(f"{server.url}/chat").headers["location"] == "/chat/login/?next=/chat/"
    assert httpx.get(f"{server.url}/chatter/healthz").status_code == 404


def test_sigterm_says_going_away_and_closes_the_rows(server):
    session = server.data.call("create_session", name="alice")
    with stream(server.url, server.token("alice"), watch=[session]) as wire:
        wire.wait_for_type("session_snapshot")
        connection = wire.connection_id
        assert server.stop() == 0
        wire.wait_for_end()
        assert wire.frames[-1].type == "going_away"
    assert server.data.call("connection", connection=connection)["open"] is False


def test_second_start_takes_little_and_keeps_everything(server):
    session = server.data.call("create_session", name="alice")
    token = server.token("alice")
    server.kill()
    server.start()
    spent = psutil.Process(server.pid).cpu_times()
    # Of its own work: how long that takes is the machine's affair.
    assert spent.user + spent.system < 3
    with stream(server.url, token, watch=[session]) as wire:
        assert wire.wait_for_type("session_snapshot").data["cursor"] == 1


def test_connection_of_a_killed_server_is_unknown_and_reaped_at_the_next_start(server):
    session = server.data.call("create_session", name="alice")
    with stream(server.url, server.token("alice"), watch=[session]) as wire:
        connection = wire.connection_id
        server.kill()
    server.start()
    eventually(
        lambda: not server.data.call("connection", connection=connection)["open"],
        what="the reaping",
    )
    with server.client("alice", headers={}) as client:
        client.headers["X-Connection-ID"] = connection
        body = {"clientMsgId": "late", "sessionId": session, "text": "hello"}
        answer = client.post("/api/chat/send", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_connection")
        assert server.data.call("prompts", name="alice") == []


def test_busy_port_is_one_clear_line(server, tmp_path):
    environment = environment_of(tmp_path / "other") | {"PORT": str(server.port)}
    done = subprocess.run(
        [sys.executable, "manage.py", "serve"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.strip() == (
        f"CommandError: Port {server.port} on 127.0.0.1 is in use: "
        "stop the program there, or set PORT to another."
    )


@pytest.mark.parametrize("host", ["::1", "[0:0::1]", "::ffff:127.0.0.1"])
def test_server_on_an_ipv6_address_answers_at_the_address_that_it_prints(tmp_path, host: str):
    with serving(tmp_path, f"--host={host}", LOG_LEVEL="INFO") as process:
        url = printed(process, "Backstay is at").split()[-1]
        eventually(lambda: answers(url), what="the server")
        assert url.startswith("http://[")
        assert httpx.get(f"{url}login/").status_code == 200
        assert httpx.get(f"{url}metrics").status_code == 200
        assert httpx.get(f"{url}login/", headers={"Host": "[fd00::1]"}).status_code == 400


def test_frozen_server_loses_its_leases_and_its_streams_reconnect(make_server):
    """Another process must be able to tell that a connection is dead, and its owner to notice."""
    server = make_server(
        environment={"CHAT_LEASE_S": "1", "CHAT_HEARTBEAT_INTERVAL_S": "0.2"},
        options=["--no-agents", "--no-sync"],  # it does not reap its own rows when it is slow
    )
    session = server.data.call("create_session", name="alice")
    with stream(server.url, server.token("alice"), watch=[session]) as wire:
        wire.wait_for_type("session_snapshot")

        def is_reaped_while_frozen() -> bool:
            server.freeze()
            try:
                time.sleep(1.2)  # the lease's length: time is what this is about
                return bool(server.data.call("reap") == [session])
            finally:
                server.thaw()

        # More than once, should it be frozen in the middle of a write.
        eventually(is_reaped_while_frozen, within_s=40, what="the reaping")
        wire.wait_for_type("going_away")
        wire.wait_for_end()


def test_row_of_a_stream_tells_that_a_ping_was_taken(make_server):
    server = make_server(
        environment={"CHAT_HEARTBEAT_INTERVAL_S": "0.2"}, options=["--no-agents", "--no-sync"]
    )
    with stream(server.url, server.token("alice")) as wire:
        row = {"connection": wire.connection_id}
        wire.wait_for_type("ping", within_s=30)
        eventually(lambda: server.data.call("connection", **row)["pinged"], within_s=30)


@contextmanager
def serving(folder: Path, *options: str, **more: str) -> Iterator[Process]:
    """Run `manage.py serve` at a port that it chooses; more: of its variables."""
    process = manage(
        "server",
        *("serve", "--port=0", "--no-agents", "--no-sync", *options),
        environment=environment_of(folder) | more,
        log=folder / "serve.log",
        is_warm=True,
    )
    process.start()
    try:
        yield process
        assert process.end(signal.SIGTERM) == 0
    finally:
        process.kill()


def printed(process: Process, words: str) -> str:
    """Return the line with these words, once the process has printed it."""

    def line() -> str:
        process.check()
        return next((line for line in process.said().splitlines() if words in line), "")

    return str(eventually(line, within_s=60, what=words))


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}healthz").is_success
    except httpx.HTTPError:
        return False


def test_start_waits_for_a_database_server_that_is_away(tmp_path):
    with temporary_folder() as folder:
        database = services.Postgres(folder / "postgres")
        try:
            with serving(tmp_path, DATABASE_URL=database.url) as process:
                printed(process, "does not answer yet: trying again")
                database.process.start()
                address = printed(process, "Backstay is at").split()[-1]
                eventually(lambda: answers(address), what="the server")
        finally:
            database.close()
