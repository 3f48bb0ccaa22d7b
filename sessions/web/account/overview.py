"""The account page: password, second factors, log-ins, tokens."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.models import User
from django.core.exceptions import SuspiciousOperation
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sessions.access import tokens
from sessions.access.acts.log_ins import source_of
from sessions.access.factors import passkeys, policy, recovery, rows
from sessions.access.login import devices
from sessions.access.login.confirmation import asked_for_factor, confirmed
from sessions.access.login_store import stored_key
from sessions.account_models import ApiToken, SecondFactor
from sessions.trail.record import Act, record


@require_safe
@never_cache
@login_required
def account(request: Any) -> HttpResponse:
    """Show the account."""
    asked = asked_for_factor(request)
    return asked or page(request)


def page(request: Any, **more: Any) -> HttpResponse:
    """Return the account page; `more` is for the answer to a form."""
    user: User = request.user
    context = {
        "log_ins": devices.of(user),
        "this_log_in": stored_key(str(request.session.session_key)),
        "scopes": ApiToken.Scope.choices,
        "tokens": ApiToken.objects.filter(user=user).order_by("-created_at"),
        "app": rows.of(user, rows.Kind.APP).first(),
        "passkeys": [_shown(row) for row in rows.of(user, rows.Kind.PASSKEY)],
        "codes_left": recovery.left(user),
        "is_required": policy.is_required(user),
        "has_password": user.has_usable_password(),
        **more,
    }
    return render(request, "account/account.html", context)


def _shown(row: SecondFactor) -> dict[str, Any]:
    return {
        "id": row.pk,
        "name": row.name,
        "host": passkeys.place_of(row),
        "created_at": row.created_at,
        "last_used_at": row.last_used_at,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@confirmed
def password(request: Any) -> HttpResponse:
    """Set the account's password. Every other log-in of the account ends."""
    form = SetPasswordForm(request.user, request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return render(request, "account/password.html", {"form": form})
    devices.end_others(request.user, request.session.session_key)
    user = form.save()
    update_session_auth_hash(request, user)
    devices.add_row(request, user)
    return _back()


@require_POST
@login_required
@confirmed
def end_log_in(request: Any) -> HttpResponse:
    """End one log-in of the account, or all others."""
    row = request.POST.get("log_in", "")
    ended = (
        devices.end(request.user, int(row))
        if row.isdecimal()
        else devices.end_others(request.user, request.session.session_key)
    )
    if ended:
        name = request.user.get_username()
        record(Act.LOG_INS_ENDED, who=name, source=source_of(request), count=int(ended))
    return _back()


@require_POST
@never_cache
@login_required
@confirmed
def make_token(request: Any) -> HttpResponse:
    """Make a token, which is shown once."""
    wanted = tokens.Wanted(
        request.POST.get("name", "").strip(),
        request.POST.get("scope", "chat"),
        outlives_password=bool(request.POST.get("outlives_password")),
    )
    if wanted.scope not in ApiToken.Scope.values:
        raise SuspiciousOperation("no such scope")
    made = tokens.create_token(
        request.user, wanted=wanted, by=request.user.get_username(), source=source_of(request)
    )
    return page(request, new_token=made)


@require_POST
@login_required
@confirmed
def revoke_token(request: Any) -> HttpResponse:
    """Delete a token of the account."""
    row = request.POST.get("token", "")
    if row.isdecimal():
        rows_of_it = ApiToken.objects.filter(user=request.user, pk=int(row))
        tokens.revoke(rows_of_it, by=request.user.get_username(), source=source_of(request))
    return _back()


def _back() -> HttpResponse:
    return HttpResponseRedirect(reverse("account"))
