"""A stop by signal, or by a terminal that is closed: a goodbye, closed rows, no agent left."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from lab.rig.servers import environment_of
from tests.support.server import ROOT, eventually
from tests.support.sse import stream

# SIGHUP as a terminal's shell leaves it, even where the tests themselves run under nohup.
NORMAL = (
    "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL);"
    "os.execv(sys.argv[1], sys.argv[1:])"
)
NOHUP = NORMAL.replace("SIG_DFL", "SIG_IGN")
# The first process of a terminal of its own.
IN_TERMINAL = (
    "import fcntl, os, signal, sys, termios; signal.signal(signal.SIGHUP, signal.SIG_DFL);"
    "os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
QUICK_STOP = {"CHAT_STOP_GRACE_S": "0", "CHAT_INTERRUPT_TIMEOUT_S": "2", "CHAT_LEASE_S": "5"}


def through(launcher: str) -> list[str]:
    return [sys.executable, "-c", launcher]


def hang(server) -> str:
    """Have an agent ignore signals and the end of its input; return its session."""
    body = {"clientMsgId": "m1", "sessionId": None, "agent": "demo", "text": "/hang hard"}
    with server.client("alice") as client:
        session = str(client.post("/api/chat/send", json=body).json()["sessionId"])
    eventually(lambda: "block_delta" in types_of(server, session), within_s=30, what="its word")
    return session


def types_of(server, session: str) -> list[str]:
    return [event["type"] for event in server.data.call("events", session=session)]


def reasons_of_end(server, session: str) -> list[str]:
    log = server.data.call("events", session=session)
    return [event["stopReason"] for event in log if event["type"] == "turn_end"]


def agents_of(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def are_gone(processes: list[psutil.Process]) -> bool:
    return not any(each.is_running() and each.status() != "zombie" for each in processes)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT])
def test_serve_says_goodbye_and_ends_its_agents(make_server, number: signal.Signals):
    server = make_server(through=through(NORMAL), environment=QUICK_STOP)
    with stream(server.url, server.token("alice")) as wire:
        session = hang(server)
        agents = agents_of(server.pid)
        assert agents
        server.send_signal(number)
        server.send_signal(number)  # a shell passes SIGHUP on, after the terminal's own
        assert server.stop() == 0
        wire.wait_for_end()
        assert wire.frames[-1].type == "going_away"
    assert are_gone(agents)
    assert reasons_of_end(server, session) == ["server_restart"]
    assert server.data.call("connection", connection=wire.connection_id)["open"] is False


PATIENT_STOP = {"CHAT_STOP_GRACE_S": "600", "CHAT_INTERRUPT_TIMEOUT_S": "2", "CHAT_LEASE_S": "5"}


def test_a_second_ctrl_c_in_serve_interrupts_turns_at_once(make_server):
    server = make_server(environment=PATIENT_STOP)
    with stream(server.url, server.token("alice")) as wire:
        session = hang(server)
        agents = agents_of(server.pid)
        assert agents
        server.send_signal(signal.SIGINT)
        wire.wait_for_type("going_away")
        # The turn has ten minutes, and its agent works.
        assert not are_gone(agents)
        server.send_signal(signal.SIGINT)
        assert server.stop() == 0
    assert are_gone(agents)
    assert reasons_of_end(server, session) == ["server_restart"]


def test_serve_under_nohup_outlives_its_terminal(make_server):
    server = make_server(through=through(NOHUP), environment=QUICK_STOP)
    server.send_signal(signal.SIGHUP)
    with stream(server.url, server.token("alice")) as wire:
        assert wire.connection_id
    assert server.is_running


@contextmanager
def in_terminal(
    environment: dict[str, str], *command: str
) -> Iterator[tuple[int, subprocess.Popen]]:
    """Run a command in a terminal; yield the terminal's other end, which closes it."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*through(IN_TERMINAL), sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        yield ours, process
    finally:
        process.kill()
        process.wait()


def read_until(terminal: int, word: str) -> None:
    said = b""
    while word.encode() not in said:
        said += os.read(terminal, 4096)


@pytest.fixture
def web(make_server):
    return make_server(environment=QUICK_STOP, options=["--no-agents", "--no-sync"])


def test_run_agents_ends_its_agents_when_its_terminal_is_closed(web):
    with in_terminal(web.environment, "run_agents") as (terminal, runner):
        read_until(terminal, "Running agents as")
        session = hang(web)
        agents = agents_of(runner.pid)
        assert agents
        os.close(terminal)
        runner.wait(30)
        assert are_gone(agents)
        assert reasons_of_end(web, session) == ["server_restart"]


def test_a_trial_ends_its_agent_when_its_terminal_is_closed(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    trial = ("agents", "--try", "demo", "--prompt", "/hang hard", "--cwd", str(folder))
    with in_terminal(environment_of(tmp_path), *trial) as (terminal, process):
        read_until(terminal, "From here on")
        agents = agents_of(process.pid)
        assert agents
        os.close(terminal)
        process.wait(30)
        assert are_gone(agents)


def test_a_second_ctrl_c_in_run_agents_interrupts_turns_at_once(make_server):
    web = make_server(environment=PATIENT_STOP, options=["--no-agents", "--no-sync"])
    with in_terminal(web.environment, "run_agents") as (terminal, runner):
        read_until(terminal, "Running agents as")
        session = hang(web)
        agents = agents_of(runner.pid)
        assert agents
        runner.send_signal(signal.SIGINT)
        runner.send_signal(signal.SIGTERM)
        assert runner.wait(30) == 0
        assert are_gone(agents)
        assert reasons_of_end(web, session) == ["server_restart"]


def test_periodic_sync_gives_its_lock_back_when_its_terminal_is_closed(web):
    with in_terminal(web.environment, "periodic_sync") as (terminal, sync):
        eventually(lambda: web.data.call("sync_holder"), what="the lock")
        os.close(terminal)
        sync.wait(30)
    assert web.data.call("sync_holder") == ""
