"""The pages: the chat, health, metrics, and errors for people."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from sessions.access import csrf
from sessions.access.auth import signed_in
from sessions.access.client_address import is_direct_loopback
from sessions.access.login.confirmation import asked_for_factor
from sessions.core.conf import chat
from sessions.core.db import in_thread
from sessions.core.errors import (
    ChatError,
    Forbidden,
    OriginRefused,
    Unauthenticated,
    UnknownSession,
)
from sessions.models import Session
from sessions.reading import queries
from sessions.web import monitoring
from sessions.web.account import suggestion
from sessions.workspace import roots


class SignedIn(HttpRequest):
    """A request that login_required has let through."""

    user: User


@require_safe
@never_cache
@ensure_csrf_cookie
@login_required
def chat_page(request: SignedIn, session_id: UUID | None = None) -> HttpResponse:
    """Return the chat, with a session open or none; 404 for another user's session."""
    asked = asked_for_factor(request)
    if asked is not None:
        return asked
    if session_id is not None:
        try:
            Session.objects.find(request.user, session_id)
        except UnknownSession as exc:
            raise Http404 from exc
    context = {
        "bootstrap": _bootstrap(request.user, session_id),
        "is_bundled": not settings.DEBUG,
        "not_now": suggestion.cookie_to_put_away(request),
    }
    response = render(request, "chat.html", context)
    suggestion.keep_away(request, response)
    return response


def _bootstrap(user: User, session_id: UUID | None) -> dict[str, Any]:
    """Return the facts that the page's modules need before their first request."""
    return {
        "userId": user.pk,
        "sessionId": str(session_id) if session_id else None,
        "csrfCookieName": settings.CSRF_COOKIE_NAME,
        "heartbeatMs": round(chat.HEARTBEAT_INTERVAL_S * 1000),
        "pingGrace": chat.PING_GRACE,
        "historyPage": min(chat.HISTORY_PAGE, queries.MAX_PAGE),
        "maxWatches": chat.MAX_WATCHES,
        "foldersRefused": "" if roots.roots() else roots.NO_ROOTS,
        "maxAttachments": chat.MAX_ATTACHMENTS,
        "uploadBytes": chat.UPLOAD_MB * 1024 * 1024,
        "maxPendingSends": chat.MAX_PENDING_SENDS,
        "sendTimeoutMs": round(chat.SEND_TIMEOUT_S * 1000),
    }


@require_safe
def favicon(_request: HttpRequest) -> HttpResponse:
    """Lead to the icon: browsers ask here for pages that name none, such as the admin."""
    return HttpResponseRedirect(static("sessions/icon.svg"))


# --- For machines -------------------------------------------------------------------------------


@require_safe
@never_cache
async def healthz(_request: HttpRequest) -> HttpResponse:
    """Return 200: this process answers. A slow database is no reason to restart it."""
    return JsonResponse({"ok": True})


@require_safe
@never_cache
async def readyz(_request: HttpRequest) -> HttpResponse:
    """Return 200 when database, layer and runner are there, else 503; each check by name."""
    checks = await monitoring.readiness()
    good = monitoring.is_ready(checks)
    return JsonResponse({"ok": good, "checks": checks}, status=200 if good else 503)


def _refuse_unless_staff(user: User | None) -> None:
    if user is None:
        raise Unauthenticated
    if not user.is_staff:
        raise Forbidden


@require_safe
@never_cache
async def show_metrics(request: HttpRequest) -> HttpResponse:
    """Return Prometheus metrics of this process, to this machine itself or to staff."""
    if not is_direct_loopback(request):
        try:
            user = await signed_in(request, needs_key=False)
            _refuse_unless_staff(user)
        except ChatError as error:
            return JsonResponse(error.body(), status=error.status)
    return HttpResponse(
        await in_thread(monitoring.render_metrics), content_type=monitoring.METRICS_CONTENT_TYPE
    )


# ruff: noqa: ARG001 (Django passes the request and the exception by name)
# --- Errors for people --------------------------------------------------------------------------

_ERRORS = {
    400: ("This request cannot be read", "Go back and try once more."),
    403: ("This is not allowed", "Your account may not do this."),
    404: ("There is nothing here", "The address is wrong, or the page is gone."),
    500: ("The server failed", "It has been logged. Your text stays in this browser."),
}


def error_page(status: int, hint: str = "") -> HttpResponse:
    """Return the page of an error: a title, a hint, and the way back."""
    title, text = _ERRORS[status]
    # Without the request: its context asks the database, which may have failed.
    page = render_to_string("error.html", {"status": status, "title": title, "text": hint or text})
    return HttpResponse(page, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the page of a 400."""
    return error_page(400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the page of a 403."""
    return error_page(403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the page of a 404."""
    return error_page(404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Return the page of a 500; it asks no database."""
    return error_page(500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Return the page of a form without a valid token, or from an address that is not trusted."""
    refused = csrf.refusal(request, reason)
    if isinstance(refused, OriginRefused):
        return error_page(403, str(refused))
    return error_page(403, "The page was open for too long. Reload it and try again.")
