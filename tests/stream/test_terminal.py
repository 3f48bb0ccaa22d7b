"""`manage.py chat`: a person or a script at a terminal, against a real server."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import IO

import pytest

from lab.rig.waiting import PATIENCE_S
from tests.support.pseudo_terminal import INTERRUPT, PseudoTerminal
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
        timeout=3 * PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def sessions(server: Server) -> set[str]:
    """Return the owner's sessions: the tests of this file share a server."""
    return {prompt["session"] for prompt in server.data.call("prompts", name="owner")}


def test_script_gets_its_answers_in_order_and_leaves_no_token(server):
    before = sessions(server)
    shown = chat(server, "/slow 3\n/slow 2\n")
    first, second = shown.index("> /slow 3"), shown.index("> /slow 2")
    assert first < second
    assert server.data.call("tokens", name="owner") == []
    assert len(sessions(server) - before) == 1


@contextlib.contextmanager
def begun(server: Server) -> Iterator[tuple[IO[str], IO[str]]]:
    """Begin the program for a script, with its input and its output; end it after the block."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "chat", "--agent", "demo"],
        cwd=ROOT,
        env=server.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield process.stdin, process.stdout
        assert process.wait(3 * PATIENCE_S) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()


def test_permission_is_answered_by_its_number(server):
    with begun(server) as (said, shown):
        said.write("/run echo from-the-terminal\n")
        said.flush()
        before = ""
        while "  :1 " not in before:
            line = shown.readline()
            assert line, before
            before += line
        said.write(":1\n")
        said.close()
        assert "from-the-terminal" in shown.read()


def test_session_is_listed_and_gone_on_with(server):
    chat(server, "/slow 1\n")
    shown = chat(server, ":sessions\n:open 1\n:open 99\n:nonsense\n:interrupt\n")
    assert " /slow 1 (idle" in shown
    assert "There is no such session" in shown
    assert "begin a new session" in shown


def test_server_that_is_away_loses_no_prompt(server):
    server.kill()
    before = len(server.data.call("prompts", name="owner"))
    with begun(server) as (said, shown):
        said.write("/slow 1\n")
        said.close()
        assert "[waiting]\n" in shown
        server.start()
    eventually(lambda: len(server.data.call("prompts", name="owner")) == before + 1)


def at_a_terminal(server: Server, *options: str) -> PseudoTerminal:
    command = [sys.executable, "manage.py", "chat", "--agent", "demo", *options]
    return PseudoTerminal(command, cwd=ROOT, environment=server.environment)


def test_the_first_ctrl_c_stops_the_answer_and_the_second_leaves(server):
    with at_a_terminal(server) as chat:
        chat.shows("Ctrl+C stops the answer.")
        chat.types("/run sleep 60\n")
        chat.shows("  :3 Reject")
        chat.types(INTERRUPT)
        chat.shows("[interrupted]")
        chat.types(INTERRUPT)
        assert chat.ends() == 0
        assert "Traceback" not in chat.text
        # The terminal itself has drawn the typed line: there is no other, and one header.
        assert chat.text.count("/run sleep 60\n") == 1
        assert chat.text.count("(demo) —") == 1
    assert server.data.call("tokens", name="owner") == []


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP])
def test_a_prompt_that_was_not_sent_is_sent_by_the_next_terminal(server, ending):
    server.kill()
    before = len(server.data.call("prompts", name="owner"))
    with at_a_terminal(server) as chat:
        chat.shows("[waiting]")
        chat.types(f"/slow 1 {ending.name}\n:help\n")
        chat.shows(":quit           leave")
        chat.process.send_signal(ending)
        assert chat.ends() == 0
        assert "[not sent yet: 1; the outbox" in chat.text
    assert server.data.call("tokens", name="owner") == []
    server.start()
    with at_a_terminal(server) as chat:
        chat.shows(f"> /slow 1 {ending.name}")
        chat.shows("word1")
        chat.types(INTERRUPT)
        chat.shows("again leaves]")
        chat.types(INTERRUPT)
        assert chat.ends() == 0
    assert len(server.data.call("prompts", name="owner")) == before + 1


def test_a_reader_that_has_gone_ends_the_program_without_a_word(server):
    with begun(server) as (said, shown):
        shown.close()
        said.write("/slow 3\n")
        said.flush()
        # Its input stays open: the closed output alone ends it.
