"""The pattern that a person is offered for "always allow": narrow, to be widened by hand."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser

from sessions.core.errors import InvalidRequest, UnknownPermission
from sessions.eventlog import projection
from sessions.models import Session
from sessions.rules import patterns
from sessions.rules.action import Action, action_of
from sessions.rules.matching import Effect, Kind, RuleText, Scope, choose
from sessions.rules.places import inside
from sessions.workspace import folders

NOT_PLAIN: Final = "No rule can allow this: it is not one simple command of plain words."
NOT_KNOWN: Final = "No rule can allow this: not all of it is understood."
# A word that names a part of a program, such as the `run` of `npm run build`.
_SUBCOMMAND: Final = re.compile(r"[a-z][a-z0-9:-]*")
MAX_SUBCOMMANDS: Final = 2


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A kind and a pattern; where no rule can allow the action, a sentence that says so."""

    kind: str = ""
    pattern: str = ""
    sentence: str = ""


def suggestion(user: AbstractBaseUser, session_id: UUID, perm_id: str) -> Suggestion:
    """Return the suggestion for an open request. Raises UnknownSession, UnknownPermission."""
    session = Session.objects.find(user, session_id)
    asked = {one["permId"]: one for one in projection.head_of(session)["permissions"]}
    if perm_id not in asked:
        raise UnknownPermission(permId=perm_id)
    action = action_of(asked[perm_id])
    folder = Path(session.cwd) if session.cwd else folders.own_folder(session.pk)
    kind, pattern = _pattern(action, folder)
    if pattern and _allows(kind, pattern, action, folder):
        return Suggestion(kind, pattern)
    return Suggestion(sentence=NOT_PLAIN if action.runs_commands else NOT_KNOWN)


def _pattern(action: Action, folder: Path) -> tuple[str, str]:
    if action.command is not None:
        return Kind.COMMAND, _words(action.command)
    if action.files is not None:
        return Kind.PATH, _glob(action.files, folder)
    return (Kind.MCP, action.mcp) if action.mcp else (Kind.TOOL, action.tool)


def _words(command: tuple[str, ...]) -> str:
    """Return the program with its subcommands; without any, all words."""
    named = 1
    while named <= min(MAX_SUBCOMMANDS, len(command) - 1) and _SUBCOMMAND.fullmatch(command[named]):
        named += 1
    return " ".join(command[:named] if named > 1 else command)


def _glob(files: tuple[str, ...], folder: Path) -> str:
    """Return the one file, or the folder that all of them are in."""
    found = [inside(path, folder, folder) for path in files]
    named = sorted({str(path) for path in found if path is not None})
    if len(named) == 1:
        return named[0]
    common = os.path.commonpath(named) if named else ""
    return f"{common}/**" if common else "**"


def _allows(kind: str, pattern: str, action: Action, folder: Path) -> bool:
    try:
        checked = patterns.checked(kind, Effect.ALLOW, pattern)
    except InvalidRequest:
        return False
    rule = RuleText(0, Scope.CHAT, Effect.ALLOW, kind, checked)
    return choose([rule], action, folder) is not None
