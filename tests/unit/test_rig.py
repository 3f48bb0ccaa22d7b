"""The rig: a start ends when it serves, or at once when it cannot; ports are nobody else's."""

import json
import os
import signal
import socket
import sys
import time

import pytest

from lab.rig import processes
from lab.rig.json_lines import CallFailed, Peer
from lab.rig.ports import Port
from lab.rig.processes import ROOT, NotServing, Process, ProcessEnded, clean_environment
from lab.rig.programs import services
from lab.rig.servers import environment_of
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


@pytest.fixture(params=[False, True], ids=["cold", "warm"])
def peer(request, tmp_path, monkeypatch):
    (tmp_path / "echo.py").write_text(ECHO)
    variables = clean_environment() | {"PYTHONPATH": str(tmp_path)}
    log = tmp_path / "echo.log"
    made = Peer("echo", environment=variables, log=log, is_warm=request.param)
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


TOLD = """
import atexit, os, signal, sys
print(sys.argv, sorted(os.environ), os.getcwd(), __name__)
print(sys.stdin.read(), os.getsid(0) == os.getpid())
print(str(signal.getsignal(signal.SIGINT)).split()[:2])
print("an error", file=sys.stderr)
atexit.register(print, "the end")
sys.exit(3)
"""


def test_a_warm_process_is_told_what_a_cold_one_is(tmp_path):
    (tmp_path / "told.py").write_text(TOLD)
    said = []
    for is_warm in (False, True):
        process = Process(
            "told",
            [sys.executable, "told.py", "one", "two"],
            environment={"ONLY": "this", "LC_CTYPE": "C.UTF-8"},
            log=tmp_path / f"told-{is_warm}.log",
            folder=tmp_path,
            is_warm=is_warm,
        )
        process.start()
        assert process.finish() == 3
        said.append(sorted(process.said().splitlines()))
    assert said[0] == said[1]
    assert "['told.py', 'one', 'two'] ['LC_CTYPE', 'ONLY']" in "\n".join(said[1])


def test_a_warm_process_that_is_killed_says_so_and_starts_again(tmp_path):
    (tmp_path / "wait.py").write_text("import time; print('up', flush=True); time.sleep(600)")
    command = [sys.executable, "wait.py"]
    process = Process(
        "wait", command, environment={}, log=tmp_path / "log", folder=tmp_path, is_warm=True
    )
    for _ in range(2):
        process.start()
        eventually(lambda: "up" in process.said(), what="the start")
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(ProcessEnded, match="ended with -9"):
            eventually(process.check, what="the end")
        assert process.end(signal.SIGTERM) == -signal.SIGKILL


DEAF = """
import signal, sys, threading, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def stand_here(): time.sleep(600)
threading.Thread(target=stand_here).start()
print("up", file=sys.stderr)
stand_here()
"""


@pytest.mark.parametrize("is_warm", [False, True], ids=["cold", "warm"])
def test_a_process_that_does_not_end_says_where_its_threads_stand(tmp_path, monkeypatch, is_warm):
    monkeypatch.setattr(processes, "STOP_S", 0.2)
    (tmp_path / "deaf.py").write_text(DEAF)
    process = Process(
        "deaf",
        [sys.executable, "deaf.py"],
        environment=clean_environment(),
        log=tmp_path / "log",
        folder=tmp_path,
        is_warm=is_warm,
    )
    process.start()
    eventually(lambda: "up" in process.said(), what="the start")
    assert process.end(signal.SIGTERM) == -signal.SIGKILL
    assert process.tail().count("in stand_here") == 2
    assert "deaf has not ended after 0 s: it is sleeping" in process.tail()


SET_UP = """
import json, sys
from django.conf import settings
from django.core.management import ManagementUtility
ManagementUtility([sys.argv[0], "version"]).execute()
from django.core.asgi import get_asgi_application
from django.core.cache import caches
from django.db import connections
from django.urls import get_resolver
from channels.layers import channel_layers
from sessions.core.host import process_name
from sessions.eventlog import store

app = get_asgi_application()
names = sorted(name for name in dir(settings) if name.isupper())
print(json.dumps({
    "settings": {name: repr(getattr(settings, name)) for name in names},
    "databases": repr(connections.settings),
    "engine": connections["default"].vendor,
    "caches": repr(caches.settings),
    "layer": type(channel_layers.backends.get("default") or channel_layers["default"]).__name__,
    "addresses": sorted(str(found).split(" at ")[0] for found in get_resolver().reverse_dict),
    "listeners": sorted(str(key) for (key, _), *_ in store.committed.receivers),
    "modules": sorted(name for name in sys.modules if name.startswith("chatproject")),
}))
assert str(__import__("os").getpid()) in process_name()
"""


def is_json(line: str) -> bool:
    return line.startswith("{")


@pytest.mark.parametrize(
    "own",
    [
        {},
        {
            "DATABASE_URL": "postgres://ada:secret@127.0.0.1:1/chat",
            "REDIS_URL": "redis://127.0.0.1:1/0",
            "GRIP_URL": "http://127.0.0.1:1",
            "BASE_PATH": "/chat",
            "CHAT_MAX_WATCHES": "4",
            "DEBUG": "1",
        },
    ],
    ids=["none", "all"],
)
def test_a_warm_process_has_the_settings_of_a_cold_one(tmp_path, own):
    (tmp_path / "set_up.py").write_text(SET_UP)
    shown = []
    for is_warm in (False, True):
        process = Process(
            "set-up",
            [sys.executable, "set_up.py"],
            environment=environment_of(tmp_path) | {"PYTHONPATH": str(ROOT)} | own,
            log=tmp_path / f"set-up-{is_warm}.log",
            folder=tmp_path,
            is_warm=is_warm,
        )
        process.start()
        assert process.finish() == 0, process.said()
        shown.append(json.loads(next(filter(is_json, process.said().splitlines()))))
    cold, warm = shown
    assert warm == cold


def test_a_warm_process_was_set_up_before_it_began(tmp_path):
    (tmp_path / "ready.py").write_text("from django.apps import apps; print(apps.ready)")
    process = Process(
        "ready",
        [sys.executable, "ready.py"],
        environment={},
        log=tmp_path / "log",
        folder=tmp_path,
        is_warm=True,
    )
    process.start()
    assert process.finish() == 0
    assert process.said() == "True\n"


def test_wrong_settings_are_the_programs_affair(tmp_path):
    said = []
    for is_warm in (False, True):
        process = Process(
            "wrong",
            [sys.executable, "manage.py", "version"],
            environment=environment_of(tmp_path) | {"DATABASE_URL": "neither:this"},
            log=tmp_path / f"wrong-{is_warm}.log",
            folder=ROOT,
            is_warm=is_warm,
        )
        process.start()
        assert process.finish() != 0
        said.append(process.said().splitlines()[-1])
    assert said[0] == said[1]
