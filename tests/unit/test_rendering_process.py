"""The rendering process: a deadline and a memory for each text, and a turn that never fails."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from sessions.text import growing, process
from sessions.text.process import NotRendered, RenderingProcess
from sessions.text.rendering import SMALL_CHARS, Rendering, is_small, seconds_of_sessions
from tests.support.server import ROOT, eventually

LONG = "Some *words* and `code`.\n\n" * 40


@pytest.fixture
def renderer() -> Iterator[RenderingProcess]:
    made = RenderingProcess()
    yield made
    made.close()


def test_the_process_renders_as_the_thread_does(renderer):
    for text in (LONG, "```python\nprint(1)\n```\n" + LONG, "half \ud83d" + LONG, ""):
        assert renderer.render(text) == growing.render(text)
    assert renderer.pid != os.getpid()


def test_a_text_past_its_deadline_is_refused_and_the_next_one_rendered(renderer, settings):
    settings.CHAT = {"RENDER_TIMEOUT_S": "0.3"}
    assert renderer.render(LONG)
    first = psutil.Process(renderer.pid)
    first.suspend()  # it takes no time of the processor: the patience ends it
    began = time.monotonic()
    with pytest.raises(NotRendered, match="deadline"):
        renderer.render(LONG)
    assert time.monotonic() - began < 10
    assert not first.is_running() or first.status() == psutil.STATUS_ZOMBIE
    assert renderer.render(LONG) == growing.render(LONG)
    assert renderer.pid != first.pid


SLOW = """
import sys
from sessions.text import growing, worker
def slow(text):
    while "loop" in text:
        pass
    if "memory" in text:
        return "x" * len(bytearray(10**12))
    if "die" in text:
        raise SystemExit
    return "fine"
growing.render = slow
worker.main(float(sys.argv[1]), int(sys.argv[2]))
"""


@pytest.fixture
def hostile(renderer, monkeypatch) -> RenderingProcess:
    """A process whose parser can be kept busy."""
    real = subprocess.Popen

    def start(command, **options):
        return real([sys.executable, "-c", SLOW, *command[-2:]], **options)

    monkeypatch.setattr(process.subprocess, "Popen", start)
    return renderer


@pytest.mark.parametrize("fault", ["loop", "memory", "die"])
def test_a_text_that_breaks_the_process_costs_itself_alone(hostile, settings, fault):
    settings.CHAT = {"RENDER_TIMEOUT_S": "0.3"}
    before = hostile.clock()
    with pytest.raises(NotRendered):
        hostile.render(fault)
    assert hostile.clock() - before >= 0.3, "it is charged"
    assert hostile.render("other") == "fine"


def test_a_turn_goes_on_with_plain_text_and_is_charged(hostile, settings):
    settings.CHAT = {"RENDER_TIMEOUT_S": "0.3"}
    turn = Rendering(hostile.render, clock=hostile.clock, budget_s=1.0)
    assert turn.html("one") == "fine"
    assert [turn.html("loop") for _ in range(4)] == [None] * 4
    assert turn.html("two") is None, "its budget is over"
    assert Rendering(hostile.render, clock=hostile.clock).html("two") == "fine"


def test_the_kernel_ends_a_process_whose_parent_is_gone():
    """Without a parent to kill it, the processor's time does."""
    child = subprocess.Popen(
        [sys.executable, "-c", SLOW, "0.2", "1000000000"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdin is not None
    child.stdin.write(b"\0\0\0\4loop")
    child.stdin.close()
    assert child.wait(60) == -signal.SIGXCPU


def test_a_process_ends_with_its_input(renderer):
    renderer.render(LONG)
    running = renderer._process
    assert running is not None
    assert running.stdin is not None
    running.stdin.close()
    assert running.wait(20) == 0


def test_a_killed_process_is_started_again(renderer):
    renderer.render(LONG)
    os.kill(renderer.pid, signal.SIGKILL)
    running = renderer._process
    eventually(lambda: running.poll() is not None, within_s=10, what="its end")
    assert renderer.render(LONG) == growing.render(LONG)


def test_without_a_process_a_thread_renders(renderer, monkeypatch):
    def fails(*_args, **_options):
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as broken:
        broken.setattr(process.subprocess, "Popen", fails)
        assert renderer.render(LONG) == growing.render(LONG)
        assert renderer.pid is None
    # It is not tried again at once.
    assert renderer.render(LONG) == growing.render(LONG)
    assert renderer.pid is None
    monkeypatch.setattr(process, "REST_S", 0.0)
    renderer._rests_until = 0.0
    assert renderer.render(LONG) == growing.render(LONG)
    assert renderer.pid is not None


def test_many_threads_share_it_and_the_queue_is_bounded(renderer, monkeypatch):
    texts = [f"Number *{n}*. {LONG}" for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(renderer.render, texts)] == [*map(growing.render, texts)]
    monkeypatch.setattr(process, "MAX_WAITING", 0)
    with pytest.raises(NotRendered, match="wait"):
        renderer.render(LONG)


def test_secrets_of_the_server_are_not_in_its_environment(renderer, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "very secret")
    renderer.render(LONG)
    # As root; for others it is closed.
    assert set(psutil.Process(renderer.pid).environ()) <= {"PATH", "PYTHONPATH", "LC_ALL"}


def test_a_session_has_a_budget_for_each_minute(settings):
    settings.CHAT = {"RENDER_S_PER_MINUTE": "2"}
    now = 0.0

    def slow(_text: str) -> str:
        nonlocal now
        now += 1.5
        return "html"

    def turn(session: str) -> Rendering:
        return Rendering(slow, clock=lambda: now, session=session)

    assert [turn("one").html("text") for _ in range(4)] == ["html", "html", None, None]
    assert turn("two").html("text") == "html"
    seconds_of_sessions._buckets["one"].at -= 61
    assert turn("one").html("text") == "html"


def test_small_texts_stay_here():
    assert is_small("A *short* text.")
    assert not is_small("x" * (SMALL_CHARS + 1))
    assert not is_small("```python\n```")


@pytest.mark.parametrize("language", ["python", "html", "bash", "yaml", "php"])
def test_a_fence_of_blank_lines_is_within_the_deadline(renderer, language):
    before = renderer.clock()
    assert renderer.render(f"```{language}\n" + "\n" * 2990 + "```\n")
    assert renderer.clock() - before < 2
