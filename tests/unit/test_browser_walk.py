"""The walk through other browsers: its line can be cut, and a step's difference is its result."""

import socket
import threading
from types import SimpleNamespace

import pytest

from lab.browsers import __main__ as walking
from lab.browsers import actions
from lab.browsers.line import Line
from lab.browsers.steps import STEPS, holds
from lab.browsers.tab import TabFailed
from lab.rig.processes import ROOT
from lab.rig.programs import firefox, webkit
from lab.rig.waiting import eventually


@pytest.fixture
def echo_port():
    listener = socket.create_server(("127.0.0.1", 0))

    def echo(browser: socket.socket) -> None:
        with browser:
            while data := browser.recv(1024):
                browser.sendall(data)

    def serve() -> None:
        while True:
            try:
                browser, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=[browser], daemon=True).start()

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.fixture
def line(echo_port):
    line = Line(echo_port)
    yield line
    line.cut()


def connected(line: Line) -> socket.socket:
    port = int(line.url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def test_a_line_passes_on_and_ends_what_is_open_when_it_is_cut(line):
    with connected(line) as browser:
        browser.sendall(b"hello")
        assert browser.recv(5) == b"hello"
        line.cut()
        assert browser.recv(5) == b""


def test_a_cut_line_refuses_and_takes_the_same_port_again(line):
    before = line.url
    line.cut()
    with pytest.raises(ConnectionRefusedError):
        connected(line)
    line.join()
    assert line.url == before
    with connected(line) as browser:
        browser.sendall(b"again")
        assert browser.recv(5) == b"again"


def test_a_line_to_a_server_that_is_away_ends_each_connection():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    line = Line(port)
    try:
        with connected(line) as browser:
            assert browser.recv(1) == b""
    finally:
        line.cut()


def page(*errors: str) -> SimpleNamespace:
    return SimpleNamespace(page=SimpleNamespace(raised=lambda: list(errors)))


def differ(_visit) -> None:
    holds(0, "2 words are missing")


def fail(_visit) -> None:
    raise TabFailed("no such window")


def wait_too_long(_visit) -> None:
    eventually(lambda: False, within_s=0, what="the answer")


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (differ, "2 words are missing"),
        (fail, "no such window"),
        (wait_too_long, "the answer did not happen within 0 s"),
    ],
)
def test_a_step_that_fails_says_why(step, said):
    assert walking._difference(step, page()) == said


def test_an_error_of_a_script_fails_a_step_that_went_well():
    assert walking._difference(lambda _: None, page("x is not a function")) == "x is not a function"
    assert walking._difference(lambda _: None, page()) == ""


def test_enter_is_the_key_and_not_a_character():
    [keyboard] = actions.write("a\n")
    assert [step["value"] for step in keyboard["actions"]] == ["a", "a", "\ue007", "\ue007"]


def test_a_browser_that_is_missing_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert firefox.find() is None
    assert webkit.find() is None
    monkeypatch.setattr("sys.argv", ["walk", "firefox", "webkit"])
    assert walking.main() == 1
    said = capsys.readouterr().err
    assert "apt-get install firefox-esr" in said
    assert "apt-get install webkit2gtk-driver xvfb" in said


def test_the_page_of_the_result_has_every_step():
    text = (ROOT / "docs/lab/browsers.md").read_text("utf-8")
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.count("| ok ") == 3]
    assert rows == list(STEPS)
