"""Log lines: one per record, with their facts, without secrets."""

import json
import logging
import sys

import pytest

from chatproject.logs import JsonFormatter, PlainFormatter


def record(message: str = "turn ended", **extra: object) -> logging.LogRecord:
    made = logging.getLogger("sessions.runner").makeRecord(
        "sessions.runner", logging.INFO, __file__, 1, message, (), None, extra=extra
    )
    made.created, made.msecs = 1795420800.123, 123.0
    return made


def test_plain_line_shows_the_facts_behind_the_message() -> None:
    line = PlainFormatter().format(record(session="01J", seq=41))
    assert line == "2026-11-23T08:00:00.123Z INFO sessions.runner: turn ended session=01J seq=41"


def test_json_line_holds_message_and_facts() -> None:
    line = json.loads(JsonFormatter().format(record(session="01J", seq=41)))
    assert line == {
        "ts": "2026-11-23T08:00:00.123Z",
        "level": "INFO",
        "logger": "sessions.runner",
        "message": "turn ended",
        "session": "01J",
        "seq": 41,
    }


@pytest.mark.parametrize("formatter", [PlainFormatter(), JsonFormatter()])
def test_facts_with_the_name_of_a_secret_are_masked(formatter: logging.Formatter) -> None:
    line = formatter.format(record(token="hunter2", userPassword="hunter2", api_key="hunter2"))
    assert "hunter2" not in line
    assert line.count("***") == 3


@pytest.mark.parametrize("formatter", [PlainFormatter(), JsonFormatter()])
def test_objects_in_extra_are_left_out(formatter: logging.Formatter) -> None:
    assert "request" not in formatter.format(record(request=object()))


def test_a_newline_in_a_fact_cannot_forge_a_second_line() -> None:
    line = PlainFormatter().format(record(agent="x\n2026-11-23T08:00:00Z INFO root: forged"))
    assert "\n" not in line


def test_a_newline_in_a_message_cannot_forge_a_second_line() -> None:
    line = PlainFormatter().format(record("x\n2026-11-23T08:00:00Z INFO root: forged"))
    assert "\n" not in line


@pytest.mark.parametrize("formatter", [PlainFormatter(), JsonFormatter()])
@pytest.mark.parametrize(
    ("character", "mark"),
    [
        ("\x1b", "⟨U+001B⟩"),
        ("\r", "⟨U+000D⟩"),
        ("\x7f", "⟨U+007F⟩"),
        ("\x9b", "⟨U+009B⟩"),
        ("\u202e", "⟨U+202E⟩"),
        ("\u2066", "⟨U+2066⟩"),
        ("\ud83d", "⟨U+D83D⟩"),
    ],
)
def test_no_text_of_others_reaches_a_terminal_as_a_control(
    formatter: logging.Formatter, character: str, mark: str
) -> None:
    text = f"{character}[2J"
    try:
        raise ValueError(text)
    except ValueError:
        made = record(f"said {text}", why=text, quoted=f"a {text}")
        made.exc_info = sys.exc_info()
    line = formatter.format(made)
    written = line + "".join(map(str, json.loads(line).values())) if line[0] == "{" else line
    assert character not in written
    line.encode()
    assert line.count("[2J") == 4
    assert line.count(f"{mark}[2J") >= 2


def test_a_traceback_of_the_plain_format_keeps_its_lines() -> None:
    try:
        raise ValueError("broken pipe")
    except ValueError:
        made = record()
        made.exc_info = sys.exc_info()
    assert PlainFormatter().format(made).endswith("\nValueError: broken pipe")


def test_json_fact_cannot_replace_the_level() -> None:
    assert json.loads(JsonFormatter().format(record(level="FORGED")))["level"] == "INFO"


@pytest.mark.parametrize("formatter", [PlainFormatter(), JsonFormatter()])
def test_exception_comes_with_its_traceback(formatter: logging.Formatter) -> None:
    try:
        raise ValueError("broken pipe")
    except ValueError:
        made = record()
        made.exc_info = sys.exc_info()
    assert "ValueError: broken pipe" in formatter.format(made)


@pytest.mark.parametrize("formatter", [PlainFormatter(), JsonFormatter()])
def test_one_time_link_is_masked_wherever_it_stands(formatter: logging.Formatter) -> None:
    path = "/login/once/hunter2-_x"
    made = record(f"Not Found: {path}", path=path, quoted=f'"GET {path}?a=b"')
    try:
        raise ValueError(f"http://127.0.0.1:8000{path}")
    except ValueError:
        made.exc_info = sys.exc_info()
    line = formatter.format(made)
    assert "hunter2" not in line
    assert line.count("/login/once/***") >= 4
    if isinstance(formatter, JsonFormatter):
        assert json.loads(line)["path"] == "/login/once/***"
