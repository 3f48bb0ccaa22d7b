"""`manage.py chat`: a person or a script at a terminal, against a real server."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.server import ROOT, Server, eventually


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"))
    try:
        yield running.start()
    finally:
        running.close()


def chat(server: Server, lines: str, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", "chat", "--agent", "demo", *options],
        cwd=ROOT,
        env=server.environment,
        input=lines,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_script_gets_its_answers_in_order_and_leaves_no_token(server):
    shown = chat(server, "/slow 3\n/slow 2\n")
    first, second = shown.index("> /slow 3"), shown.index("> /slow 2")
    assert first < second
    assert server.data.call("tokens", name="owner") == []
    sessions = {c["session"] for c in server.data.call("commands", name="owner")}
    assert len(sessions) == 1


def test_permission_is_answered_by_its_number(server):
    process = subprocess.Popen(
        [sys.executable, "manage.py", "chat", "--agent", "demo"],
        cwd=ROOT,
        env=server.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write("/run echo from-the-terminal\n")
        process.stdin.flush()
        shown = ""
        while "  :1 " not in shown:
            line = process.stdout.readline()
            assert line, shown
            shown += line
        process.stdin.write(":1\n")
        process.stdin.close()
        rest = process.stdout.read()
        assert process.wait(30) == 0
        assert "from-the-terminal" in rest
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_session_is_listed_and_gone_on_with(server):
    chat(server, "/slow 1\n")
    shown = chat(server, ":sessions\n:open 1\n:open 99\n:nonsense\n:interrupt\n")
    assert " /slow 1 (idle)" in shown
    assert "There is no such session" in shown
    assert "begin a new session" in shown


def test_server_that_is_away_loses_no_prompt(server):
    server.kill()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "chat", "--agent", "demo"],
        cwd=ROOT,
        env=server.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write("/slow 1\n")
    process.stdin.close()
    process.stdin = None
    assert process.stdout is not None
    before = len(server.data.call("commands", name="owner"))
    for line in process.stdout:
        if line == "[waiting]\n":
            break
    server.start()
    process.communicate(timeout=60)
    assert process.returncode == 0
    eventually(lambda: len(server.data.call("commands", name="owner")) == before + 1)
