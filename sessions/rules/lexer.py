"""The words of a command line: read strictly to allow it, loosely to deny it. Pure.

A rule that allows must never be fooled, so a line has words only where every shell would read the
same ones: one simple command of plain ASCII words. A rule that denies looks at every word that a
shell could take for a command.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

MAX_LINE_CHARS: Final = 4_000
# The characters that no shell gives a meaning; a quoted word may hold spaces besides.
_PLAIN: Final = r"[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+=:,./-]*"
_QUOTED: Final = r"'[A-Za-z0-9_@%+=:,./ -]*'|\"[A-Za-z0-9_@%+=:,./ -]*\""
_WORD: Final = re.compile(f"{_PLAIN}|{_QUOTED}")
_SIMPLE: Final = re.compile(f"{_PLAIN}(?: +(?:{_PLAIN}|{_QUOTED}))*")
# A shell takes them for something else than the name of a command.
_KEYWORDS: Final = frozenset(
    {
        *("if", "then", "elif", "else", "fi", "case", "in", "esac", "for", "select", "while"),
        *("until", "do", "done", "function", "coproc"),
    }
)
# They run their arguments as a command, some with the rights of another user.
_RUNNERS: Final = frozenset(
    {
        *("sudo", "doas", "su", "pkexec", "run0", "runuser", "setpriv", "chroot", "unshare"),
        *("nsenter", "bwrap", "systemd-run", "at", "batch", "crontab", "ssh", "flock"),
        *("eval", "exec", "command", "builtin", "source", ".", "trap", "alias", "env", "nohup"),
        *("time", "timeout", "nice", "ionice", "chrt", "taskset", "setsid", "stdbuf", "strace"),
        *("ltrace", "gdb", "xargs", "parallel", "watch", "entr", "script", "expect"),
        *("sh", "bash", "dash", "zsh", "ksh", "fish", "csh", "tcsh", "ash", "busybox", "toybox"),
        *("pwsh", "powershell", "cmd"),
    }
)
_SEPARATORS: Final = re.compile(r"[\s;&|()<>{}`$!]+")
_QUOTES: Final = re.compile(r"[\"'\\]")
# Shells that are given a whole line, as codex and others call them.
_SHELLS: Final = frozenset({"sh", "bash", "zsh", "dash"})
_LINE_FLAGS: Final = frozenset({"-c", "-lc"})


@dataclass(frozen=True)
class Line:
    """A text that may be a command line. simple: its words, where it is one simple command."""

    simple: tuple[str, ...] | None
    loose: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Line:
        """Return a text read both ways."""
        return cls(simple_command(text), loose_words(text))

    def may_run(self, wanted: tuple[str, ...]) -> bool:
        """Return whether one of its commands may be the wanted one, arguments between or not.

        wanted: in small letters.
        """
        if not self._known.issuperset(wanted):
            return False
        if self.simple is None:
            return _in_order(wanted, self._named)
        return not wanted or (
            wanted[0] in self._named[0] and _in_order(wanted[1:], self._named[1:])
        )

    @cached_property
    def _named(self) -> list[tuple[str, str]]:
        """Each word under both names that a rule may have for it."""
        words = self.loose if self.simple is None else self.simple
        return [(word.casefold(), _base(word)) for word in words]

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(name for names in self._named for name in names)


def simple_command(line: str) -> tuple[str, ...] | None:
    """Return the words of a line that is one simple command of plain words, else None."""
    if len(line) > MAX_LINE_CHARS or not _SIMPLE.fullmatch(line.strip(" ")):
        return None
    words = tuple(word.strip("'\"") for word in _WORD.findall(line))
    return words if _is_command(words[0]) else None


def argument_line(arguments: list[str]) -> str | None:
    """Return the line that an argument list runs, None where no line says the same."""
    if len(arguments) == 3 and _base(arguments[0]) in _SHELLS and arguments[1] in _LINE_FLAGS:
        return arguments[2]
    words = [f"'{word}'" if " " in word or not word else word for word in arguments]
    line = " ".join(words)
    return line if simple_command(line) == tuple(arguments) else None


def runs_another(words: tuple[str, ...]) -> bool:
    """Return whether the first word of a command runs the others."""
    return bool(words) and _base(words[0]) in _RUNNERS


def loose_words(line: str) -> tuple[str, ...]:
    """Return every word of a line that a shell could see, without quotes and hidden characters."""
    shown = "".join(_seen(char) for char in unicodedata.normalize("NFKC", line))
    return tuple(_SEPARATORS.sub(" ", _QUOTES.sub("", shown)).split())


def _in_order(wanted: Sequence[str], words: Sequence[tuple[str, str]]) -> bool:
    rest = iter(words)
    return all(any(word in names for names in rest) for word in wanted)


def _is_command(word: str) -> bool:
    return "=" not in word and word not in _KEYWORDS and not runs_another((word,))


def _seen(char: str) -> str:
    if char.isspace() or char == "\x00":
        return " "
    return "" if unicodedata.category(char) in ("Cc", "Cf", "Cs") else char


def _base(word: str) -> str:
    return word.rstrip("/").rpartition("/")[2].casefold()
