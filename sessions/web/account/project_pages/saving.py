"""The forms of the pages of projects: a change, and the end of a project."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from sessions.access.acts.log_ins import source_of
from sessions.access.login.confirmation import confirmed
from sessions.core.errors import ChatError, UnknownProject
from sessions.projects import rows
from sessions.web.account.project_pages import fields, listing, one


@require_POST
@login_required
@confirmed
def save(request: Any) -> HttpResponse:
    """Change a project; a change that is refused is shown with the reason, where it was made."""
    form, project = request.POST, None
    try:
        project_id = _named(request)
        project = rows.of_user(request.user).filter(pk=project_id).first()
        rows.change(
            request.user, project_id, fields.given(form, project), source=source_of(request)
        )
    except (ChatError, ValueError) as exc:
        why = str(exc) if isinstance(exc, ChatError) else "This cannot be stored."
        if project is not None and form.get("page"):
            return one.answer(request, project.pk, why)
        return listing.answer(request, why)
    if form.get("page"):
        return HttpResponseRedirect(reverse("account-project", args=[project_id]))
    return HttpResponseRedirect(reverse("account-projects"))


@require_POST
@login_required
@confirmed
def remove(request: Any) -> HttpResponse:
    """Delete a project; its chats stay. One that is gone already is fine."""
    with suppress(UnknownProject, ValueError):
        rows.remove(request.user, _named(request), source=source_of(request))
    return HttpResponseRedirect(reverse("account-projects"))


def _named(request: Any) -> UUID:
    return UUID(request.POST.get("project", ""))
