"""Acts in the admin: every form there that changed something, this project's and Django's alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from asgiref.sync import markcoroutinefunction, sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from sessions.access.acts.log_ins import source_of
from sessions.trail.record import Act, record

MAX_SELECTED: Final = 20
MAX_ACTION_CHARS: Final = 100


class AdminActsMiddleware:
    """Records each POST of a person in the admin that led on to another page.

    A form that is shown again, with its faults or a question, has changed nothing.
    """

    async_capable = True
    sync_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, and record an act."""
        response = await self.get_response(request)
        if request.method == "POST" and _is_act(request, response):
            user = await request.auser()
            if user.is_authenticated:
                await sync_to_async(_record)(request, user.get_username())
        return response


def _is_act(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Return whether a form led on inside the admin; a question for the password leads out."""
    admin = reverse("admin:index")
    leads_to = response.headers.get("Location", "") if response.status_code in {302, 303} else ""
    is_inside = leads_to.startswith(admin) or (bool(leads_to) and not leads_to.startswith("/"))
    return request.path.startswith(admin) and is_inside


def _record(request: HttpRequest, name: str) -> None:
    facts: dict[str, Any] = {}
    if action := request.POST.get("action"):
        facts["action"] = action[:MAX_ACTION_CHARS]
    if selected := request.POST.getlist("_selected_action"):
        facts["selected"] = [one[:MAX_ACTION_CHARS] for one in selected[:MAX_SELECTED]]
        facts["count"] = len(selected)
    record(Act.ADMIN, who=name, about=request.path, source=source_of(request), **facts)
