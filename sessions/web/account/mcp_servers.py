"""The page of an account's MCP servers: a list, a form, a way to remove each."""

from __future__ import annotations

import shlex
from contextlib import suppress
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from sessions.access.acts.log_ins import source_of
from sessions.access.login.confirmation import asked_for_factor, confirmed
from sessions.account_models import Project
from sessions.core.errors import ChatError
from sessions.mcp import rows, trial
from sessions.mcp.refusals import UnknownServer
from sessions.text.visible import visible


@require_safe
@never_cache
@login_required
def page(request: Any) -> HttpResponse:
    """Show the servers; no secret of them."""
    return asked_for_factor(request) or _page(request, {})


@require_POST
@login_required
@confirmed
def add(request: Any) -> HttpResponse:
    """Try and add a server; a refused one is shown again without its secrets."""
    user = User.objects.get(pk=request.user.pk)
    try:
        wanted = _wanted(request.POST)
        rows.check(user, wanted)
        tools = async_to_sync(trial.count_tools)(wanted.server(), is_staff=user.is_staff)
        rows.make(user, wanted, tools=tools, source=source_of(request))
    except (ChatError, ValueError) as exc:
        why = str(exc) if isinstance(exc, ChatError) else "This form cannot be read."
        given = {name: request.POST.get(name, "") for name in ("name", "target", "kind", "project")}
        return _page(request, {"given": given, "problem": why})
    return HttpResponseRedirect(reverse("account-mcp-servers"))


@require_POST
@login_required
@confirmed
def remove(request: Any) -> HttpResponse:
    """Remove a server; one that is gone already is fine."""
    number = request.POST.get("server", "")
    if number.isascii() and number.isdecimal() and len(number) < 19:
        with suppress(UnknownServer):
            rows.remove(request.user, int(number), source=source_of(request))
    return HttpResponseRedirect(reverse("account-mcp-servers"))


def _page(request: Any, more: dict[str, Any]) -> HttpResponse:
    found = rows.of_user(request.user).select_related("project")
    projects = Project.objects.filter(owner_id=request.user.pk).order_by("name")
    context = {
        "servers": [_shown(row) for row in found],
        "projects": [(str(project.pk), visible(project.name)) for project in projects],
        "may_run": request.user.is_staff,
        **more,
    }
    return render(request, "account/mcp_servers.html", context)


def _wanted(form: Any) -> rows.Wanted:
    """Return the server of a form. Raises ValueError for quotes without an end, and odd ids."""
    kind, target = form.get("kind", ""), form.get("target", "").strip()
    words = shlex.split(target) if kind == rows.STDIO else []
    lines = [line for line in form.get("secrets", "").splitlines() if line.strip()]
    sign = "=" if kind == rows.STDIO else ":"
    pairs = (line.partition(sign) for line in lines)
    secrets = {name.strip(): value.strip() for name, _, value in pairs}
    project = form.get("project", "")
    return rows.Wanted(
        form.get("name", "").strip(),
        rows.STDIO if kind == rows.STDIO else rows.HTTP,
        words[0] if words else "",
        tuple(words[1:]),
        "" if kind == rows.STDIO else target[:2000],
        secrets,
        UUID(project) if project else None,
    )


def _shown(row: Any) -> dict[str, Any]:
    return {
        "id": row.pk,
        "name": row.name,
        "target": visible(row.url or shlex.join([row.command, *row.args])),
        "secrets": row.names,
        "place": visible(row.project.name) if row.project else "",
        "tools": row.tools,
        "created_at": row.created_at,
    }
