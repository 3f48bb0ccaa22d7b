"""The page of an account's projects: name, trust, defaults, and a way to delete each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from sessions.access.acts.log_ins import source_of
from sessions.access.login.confirmation import asked_for_factor, confirmed
from sessions.account_models import MAX_PROJECT_NAME, Project
from sessions.agent_models import AgentOffer
from sessions.agents import registry
from sessions.core.errors import ChatError, UnknownProject
from sessions.models import MAX_MODE_CHARS
from sessions.projects import defaults, rows, standing
from sessions.text.visible import visible

TRUST: Final = {"yes": True, "no": False, "": None}
WAITING: Final = ("", "60", "600", "3600", "86400", defaults.UNTIL_ANSWERED)


@require_safe
@never_cache
@login_required
def page(request: Any) -> HttpResponse:
    """Show the projects."""
    asked = asked_for_factor(request)
    return asked or _page(request, "")


@require_POST
@login_required
@confirmed
def save(request: Any) -> HttpResponse:
    """Change a project; a change that is refused is shown with the reason."""
    try:
        rows.change(request.user, _named(request), _fields(request.POST), source=source_of(request))
    except (ChatError, ValueError) as exc:
        why = str(exc) if isinstance(exc, ChatError) else "This cannot be stored."
        return _page(request, why)
    return HttpResponseRedirect(reverse("account-projects"))


@require_POST
@login_required
@confirmed
def remove(request: Any) -> HttpResponse:
    """Delete a project; its chats stay. One that is gone already is fine."""
    with suppress(UnknownProject, ValueError):
        rows.remove(request.user, _named(request), source=source_of(request))
    return HttpResponseRedirect(reverse("account-projects"))


def _page(request: Any, refusal: str) -> HttpResponse:
    projects = list(rows.of_user(request.user))
    states, offers = standing.of(projects), _offers()
    context = {
        "projects": [_shown(*pair, offers) for pair in zip(projects, states, strict=True)],
        "agents": [(spec.name, spec.label) for spec, _ in offers],
        "refusal": refusal,
        "longest": MAX_PROJECT_NAME,
        "longest_script": defaults.MAX_SCRIPT_CHARS,
    }
    return render(request, "account/projects.html", context)


def _named(request: Any) -> UUID:
    return UUID(request.POST.get("project", ""))


def _fields(form: Any) -> dict[str, Any]:
    """Return the change that a form says. Raises ValueError where the form is none of this page."""
    waiting, script = form.get("waiting", ""), form.get("set_up", "")
    if waiting not in WAITING or len(script) > defaults.MAX_SCRIPT_CHARS:
        raise ValueError(waiting)
    return {
        "name": form.get("name", ""),
        "trust": TRUST[form["trust"]] if form.get("trust") in TRUST else None,
        "defaults": {
            "agent": form.get("agent") or None,
            "modes": _modes(form),
            "waiting": int(waiting) if waiting.isdecimal() else waiting or None,
            "setUpScript": script.replace("\r\n", "\n"),
        },
    }


def _modes(form: Any) -> dict[str, str]:
    """Return the modes of new chats by agent. Raises ValueError for one that is too long."""
    named = {spec.name: form.get(f"mode-{spec.name}", "") for spec in registry.available()}
    if any(len(mode) > MAX_MODE_CHARS for mode in named.values()):
        raise ValueError(named)
    return {agent: mode for agent, mode in named.items() if mode}


def _offers() -> list[tuple[registry.AgentSpec, dict[str, str]]]:
    """Return each agent with the labels of its modes at its last start, by their ids."""
    offers = {offer.agent: offer.modes for offer in AgentOffer.objects.only("agent", "modes")}
    return [
        (spec, {mode["id"]: mode["label"] for mode in offers.get(spec.name, [])})
        for spec in registry.available()
    ]


def _mode_fields(own: Mapping[str, str], offers: Sequence[Any]) -> list[dict[str, Any]]:
    """Return a field for each agent with modes: those that it offers, and the chosen one."""
    fields = []
    for spec, offered in offers:
        chosen, modes = own.get(spec.name, ""), dict(offered)
        if chosen:
            modes.setdefault(chosen, chosen)
        if modes:
            fields.append(
                {"agent": spec.name, "label": spec.label, "chosen": chosen, "modes": modes.items()}
            )
    return fields


def _shown(project: Project, state: standing.Standing, offers: Sequence[Any]) -> dict[str, Any]:
    """Return a project for the page; every character of its folder can be seen."""
    own = defaults.of(project)
    waiting = str(own["waiting"] or "")
    return {
        "id": str(project.pk),
        "name": project.name,
        "folder": visible(project.folder),
        "branch": visible(state.branch or ""),
        "why_not": state.why_not,
        "trust": {True: "yes", False: "no"}.get(project.trust, ""),  # type: ignore[arg-type]  # None too
        "agent": own["agent"],
        "modes": _mode_fields(own["modes"], offers),
        "waiting": waiting,
        "waits": [*WAITING, *([waiting] if waiting not in WAITING else [])],
        "set_up": own["setUpScript"],
    }
