"""The page of an account's projects: name, trust, defaults, and a way to delete each."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from sessions.access.login.confirmation import asked_for_factor
from sessions.projects import rows, standing
from sessions.web.account.project_pages import fields


@require_safe
@never_cache
@login_required
def page(request: Any) -> HttpResponse:
    """Show the projects."""
    return asked_for_factor(request) or answer(request, "")


def answer(request: Any, refusal: str) -> HttpResponse:
    """Return the page. refusal: the reason for which a change was not stored, "" for none."""
    projects = list(rows.of_user(request.user))
    agents = fields.offers()
    pairs = zip(projects, standing.of(projects), strict=True)
    shown = [fields.shown(project, state, agents) for project, state in pairs]
    parts = {"projects": shown, "refusal": refusal, **fields.context(agents)}
    return render(request, "account/projects.html", parts)
