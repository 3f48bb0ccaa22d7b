"""An action that a person holds against the rules, before an agent asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser

from sessions.core.errors import InvalidRequest
from sessions.eventlog.shapes import Permission
from sessions.models import Rule, Session
from sessions.rules import rows
from sessions.rules.action import action_of
from sessions.rules.lexer import simple_command
from sessions.rules.matching import choose
from sessions.rules.modes import is_planning
from sessions.workspace import folders

MAX_CHARS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Trial:
    """An action and its chat, or its folder and agent. One of the first three is given."""

    command: str = ""
    path: str = ""
    tool: str = ""
    session_id: UUID | None = None
    folder: str = ""
    agent: str = ""

    def request(self) -> Permission:
        """Return the request that an agent would make of it."""
        kind, told = self._told()
        return {
            "permId": "",
            "toolName": self.tool or kind,
            "title": "",
            "input": told,
            "options": [],
            "expiresAt": "",
            "toolId": None,
            "toolKind": kind,
            "digest": None,
            "seq": 0,
        }

    def _told(self) -> tuple[str, dict[str, Any]]:
        if self.command:
            return "execute", {"command": self.command}
        return ("edit", {"path": self.path}) if self.path else ("other", {"tool": self.tool})


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of the rules; is_plain: a rule that allows could be about the action."""

    effect: Literal["allow", "ask", "deny"]
    rule: Rule | None
    is_plain: bool


def answer(user: AbstractBaseUser, trial: Trial) -> Found:
    """Return the answer of a user's rules. Raises InvalidRequest, UnknownSession, FolderRefused."""
    if not (trial.command or trial.path or trial.tool):
        raise InvalidRequest("Name a command, a path or a tool.", field="command")
    chat = Session.objects.find(user, trial.session_id) if trial.session_id else None
    folder = _folder(trial, chat)
    agent = chat.agent if chat else trial.agent
    own = rows.of_chat(user.pk, session_id=chat.pk if chat else None, folder=folder, agent=agent)
    # Without a folder no path is inside of one.
    base = folder or Path("/nonexistent")
    may_allow = not (chat and is_planning(chat))
    found = choose(own, action_of(trial.request()), base, may_allow=may_allow)
    is_plain = not trial.command or simple_command(trial.command) is not None
    if found is None:
        return Found("ask", None, is_plain)
    effect = cast('Literal["allow", "ask", "deny"]', found.effect)
    return Found(effect, rows.of_user(user).filter(pk=found.number).first(), is_plain)


def _folder(trial: Trial, chat: Session | None) -> Path | None:
    if chat is not None:
        return Path(chat.cwd) if chat.cwd else folders.own_folder(chat.pk)
    return folders.check(trial.folder) if trial.folder else None
