"""The rig: a start ends when it serves, or at once when it cannot; ports are nobody else's."""

import os
import signal
import socket
import sys
import time

import pytest

from lab.rig import services
from lab.rig.json_lines import CallFailed, Peer
from lab.rig.ports import Port
from lab.rig.processes import NotServing, Process, ProcessEnded
from lab.rig.waiting import eventually


def process(tmp_path, code: str, **options) -> Process:
    return Process(
        "it",
        [sys.executable, "-c", code],
        environment=dict(os.environ),
        log=tmp_path / "it.log",
        folder=tmp_path,
        **options,
    )


def refuse() -> None:
    raise NotServing("answers 500")


def test_wait_for_a_process_that_has_ended_fails_at_once_with_its_last_words(tmp_path):
    failing = process(tmp_path, "raise SystemExit('no port for me')", probe=refuse)
    failing.start()
    began = time.monotonic()
    with pytest.raises(ProcessEnded, match=r"(?s)it ended with 1.*no port for me"):
        failing.wait_until_serving(within_s=60)
    assert time.monotonic() - began < 30
    failing.end(signal.SIGTERM)


def test_wait_for_a_process_that_only_fails_to_serve_says_how_it_answers(tmp_path):
    silent = process(tmp_path, "print('here', flush=True); input()", probe=refuse, has_pipes=True)
    silent.start()
    try:
        with pytest.raises(NotServing, match="answers 500"):
            silent.wait_until_serving(within_s=0.2)
    finally:
        silent.kill()


def test_words_of_an_earlier_start_are_not_those_of_this_one(tmp_path):
    counting = process(tmp_path, "import os; print(os.getpid(), flush=True)")
    for _ in range(2):
        counting.start()
        pid = str(counting.pid)
        eventually(lambda: counting.said().strip() == pid, within_s=30)  # noqa: B023 (called here)
        counting.end(signal.SIGTERM)


def test_a_reserved_port_is_given_to_no_other_socket_and_a_server_may_bind_it():
    port = Port()
    others = []
    try:
        for _ in range(200):
            others.append(socket.socket())
            others[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            others[-1].bind(("127.0.0.1", 0))
        assert port.number not in {other.getsockname()[1] for other in others}
        with socket.create_server(("127.0.0.1", port.number)) as server:
            socket.create_connection(server.getsockname(), 5).close()
    finally:
        for other in others:
            other.close()
        port.release()


def test_the_newest_version_of_postgres_is_the_highest_number(tmp_path):
    folders = [tmp_path / version / "bin" for version in ("9.6", "15", "16", "9")]
    newest = sorted(folders, key=services._version, reverse=True)
    assert [folder.parent.name for folder in newest] == ["16", "15", "9.6", "9"]


ECHO = """
import sys
from lab.rig import json_lines
json_lines.answer_calls({"echo": lambda said: said, "fail": lambda: 1 / 0})
"""


@pytest.fixture
def peer(tmp_path, monkeypatch):
    (tmp_path / "echo.py").write_text(ECHO)
    variables = os.environ | {"PYTHONPATH": str(tmp_path)}
    made = Peer("echo", environment=variables, log=tmp_path / "echo.log")
    yield made
    made.close()


def test_a_call_returns_its_result_however_large(peer):
    said = "word " * 1_000_000
    assert peer.call("echo", within_s=30, said=said) == said


def test_a_failed_call_shows_the_other_sides_traceback_and_the_next_one_works(peer):
    with pytest.raises(CallFailed, match="ZeroDivisionError"):
        peer.call("fail", within_s=30)
    assert peer.call("echo", within_s=30, said=1) == 1


def test_an_answer_that_was_too_late_is_not_taken_for_the_next_one(peer):
    with pytest.raises(TimeoutError):
        peer.call("echo", within_s=0, said="late")
    assert peer.call("echo", within_s=30, said="new") == "new"
