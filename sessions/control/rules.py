"""Answering permission requests by the rules of the session's owner."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from django.db import transaction

from sessions.control import lifecycle
from sessions.control.permissions import open_requests
from sessions.core.source import Source
from sessions.eventlog import drafts, store
from sessions.eventlog.events import Resolution
from sessions.eventlog.lease import Lease
from sessions.eventlog.shapes import Option, Permission
from sessions.models import MAX_TITLE_CHARS, Rule, Session
from sessions.rules import rows
from sessions.rules.action import action_of
from sessions.rules.matching import Effect, RuleText, choose
from sessions.rules.modes import is_planning
from sessions.text.asking import one_line
from sessions.trail.record import Act, record
from sessions.workspace import folders

# The kind of the notice in the transcript.
BY_RULE: Final = "rule"
_DONE: Final = {Effect.ALLOW: "Allowed", Effect.DENY: "Denied"}
# An answer that the agent remembers would outlive the rule: it is the last choice.
_KINDS: Final = {Effect.ALLOW: ("allow_once",), Effect.DENY: ("reject_once", "reject_always")}


def answer_by_rule(lease: Lease, perm_id: str, *, mode: str | None) -> bool:
    """Resolve a request as a rule says; return False where it is left to a person.

    mode: the agent's own. The rule is looked for before the session is locked, and must still be
    there afterwards.
    """
    session = Session.objects.select_related("owner").get(pk=lease.session_id)
    request = open_requests(session).get(perm_id)
    rule = _rule_for(session, request, mode) if request else None
    option = _option(rule, request) if rule and request else None
    if rule is None or request is None or option is None:
        return False
    with transaction.atomic():
        locked = lifecycle.locked(lease.session_id)
        is_widened = rule.effect == Effect.ALLOW and is_planning(locked)
        if is_widened or perm_id not in open_requests(locked) or not _is_there(rule):
            return False
        _append(lease, request, option, rule)
        _record(session, request, option, rule)
    return True


def _rule_for(session: Session, request: Permission, mode: str | None) -> RuleText | None:
    folder = Path(session.cwd) if session.cwd else folders.own_folder(session.pk)
    own = rows.of_chat(session.owner_id, session_id=session.pk, folder=folder, agent=session.agent)
    may_allow = not is_planning(session, mode)
    return choose(own, action_of(request), folder, may_allow=may_allow) if own else None


def _option(rule: RuleText, request: Permission) -> Option | None:
    """Return the option that a rule chooses; None where two say the same, or none does."""
    for kind in _KINDS.get(Effect(rule.effect), ()):
        found = [option for option in request["options"] if option["kind"] == kind]
        if found:
            is_clear = len(found) == 1 or rule.effect == Effect.DENY
            return found[0] if is_clear else None
    return None


def _is_there(rule: RuleText) -> bool:
    return Rule.objects.filter(pk=rule.number).exists()


def _append(lease: Lease, request: Permission, option: Option, rule: RuleText) -> None:
    resolved = drafts.permission_resolved(
        perm_id=request["permId"],
        decision=option["id"],
        by=rule.name,
        reason=Resolution.ANSWERED,
        digest=request["digest"],
    )
    told = drafts.notice(kind=BY_RULE, text=_sentence(request, rule))
    store.append(lease.session_id, [resolved, told], lease=lease)


def _sentence(request: Permission, rule: RuleText) -> str:
    """Return the line of the transcript; every character of the agent's title can be seen."""
    done = _DONE[Effect(rule.effect)]
    action = one_line(request["title"] or request["toolName"])[:MAX_TITLE_CHARS]
    return f"{done} by a rule ({rule.name}, {rule.kind} {rule.pattern}): {action}"


def _record(session: Session, request: Permission, option: Option, rule: RuleText) -> None:
    record(
        Act.DECISION,
        who=session.owner.get_username(),
        about=f"session:{session.pk} request:{request['permId']}",
        source=Source(credential=rule.name),
        decision=option["id"],
        kind=option["kind"],
        digest=request["digest"],
    )
