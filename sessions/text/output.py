r"""The output of a program as a terminal shows it: colours, and lines that are written over. Pure.

Kept are the 16 colours of the foreground and bold, `\r`, `\b` and the erasing of a line. Every
other control is dropped: nothing in an output moves the screen that shows it. The twin of
sessions/static/sessions/log/output.js; tests/golden/output.json holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple, Self

from sessions.text.visible import visible

_COLOURS: Final = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
# A control sequence with its parameters and its final letter, a string for the terminal up to its
# end or the end of the line, another escape, a single control.
_CONTROL: Final = re.compile(
    r"(?:\x1b\[|\x9b)([0-?]*)[ -/]*([@-~])|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]*[0-~]?|[\x00-\x08\x0b-\x1f\x7f-\x9f]|\n"
)
# The beginning of a control at the end of the text.
_UNFINISHED: Final = re.compile(r"(?:(?:\x1b\[|\x9b)[0-?]*[ -/]*|\x1b[ -/]*)\Z")
_SGR: Final = {"bold": "1"} | {
    f"{bright}{name}": f"{base + number}"
    for bright, base in (("", 30), ("bright-", 90))
    for number, name in enumerate(_COLOURS)
}
# The parameters of an extended colour, behind 38 or 48: by number, or by red, green and blue.
_EXTENDED: Final = {"5": 1, "2": 3}


class Span(NamedTuple):
    """A run of characters in one style: words such as `bold red`, or nothing."""

    style: str
    text: str


class Output(str):
    """A text that a program has put out, as it came. before: words in front of its first line."""

    __slots__ = ("before",)
    before: str

    def __new__(cls, text: str, *, before: str = "") -> Self:
        """Return the text with the words in front of it, which it cannot write over."""
        output = super().__new__(cls, text)
        output.before = before
        return output

    def drawn(self, *, has_colours: bool) -> str:
        """Return it for a terminal: every character can be seen, colours are the only controls."""
        return visible(self.before) + "".join(
            _painted(span) if has_colours and span.style else visible(span.text)
            for span in spans(self)
        )


def spans(text: str) -> list[Span]:
    """Return the text as it stands at its end, in runs of one style."""
    screen = _Screen()
    done = 0
    text = _UNFINISHED.sub("", text)
    for control in _CONTROL.finditer(text):
        screen.write(text[done : control.start()])
        screen.obey(control)
        done = control.end()
    screen.write(text[done:])
    screen.end_line()
    return list(_merged(screen.spans))


class _Screen:
    """The lines so far, and the one that is being written."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._characters: list[str] = []
        self._styles: list[str] = []
        self._column = 0
        self._style = ""
        self._is_bold = False
        self._colour = ""

    def write(self, text: str) -> None:
        end = self._column + len(text)
        self._characters[self._column : end] = text
        self._styles[self._column : end] = [self._style] * len(text)
        self._column = end

    def obey(self, control: re.Match[str]) -> None:
        match control.group():
            case "\n":
                self.end_line()
                self.spans.append(Span("", "\n"))
            case "\r":
                self._column = 0
            case "\b":
                self._column = max(0, self._column - 1)
            case _ if control.group(2) == "m":
                self._paint(control.group(1))
            case _ if control.group(2) == "K":
                self._erase(control.group(1))

    def end_line(self) -> None:
        begin = 0
        for end in range(1, len(self._styles) + 1):
            if end == len(self._styles) or self._styles[end] != self._styles[begin]:
                text = "".join(self._characters[begin:end])
                self.spans.append(Span(self._styles[begin], text))
                begin = end
        self._characters, self._styles, self._column = [], [], 0

    def _erase(self, part: str) -> None:
        """Erase to the end of the line, or all of it: then it is written from its beginning."""
        if part == "2":
            self._column = 0
        if part in {"", "0", "2"}:
            del self._characters[self._column :], self._styles[self._column :]

    def _paint(self, parameters: str) -> None:
        codes = iter(re.split("[;:]", parameters))
        for code in codes:
            if code in {"38", "48"}:
                kind = next(codes, "")
                values = [next(codes, "") for _ in range(_EXTENDED.get(kind, 0))]
                if code == "38":
                    self._colour = _named(values[0]) if kind == "5" else ""
            elif code in {"", "0"}:
                self._is_bold, self._colour = False, ""
            elif code in {"1", "22"}:
                self._is_bold = code == "1"
            elif code == "39":
                self._colour = ""
            elif code in _NAMES:
                self._colour = _NAMES[code]
        self._style = " ".join(filter(None, ("bold" if self._is_bold else "", self._colour)))


_NAMES: Final = {code: name for name, code in _SGR.items() if name != "bold"}


def _named(number: str) -> str:
    """Return one of the 16 colours by its number among 256; "" for another one."""
    names = list(_NAMES.values())
    return names[int(number)] if re.fullmatch(r"\d|1[0-5]", number, re.ASCII) else ""


def _merged(found: list[Span]) -> Iterator[Span]:
    """Yield the spans, neighbours of one style as one."""
    style, texts = "", list[str]()
    for span in found:
        if span.style != style and texts:
            yield Span(style, "".join(texts))
            texts = []
        style = span.style
        texts.append(span.text)
    if texts:
        yield Span(style, "".join(texts))


def _painted(span: Span) -> str:
    codes = ";".join(_SGR[word] for word in span.style.split())
    return f"\033[{codes}m{visible(span.text)}\033[0m"
