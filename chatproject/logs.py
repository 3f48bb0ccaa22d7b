"""Log lines: a constant message and its facts, as plain text or as JSON; never a secret.

Agents and strangers choose a part of the text, and a person reads it in a terminal. So each
character that hides, moves the cursor or changes the order of the words is shown as a mark.
"""

import json
import logging
import re
import time
from typing import Final

from sessions.text.visible import visible

# The attributes of every record; all others came in through `extra`.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
# Loggers of libraries put whole objects in extra; facts are plain values.
_PLAIN_TYPES: Final = (str, int, float, bool, type(None))
_SECRET_WORDS: Final = ("token", "secret", "password", "authorization", "cookie", "api_key")
_MASK: Final = "***"
# The one address that is a secret itself: its first user is logged in.
_LINK: Final = re.compile(r"(/login/once/)[^\s\"'<>?#&]+")


def masked(text: str) -> str:
    """Return the text with its one-time links made useless."""
    return _LINK.sub(rf"\1{_MASK}", text)


def facts(record: logging.LogRecord) -> dict[str, object]:
    """Return the record's extra facts, plain values only, secrets masked by their names."""
    return {
        name: _MASK if any(word in name.lower() for word in _SECRET_WORDS) else value
        for name, value in vars(record).items()
        if name not in _STANDARD and isinstance(value, _PLAIN_TYPES)
    }


class PlainFormatter(logging.Formatter):
    """`2026-11-23T08:00:00.123Z INFO sessions.runner: turn ended session=… seq=41`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 (logging's name)
        """Return UTC, to the millisecond, in the form that the events' ts has."""
        return _utc(record, datefmt)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the traceback below it."""
        return masked(visible(super().format(record)))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        """Return the line; facts come behind the message, before any traceback."""
        # One record is one line: a newline inside of it could forge the next record.
        message = super().formatMessage(record).replace("\n", "⟨U+000A⟩")
        shown = (f"{name}={_one_line(value)}" for name, value in facts(record).items())
        return " ".join((message, *shown))


class JsonFormatter(logging.Formatter):
    """One JSON object per line: ts, level, logger, message, the facts, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line: dict[str, object] = {
            "ts": _utc(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update((name, value) for name, value in facts(record).items() if name not in line)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        seen = {name: visible(v) if isinstance(v, str) else v for name, v in line.items()}
        return masked(json.dumps(seen, ensure_ascii=False))


class WithoutTraceback(logging.Filter):
    """Keeps the message alone, of records that any stranger can cause."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop the traceback and keep the record."""
        record.exc_info = record.exc_text = None
        return True


class ShortWarnings(WithoutTraceback):
    """Keeps the message alone of warnings: requests that cannot be read, and no failures."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop the traceback of a warning and keep the record."""
        return record.levelno >= logging.ERROR or super().filter(record)


def _utc(record: logging.LogRecord, datefmt: str | None = None) -> str:
    moment = time.gmtime(record.created)
    if datefmt:
        return time.strftime(datefmt, moment)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', moment)}.{int(record.msecs):03d}Z"


def _one_line(value: object) -> str:
    text = str(value)
    needs_quotes = not text or set(text) & set(' \n\r\t"=')
    return json.dumps(text, ensure_ascii=False) if needs_quotes else text
