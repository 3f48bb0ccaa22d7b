"""The patterns that a rule may be made with."""

from __future__ import annotations

import re
from typing import Final

from sessions.core.errors import InvalidRequest
from sessions.rules.lexer import runs_another, simple_command
from sessions.rules.matching import Effect, Kind, command_words

MAX_CHARS: Final = 300
_NAME: Final = re.compile(r"[\w.*?:@/ -]+")


def checked(kind: str, effect: str, pattern: str) -> str:
    """Return a pattern as it is stored. Raises InvalidRequest with the reason."""
    pattern = " ".join(pattern.split(" ")).strip(" ")
    if not pattern or len(pattern) > MAX_CHARS or not pattern.isprintable():
        raise _refused(f"A pattern has 1 to {MAX_CHARS} visible characters.")
    if kind == Kind.COMMAND:
        return _command(pattern, effect)
    return _path(pattern, effect) if kind == Kind.PATH else _tool(pattern)


def _command(pattern: str, effect: str) -> str:
    words = command_words(pattern)
    if effect != Effect.ALLOW:
        return " ".join((*words, "*")) if not words else " ".join(words)
    if not words:
        raise _refused("A rule that allows names at least the first word of a command.")
    if runs_another(words):
        raise _refused(f"{words[0]} runs other commands: no rule can allow it.")
    if simple_command(pattern) is None and simple_command(" ".join(words)) is None:
        raise _refused("A rule allows one command of plain words, without signs of the shell.")
    if any(word.startswith(("'", '"')) for word in words):
        raise _refused("A rule that allows has no quotes.")
    return " ".join(words)


def _path(pattern: str, effect: str) -> str:
    if ".." in pattern.split("/") or "\\" in pattern:
        raise _refused("A path has no .. and no backslash.")
    if pattern.startswith("~"):
        raise _refused("A path begins in the chat's folder, not with ~.")
    if effect == Effect.ALLOW and pattern.startswith("/"):
        raise _refused("A rule allows paths inside the chat's folder: leave the first / out.")
    return pattern.removeprefix("./") or "**"


def _tool(pattern: str) -> str:
    if not _NAME.fullmatch(pattern) or not pattern.isascii():
        raise _refused("The name of a tool has ASCII letters, digits and . - _ : / @ * ? alone.")
    return pattern


def _refused(sentence: str) -> InvalidRequest:
    return InvalidRequest(sentence, field="pattern")
