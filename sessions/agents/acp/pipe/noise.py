"""Lines that are no messages: forgiven at the rate at which programs chatter, a flood is not.

Libraries greet, warn, and set the title of a terminal on the stdout of an agent. None of it is a
reason to end a turn.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final

# A burst that a progress bar or a stack trace may be, and the rate at which it is forgiven.
BURST_LINES: Final = 500
LINES_PER_S: Final = 50
# A longer line counts as several.
LINE_BYTES: Final = 8 * 1024
SHOWN_CHARS: Final = 120

_LOOKED_AT: Final = 4096
# Bell, backspace, tab, line ends of all kinds, escape: text for terminals has them.
_TEXT_CONTROLS: Final = frozenset("\a\b\t\n\v\f\r\x1b")
# As in `file` and perl's -T: text has fewer odd characters than that.
_ODD_SHARE: Final = 0.3
_ESCAPES: Final = re.compile(
    rb"\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # OSC: titles, links, the clipboard
    rb"|\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    rb"|\x1b[ -/]*[0-Z\\^-~]"  # other escapes
    rb"|[\x00-\x08\x0b-\x1f\x7f]"
    rb"|^\xef\xbb\xbf"  # a byte order mark, which some runtimes write first
)


class Flood(Exception):
    """More than noise; the text describes it."""


class Noise:
    """The noise of one agent. Raises Flood for binary data and for too much at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at = clock()
        self._room = float(BURST_LINES)

    def forgive(self, line: bytes) -> None:
        """Count a line that is not a message."""
        if is_binary(line):
            raise Flood("binary data where a message belongs")
        now = self._clock()
        self._room = min(BURST_LINES, self._room + (now - self._at) * LINES_PER_S)
        self._at = now
        self._room -= 1 + len(line) // LINE_BYTES
        if self._room < 0:
            shown = line[:SHOWN_CHARS].decode("utf-8", "replace")
            raise Flood(f"a flood of text where messages belong: {shown!r}")


def is_binary(line: bytes) -> bool:
    """Return whether a line is no text in any usual encoding, by its beginning."""
    text = line[:_LOOKED_AT].decode("utf-8", "replace")
    odd = sum(char == "\ufffd" or (char < " " and char not in _TEXT_CONTROLS) for char in text)
    return odd > _ODD_SHARE * len(text)


def without_noise(line: bytes) -> bytes:
    """Return a line without escapes and byte order marks, which may stand before a message."""
    return _ESCAPES.sub(b"", line)
