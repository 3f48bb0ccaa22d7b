"""The page of an account's rules: a list, a trial, a form, and a way to delete each."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from sessions.access.acts.log_ins import source_of
from sessions.access.login.confirmation import asked_for_factor, confirmed
from sessions.agents import registry
from sessions.core.errors import ChatError, UnknownRule
from sessions.models import Session
from sessions.rules import rows, trying
from sessions.rules.matching import Kind, Scope
from sessions.text.visible import visible
from sessions.workspace import folders

MAX_CHATS: Final = 50
KINDS: Final = ("command", "path", "tool")
# A rule that allows begins with a request: its pattern is seen beside the action.
EFFECTS: Final = ("deny", "ask")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def page(request: Any) -> HttpResponse:
    """Show the rules; a POST holds an action against them."""
    asked = asked_for_factor(request)
    if asked:
        return asked
    tried = _tried(request.user, request.POST) if request.method == "POST" else {}
    return _page(request, tried)


@require_POST
@login_required
@confirmed
def add(request: Any) -> HttpResponse:
    """Add a rule that denies or asks; a refused one is shown again with the reason."""
    form = request.POST
    given = {name: form.get(name, "") for name in ("effect", "kind", "pattern", "place")}
    try:
        rows.make(request.user, _wanted(given), source=source_of(request))
    except (ChatError, ValueError) as exc:
        why = str(exc) if isinstance(exc, ChatError) else "No such rule can be made."
        return _page(request, {"made": given, "refusal": why})
    return HttpResponseRedirect(reverse("account-rules"))


@require_POST
@login_required
@confirmed
def remove(request: Any) -> HttpResponse:
    """Delete a rule; one that is gone already is fine."""
    number = request.POST.get("rule", "")
    if number.isascii() and number.isdecimal() and len(number) < 19:
        with suppress(UnknownRule):
            rows.remove(request.user, int(number), source=source_of(request))
    return HttpResponseRedirect(reverse("account-rules"))


def _page(request: Any, more: dict[str, Any]) -> HttpResponse:
    user: User = request.user
    chats = Session.objects.visible_to(user).filter(archived_at=None).only("id", "title", "cwd")
    recent = list(chats[:MAX_CHATS])
    named = {chat.cwd for chat in recent if chat.cwd != str(folders.own_folder(chat.pk))} - {""}
    context = {
        "rules": [_shown(rule) for rule in rows.of_user(user).select_related("session")],
        "chats": [(str(chat.pk), visible(chat.title or "Chat")) for chat in recent],
        "folders": [(folder, visible(folder)) for folder in sorted(named)],
        "agents": [(spec.name, spec.label) for spec in registry.available()],
        "kinds": KINDS,
        "rule_kinds": tuple(kind.value for kind in Kind),
        "effects": EFFECTS,
        **more,
    }
    return render(request, "account/rules.html", context)


def _wanted(given: dict[str, str]) -> rows.Wanted:
    """Return the rule of a form. Raises ValueError where the form is none of this page."""
    scope, _, name = given["place"].partition(":")
    if given["effect"] not in EFFECTS:
        raise ValueError(given["effect"])
    said = (Scope(scope).value, given["effect"], Kind(given["kind"]).value, given["pattern"])
    session_id = UUID(name) if scope == Scope.CHAT else None
    folder = name if scope == Scope.PROJECT else ""
    return rows.Wanted(*said, session_id, folder, name if scope == Scope.AGENT else "")


def _tried(user: User, form: Any) -> dict[str, Any]:
    """Return an action of the form, and the answer of the rules or the reason for none."""
    action, kind = form.get("action", ""), form.get("kind", KINDS[0])
    given = {"action": action, "kind": kind, "chat": form.get("chat", "")}
    if len(action) > trying.MAX_CHARS or kind not in KINDS:
        return {**given, "problem": "This cannot be tried."}
    try:
        session_id = UUID(given["chat"]) if given["chat"] else None
        trial = trying.Trial(**{kind: action}, session_id=session_id)
        found = trying.answer(user, trial)
    except (ChatError, ValueError) as exc:
        return {**given, "problem": str(exc) if isinstance(exc, ChatError) else "No such chat."}
    return {**given, "found": found, "rule": _shown(found.rule) if found.rule else None}


def _shown(rule: Any) -> dict[str, Any]:
    """Return a rule for the page; every character of it can be seen."""
    places = {
        "chat": visible(rule.session.title or "a chat") if rule.session else "a chat",
        "project": visible(rule.folder),
        "agent": rule.agent,
        "everywhere": "everywhere",
    }
    return {
        "id": rule.pk,
        "effect": rule.effect,
        "kind": rule.kind,
        "pattern": visible(rule.pattern),
        "scope": rule.scope,
        "place": places[rule.scope],
        "created_at": rule.created_at,
    }
