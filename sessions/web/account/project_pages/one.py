"""The page of one project: its defaults, its MCP servers and rules, its chats and worktrees."""

from __future__ import annotations

import shlex
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from sessions.access.login.confirmation import asked_for_factor
from sessions.account_models import Project
from sessions.core.errors import UnknownProject
from sessions.mcp import rows as servers
from sessions.models import Session, Worktree
from sessions.projects import standing
from sessions.rules import rows as rules
from sessions.rules.matching import Scope
from sessions.text.visible import visible
from sessions.web.account.project_pages import fields

# The last active chats.
MAX_CHATS: Final = 50


@require_safe
@never_cache
@login_required
def page(request: Any, project_id: UUID) -> HttpResponse:
    """Show a project; that of another person is not found."""
    return asked_for_factor(request) or answer(request, project_id, "")


def answer(request: Any, project_id: UUID, refusal: str) -> HttpResponse:
    """Return the page. refusal: the reason for which a change was not stored, "" for none.

    Raises Http404.
    """
    try:
        project = Project.objects.find(request.user, project_id)
    except UnknownProject as exc:
        raise Http404 from exc
    agents = fields.offers()
    [state] = standing.of([project])
    chats = Session.objects.visible_to(request.user).filter(project=project, archived_at=None)
    recent = chats.select_related("worktree").order_by("-last_activity_at")[: MAX_CHATS + 1]
    shown = [_chat(chat) for chat in recent]
    parts = {
        "project": fields.shown(project, state, agents),
        "servers": [_server(row) for row in servers.of_user(request.user) if _is_for(row, project)],
        "rules": [_rule(row) for row in rules.of_user(request.user) if _is_about(row, project)],
        "chats": shown[:MAX_CHATS],
        "has_more": len(shown) > MAX_CHATS,
        "refusal": refusal,
        **fields.context(agents),
    }
    return render(request, "account/project.html", parts)


def _is_for(server: Any, project: Project) -> bool:
    return server.project_id in (None, project.pk)


def _is_about(rule: Any, project: Project) -> bool:
    return bool(rule.scope == Scope.PROJECT and rule.folder == project.folder)


def _server(row: Any) -> dict[str, Any]:
    target = visible(row.url or shlex.join([row.command, *row.args]))
    return {"id": row.pk, "name": row.name, "target": target, "is_own": row.project_id is not None}


def _rule(row: Any) -> dict[str, Any]:
    words = {"id": row.pk, "effect": row.effect, "kind": row.kind}
    return {**words, "pattern": visible(row.pattern), "created_at": row.created_at}


def _chat(chat: Session) -> dict[str, Any]:
    tree: Worktree | None = getattr(chat, "worktree", None)
    return {
        "id": chat.pk,
        "title": visible(chat.title or "New chat"),
        "agent": chat.agent,
        "active_at": chat.last_activity_at,
        "branch": visible(tree.branch) if tree else "",
        "state": tree.state if tree else "",
    }
