"""The rows of rules: made, listed, removed; each read begins with the owner."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Q, QuerySet

from sessions.agents import registry
from sessions.core.errors import InvalidRequest, TooManyRules, UnknownRule
from sessions.core.source import Source
from sessions.models import Rule, Session
from sessions.rules import patterns
from sessions.rules.matching import RuleText, Scope
from sessions.trail.record import NOWHERE, Act, record
from sessions.workspace import folders

# Each is looked at for each permission request of its owner.
MAX_RULES: Final = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """A rule to make. session_id names the chat, or the chat whose folder or agent is meant."""

    scope: str
    effect: str
    kind: str
    pattern: str
    session_id: UUID | None = None
    folder: str = ""
    agent: str = ""


def make(user: AbstractBaseUser, wanted: Wanted, *, source: Source = NOWHERE) -> Rule:
    """Store a rule, or return the one that says the same.

    Raises InvalidRequest, UnknownSession, UnknownAgent, FolderRefused, TooManyRules.
    """
    pattern = patterns.checked(wanted.kind, wanted.effect, wanted.pattern)
    place = _place(user, wanted)
    said = {"scope": wanted.scope, "effect": wanted.effect, "kind": wanted.kind, "pattern": pattern}
    with transaction.atomic():
        # The rows of one user at a time: the bound holds for requests at once.
        get_user_model().objects.select_for_update(no_key=True).get(pk=user.pk)
        known = Rule.objects.filter(owner_id=user.pk, **said, **place).first()
        if known is not None:
            return known
        if Rule.objects.filter(owner_id=user.pk).count() >= MAX_RULES:
            raise TooManyRules
        made = Rule.objects.create(owner_id=user.pk, **said, **place)
        _record(Act.RULE_MADE, user, made, source)
    return made


def of_user(user: AbstractBaseUser) -> QuerySet[Rule]:
    """Return the rules of a user, the youngest first."""
    return Rule.objects.filter(owner_id=user.pk).order_by("-pk")


def remove(user: AbstractBaseUser, number: int, *, source: Source = NOWHERE) -> None:
    """Remove a rule of a user. Raises UnknownRule, for another's too."""
    with transaction.atomic():
        found = Rule.objects.filter(owner_id=user.pk, pk=number).first()
        if found is None:
            raise UnknownRule
        _record(Act.RULE_REMOVED, user, found, source)
        found.delete()


def of_chat(
    owner_id: int, *, session_id: UUID | None, folder: Path | None, agent: str
) -> list[RuleText]:
    """Return the rules of a user that are for a chat. One query."""
    applies = Q(scope=Scope.EVERYWHERE) | Q(scope=Scope.AGENT, agent=agent)
    if session_id is not None:
        applies |= Q(scope=Scope.CHAT, session_id=session_id)
    if folder is not None:
        above = [str(folder), *(str(each) for each in folder.parents)]
        applies |= Q(scope=Scope.PROJECT, folder__in=above)
    rows = Rule.objects.filter(applies, owner_id=owner_id).order_by("pk")
    return [
        RuleText(row.pk, row.scope, row.effect, row.kind, row.pattern, row.folder) for row in rows
    ]


def _place(user: AbstractBaseUser, wanted: Wanted) -> dict[str, object]:
    """Return the columns that say for which chats a rule is."""
    scope = wanted.scope
    chat = Session.objects.find(user, wanted.session_id) if wanted.session_id else None
    session, folder, agent = None, "", ""
    if scope == Scope.CHAT:
        session = chat or _missing("sessionId", "A rule for a chat names it.")
    elif scope == Scope.PROJECT:
        named = wanted.folder or (chat.cwd if chat else "")
        named = named or _missing("folder", "A rule for a project names its folder.")
        folder = named if chat and named == chat.cwd else str(folders.check(named))
    elif scope == Scope.AGENT:
        named = wanted.agent or (chat.agent if chat else "")
        agent = registry.check(named or _missing("agent", "A rule for an agent names it."))
    return {"session": session, "folder": folder, "agent": agent}


def _missing(field: str, sentence: str) -> str:
    raise InvalidRequest(sentence, field=field)


def _record(act: Act, user: AbstractBaseUser, rule: Rule, source: Source) -> None:
    record(
        act,
        who=user.get_username(),
        about=f"rule:{rule.pk}",
        source=source,
        scope=rule.scope,
        effect=rule.effect,
        kind=rule.kind,
        pattern=rule.pattern,
    )
