"""The pages: the chat, logging in and out, health, metrics, and errors for people."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME, login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_http_methods, require_safe

from sessions.access import csrf, links
from sessions.access.auth import signed_in
from sessions.access.client_address import is_direct_loopback
from sessions.access.forms import LoginForm
from sessions.core import metrics
from sessions.core.conf import chat
from sessions.core.db import in_thread
from sessions.core.errors import Forbidden, OriginRefused, Unauthenticated, UnknownSession
from sessions.models import Session
from sessions.reading import queries
from sessions.web import monitoring


class SignedIn(HttpRequest):
    """A request that login_required has let through."""

    user: User


@require_safe
@never_cache
@ensure_csrf_cookie
@login_required
def chat_page(request: SignedIn, session_id: UUID | None = None) -> HttpResponse:
    """Return the chat, with a session open or none; 404 for another user's session."""
    if session_id is not None:
        try:
            Session.objects.find(request.user, session_id)
        except UnknownSession as exc:
            raise Http404 from exc
    return render(request, "chat.html", {"bootstrap": _bootstrap(request.user, session_id)})


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
        "maxPendingSends": chat.MAX_PENDING_SENDS,
        "sendTimeoutMs": round(chat.SEND_TIMEOUT_S * 1000),
    }


@method_decorator(never_cache, name="dispatch")
class LogIn(LoginView):
    """The log-in page; 429 while it refuses to look at passwords."""

    template_name = "login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True

    def form_invalid(self, form: Any) -> HttpResponse:
        """Return the form with its problems; Retry-After for scripts."""
        response = super().form_invalid(form)
        if form.wait_s:
            response.status_code = 429
            response["Retry-After"] = str(form.wait_s)
        return response


@never_cache
def admin_log_in(request: HttpRequest) -> HttpResponse:
    """Send the admin's log-ins to the one page that takes passwords.

    403 for a log-in that is not staff: that page would send it straight back here.
    """
    target = request.GET.get(REDIRECT_FIELD_NAME, "")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, request.is_secure()):
        target = reverse("admin:index")
    if admin.site.has_permission(request):
        return HttpResponseRedirect(target)
    if request.user.is_authenticated:
        return _error_page(403, "Your account may not open the admin. Log in as one that may.")
    return redirect_to_login(target)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def login_once(request: HttpRequest, secret: str) -> HttpResponse:
    """Show whom a one-time link logs in; its button, a POST, does it.

    A GET changes nothing: messengers and browsers open links before a person does.
    """
    user = links.use_link(secret) if request.method == "POST" else links.user_of_link(secret)
    if user is None:
        return _used_link(request)
    if request.method == "POST":
        metrics.LOG_INS.labels(result="link").inc()
        login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    if request.user == user:
        return HttpResponseRedirect(reverse("chat"))
    response = render(request, "link.html", {"link_user": user})
    # The address is a secret. No referrer at all would make the form's Origin "null".
    response["Referrer-Policy"] = "strict-origin"
    return response


def _used_link(request: HttpRequest) -> HttpResponse:
    metrics.LOG_INS.labels(result="bad_link").inc()
    if request.user.is_authenticated:  # a reload of the link that logged this browser in
        return HttpResponseRedirect(reverse("chat"))
    notice = "This link was used already or has expired."
    context = {"form": LoginForm(request), "notice": notice}
    response = TemplateResponse(request, "login.html", context, status=HTTPStatus.GONE)
    response["Referrer-Policy"] = "strict-origin"
    return response


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
    good = all(check == monitoring.OK for check in checks.values())
    return JsonResponse({"ok": good, "checks": checks}, status=200 if good else 503)


@require_safe
@never_cache
async def show_metrics(request: HttpRequest) -> HttpResponse:
    """Return Prometheus metrics of this process, to this machine itself or to staff."""
    if not is_direct_loopback(request):
        user = await signed_in(request)
        if user is None or not user.is_staff:
            error = Forbidden() if user else Unauthenticated()
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


def _error_page(status: int, hint: str = "") -> HttpResponse:
    title, text = _ERRORS[status]
    # Without the request: its context asks the database, which may have failed.
    page = render_to_string("error.html", {"status": status, "title": title, "text": hint or text})
    return HttpResponse(page, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the page of a 400."""
    return _error_page(400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the page of a 403."""
    return _error_page(403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the page of a 404."""
    return _error_page(404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Return the page of a 500; it asks no database."""
    return _error_page(500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Return the page of a form without a valid token, or from an address that is not trusted."""
    refused = csrf.refusal(request, reason)
    if isinstance(refused, OriginRefused):
        return _error_page(403, str(refused))
    return _error_page(403, "The page was open for too long. Reload it and try again.")
