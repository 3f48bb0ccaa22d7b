"""The page of the agents, for staff: their versions and states, a trial, agents that are added."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import Any, Final

from asgiref.sync import async_to_sync
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from sessions.access.acts.log_ins import source_of
from sessions.access.login.confirmation import asked_for_factor, confirmed
from sessions.agents import acp_registry, added, credentials, registry, trial
from sessions.agents.processes import accounts, confine
from sessions.core.conf import chat
from sessions.core.errors import InvalidRequest, UnknownAgent
from sessions.log_ins import needs
from sessions.text.visible import visible
from sessions.trail.record import Act, record

AT_ONCE: Final = 4
# Of a command, in the audit trail.
MAX_TOLD: Final = 200


def for_staff(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Return a view that others than staff may not use."""

    @wraps(view)
    def checked(request: Any) -> HttpResponse:
        if not request.user.is_staff:
            raise PermissionDenied
        return view(request)

    return checked


@require_safe
@never_cache
@login_required
@for_staff
def page(request: Any) -> HttpResponse:
    """Show the agents of this server."""
    return asked_for_factor(request) or _page(request, {})


@require_POST
@login_required
@for_staff
@confirmed
def attempt(request: Any) -> HttpResponse:
    """Run one turn with an agent, and show its answer."""
    name, account = request.POST.get("agent", ""), request.user.get_username()
    try:
        tried = async_to_sync(trial.one_turn)(name, account=account)
        needs.note_trial(name, accounts.name_of(account), tried)
    except (UnknownAgent, accounts.NoSystemUser) as exc:
        tried = trial.Tried("", str(exc))
    answer = {"text": visible(tried.text), "error": visible(tried.error)}
    if tried.log_in is not None:
        ways = ", ".join(visible(way.name) for way in tried.log_in)
        answer |= {"wants_log_in": "yes", "ways": ways}
    return _page(request, {"tried": {"name": name, **answer}})


@require_POST
@login_required
@for_staff
@confirmed
def add(request: Any) -> HttpResponse:
    """Add an agent by its command, or one of the registry; a refused one is shown again."""
    given = {name: request.POST.get(name, "") for name in ("name", "label", "command")}
    who = request.user.get_username()
    try:
        taken = registry.configured()
        if known := request.POST.get("known", ""):
            made = added.add_known(known, by=who, taken=taken)
        else:
            made = added.add(**given, by=who, taken=taken)
    except InvalidRequest as exc:
        return _page(request, {"given": given, "problem": str(exc)})
    told = shlex.join(made.command)[:MAX_TOLD]
    source = source_of(request)
    record(Act.AGENT_ADDED, who=who, about=f"agent:{made.name}", source=source, command=told)
    return HttpResponseRedirect(reverse("account-agents"))


@require_POST
@login_required
@for_staff
@confirmed
def remove(request: Any) -> HttpResponse:
    """Remove an added agent; one that is gone already is fine."""
    name, who = request.POST.get("agent", ""), request.user.get_username()
    if added.remove(name):
        needs.forget(name)
        record(Act.AGENT_REMOVED, who=who, about=f"agent:{name}", source=source_of(request))
    return HttpResponseRedirect(reverse("account-agents"))


def _wanted() -> dict[str, list[dict[str, Any]]]:
    """Return the log-ins that agents want, by the names of the agents."""
    wanted: dict[str, list[dict[str, Any]]] = {}
    for row in needs.everywhere():
        ways = ", ".join(visible(way["name"]) for way in row.ways)
        account = row.account if chat.AGENT_USER else ""
        told = {"since": row.since, "account": account, "ways": ways}
        wanted.setdefault(row.agent, []).append(told)
    return wanted


def _page(request: Any, more: dict[str, Any]) -> HttpResponse:
    wanted = _wanted()
    specs, own = registry.available(), added.read().keys() - registry.configured().keys()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        versions = threads.map(lambda spec: trial.version(spec.name), specs)
        agents = [
            {
                "name": spec.name,
                "label": spec.label,
                "command": visible(shlex.join(registry.find(spec.name).command)),
                "is_added": spec.name in own,
                "version": visible(version),
                "can_start": spec.can_start,
                "has_log_in": spec.can_start and registry.has_log_in(spec.name),
                "why_not": spec.why_not,
                "is_confined": spec.is_confined,
                "credential": credentials.of(spec.name, request.user.get_username()),
                "wanted": wanted.get(spec.name, ()),
            }
            for spec, version in zip(specs, versions, strict=True)
        ]
    names = {spec.name for spec in specs}
    known = [
        {"words": shlex.join(entry.start[0]) if entry.start else "", "agent": entry}
        for entry in acp_registry.entries()
        if entry.id not in names
    ]
    held = confine.status().sentence
    context = {"agents": agents, "known": known, "confinement": held, **more}
    return render(request, "account/agents.html", context)
