"""What is in the server's memory stays there: no tool of an agent reads it, though of one user.

Root reads everything, so where the tests run as root the processes give that power up first.
"""

from __future__ import annotations

import subprocess
import sys
import uuid

import pytest

from tests.support.server import eventually, make_server

__all__ = ["make_server"]

SECRET = {"THE_SERVERS_TOKEN": "hush-hush"}
# PR_CAPBSET_DROP of CAP_SYS_PTRACE, CAP_SYS_ADMIN and CAP_PERFMON; others have none of them.
GIVE_UP_POWERS = """
import ctypes, os, sys
for power in (19, 21, 38):
    ctypes.CDLL(None).prctl(24, power, 0, 0, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
LIKE_ANYBODY = (sys.executable, "-c", GIVE_UP_POWERS)


def test_a_tool_reads_its_agents_environment_and_not_the_servers(make_server):
    server = make_server(environment=SECRET, through=LIKE_ANYBODY)
    with server.client("alice") as http:
        told = run(http, f"cat /proc/$PPID/environ; echo; echo and; cat /proc/{server.pid}/environ")
    own, servers = told.split("\nand\n")
    assert "BACKSTAY_SESSION=" in own
    assert "hush-hush" not in servers
    assert "denied" in servers


def run(http, command: str) -> str:
    """Let the demo agent run a command; return what it printed."""
    text, mode = f"/run {command}", "auto"
    body = {"clientMsgId": str(uuid.uuid4()), "sessionId": None, "text": text, "mode": mode}
    sent = http.post("/api/chat/send", json={**body, "agent": "demo"})
    assert sent.status_code == 202, sent.text
    path = f"/api/sessions/{sent.json()['sessionId']}/snapshot"

    def result() -> str | None:
        for message in http.get(path).json()["messages"]:
            for block in message.get("blocks", ()):
                if block["result"]:
                    return block["result"]
        return None

    return eventually(result, within_s=30, what="the command's output")


@pytest.mark.parametrize("command", ["run_agents", "periodic_sync"])
def test_no_process_of_the_same_user_reads_a_workers_environment(make_server, command):
    server = make_server(environment=SECRET, options=["--no-agents", "--no-sync"])
    with server.beside(command, through=LIKE_ANYBODY) as worker:
        eventually(lambda: not environment_of(worker.pid), within_s=30, what="privacy")
        worker.check()


def environment_of(pid: int) -> str:
    """Return what another process of its user reads of a process' environment; "" for nothing."""
    path = f"/proc/{pid}/environ"
    read = subprocess.run([*LIKE_ANYBODY, "cat", path], capture_output=True, check=False)
    assert read.returncode == 0 or b"denied" in read.stderr, read.stderr
    return read.stdout.decode()
