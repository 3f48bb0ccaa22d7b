"""Logging in: by password and second factor, or by a one-time link."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME, login
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView, redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from sessions.access import links
from sessions.access.factors import passkeys, policy, proof, rows
from sessions.access.forms import LoginForm
from sessions.access.login import confirmation, origin_key, second_step
from sessions.core import metrics
from sessions.core.reserves.files import spare_files
from sessions.web.account.targets import target_of
from sessions.web.pages import error_page

BACKEND: Final = "django.contrib.auth.backends.ModelBackend"


@method_decorator(never_cache, name="dispatch")
class LogOut(LogoutView):
    """Logging out. The browser drops what it keeps for this site; cookies of others stay."""

    def post(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Log out; 204 for the page's script, the log-in page for a form."""
        is_script = "application/json" in request.headers.get("Accept", "")
        # While no descriptor is free, the connection to the database takes the spare ones.
        with spare_files.lent():
            response = super().post(request, *args, **kwargs)
        if is_script:
            response = HttpResponse(status=HTTPStatus.NO_CONTENT)
        # Below a path the storage of the origin is not this site's alone. Cookies know no ports.
        kept = '"cache"' if settings.BASE_PATH else '"cache", "storage"'
        response["Clear-Site-Data"] = kept
        return response


@method_decorator(never_cache, name="dispatch")
class LogIn(LoginView):
    """The log-in page; 429 while it refuses to look at passwords."""

    template_name = "login.html"
    authentication_form = LoginForm

    @property
    def redirect_authenticated_user(self) -> bool:  # type: ignore[override]  # Django has a constant
        """Return False for a form, and for a page that asks to log in again without a key."""
        return self.request.method != "POST" and "again" not in self.request.GET

    def form_valid(self, form: Any) -> HttpResponse:
        """Log in, or ask for the second factor of an account that has one."""
        user = form.get_user()
        if not rows.has_factor(user):
            response = super().form_valid(form)
            origin_key.bind(self.request)
            return response
        second_step.begin(self.request, user)
        return redirect_to_login(self.get_success_url(), reverse("login-second"))

    def form_invalid(self, form: Any) -> HttpResponse:
        """Return the form with its problems; Retry-After for scripts."""
        response = super().form_invalid(form)
        if form.wait_s:
            response.status_code = HTTPStatus.TOO_MANY_REQUESTS
            response["Retry-After"] = str(form.wait_s)
        return response


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def second(request: HttpRequest) -> HttpResponse:
    """Ask for the second factor of the person whose password was right, and log in by it."""
    user = second_step.user_of(request)
    if user is None:
        return redirect_to_login(target_of(request), reverse("login"))
    refused = proof.check(request, user) if request.method == "POST" else None
    if request.method == "POST" and refused is None:
        second_step.end(request)
        login(request, user, backend=BACKEND)
        policy.note_proof(request.session)
        origin_key.bind(request)
        return HttpResponseRedirect(target_of(request))
    return proof_page(request, user, refused, title="Second step")


def proof_page(
    request: HttpRequest, user: User, refused: proof.Refusal | None, *, title: str
) -> HttpResponse:
    """Return the page that asks for a code or a passkey."""
    context = {
        "title": title,
        "proving": user,
        "refused": refused,
        "next": target_of(request),
        "passkey_options": passkeys.begin_use(request, user),
        "passkey_hosts": sorted(passkeys.hosts(user)),
        "has_app": rows.of(user, rows.Kind.APP).exists(),
        "has_factor": rows.has_factor(user),
    }
    response = render(request, "account/proof.html", context)
    if refused is not None and refused.wait_s:
        response.status_code = HTTPStatus.TOO_MANY_REQUESTS
        response["Retry-After"] = str(refused.wait_s)
    return response


@never_cache
def admin_log_in(request: HttpRequest) -> HttpResponse:
    """Send the admin's log-ins to the one page that takes passwords.

    403 for a log-in that is not staff: that page would send it straight back here.
    """
    target = request.GET.get(REDIRECT_FIELD_NAME, "")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, request.is_secure()):
        target = reverse("admin:index")
    if not request.user.is_authenticated:
        return redirect_to_login(target)
    if not (request.user.is_active and request.user.is_staff):
        return error_page(403, "Your account may not open the admin. Log in as one that may.")
    asked = confirmation.asked_for_factor(request)
    return asked if asked and not admin.site.has_permission(request) else _leave_for(target)


def _leave_for(target: str) -> HttpResponse:
    return HttpResponseRedirect(target)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def once(request: HttpRequest, secret: str) -> HttpResponse:
    """Show whom a one-time link logs in; its button, a POST, does it.

    A GET changes nothing: messengers and browsers open links before a person does.
    """
    user = links.use_link(secret) if request.method == "POST" else links.user_of_link(secret)
    if user is None:
        return _used_link(request)
    if request.method == "POST":
        metrics.LOG_INS.labels(result="link").inc()
        login(request, user, backend=BACKEND)
        origin_key.bind(request)
        # A shell on the server can remove every factor, and the page of the account makes a link
        # only behind one: a link counts as one.
        if rows.has_factor(user):
            policy.note_proof(request.session)
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
