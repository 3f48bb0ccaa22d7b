"""The pages that set up, renew and remove second factors."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sessions.access.acts import factor_acts
from sessions.access.factors import app_codes, cipher, passkeys, policy, qr_code, recovery, rows
from sessions.access.login import confirmation
from sessions.web.account.targets import target_of

MAX_NAME_CHARS: Final = 100
_SECRET: Final = "app_secret"  # noqa: S105 (the name of an entry)


@require_safe
@never_cache
@login_required
def require(request: Any) -> HttpResponse:
    """Show the ways to a second factor, which this server requires."""
    return render(request, "account/require.html", {"next": target_of(request)})


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@confirmation.recent
def app(request: Any) -> HttpResponse:
    """Set up an authenticator app: a QR code, and a code of the app as the proof."""
    if request.method == "POST":
        secret = cipher.unseal(request.session.get(_SECRET, "")) or ""
        code = "".join(request.POST.get("code", "").split())
        if secret and app_codes.enable(request.user, secret, code):
            del request.session[_SECRET]
            factor_acts.added(request, request.user, rows.Kind.APP)
            return _enabled(request)
    else:
        secret = app_codes.new_secret()
        request.session[_SECRET] = cipher.seal(secret)
    if not secret:
        return HttpResponseRedirect(request.get_full_path())
    address = app_codes.address(request.user, secret, request.get_host())
    context = {
        "drawing": qr_code.drawing(address),
        "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "is_wrong": request.method == "POST",
        "next": target_of(request),
    }
    return render(request, "account/app.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@confirmation.recent
def passkey(request: Any) -> HttpResponse:
    """Set up a passkey of this browser or of a security key."""
    host = passkeys.host_of(request)
    is_wrong = False
    if host is not None and request.method == "POST":
        name = request.POST.get("name", "")
        if passkeys.make(request, request.user, request.POST.get("credential", ""), name):
            factor_acts.added(request, request.user, rows.Kind.PASSKEY, name[:MAX_NAME_CHARS])
            return _enabled(request)
        is_wrong = True
    context = {
        "host": host,
        "options": passkeys.begin_making(request, request.user) if host else None,
        "is_wrong": is_wrong,
        "next": target_of(request),
    }
    return render(request, "account/passkey.html", context)


@require_POST
@never_cache
@login_required
@confirmation.confirmed
def codes(request: Any) -> HttpResponse:
    """Make new recovery codes; the older ones end."""
    return _new_codes_page(request)


@require_POST
@login_required
@confirmation.confirmed
def remove(request: Any) -> HttpResponse:
    """Remove an app or a passkey."""
    row = request.POST.get("factor", "")
    if row.isdecimal():
        gone = rows.remove(request.user, int(row))
        if gone is not None:
            factor_acts.removed(request, request.user, gone.kind, gone.name)
    return HttpResponseRedirect(reverse("account"))


def _enabled(request: Any) -> HttpResponse:
    """Answer the set-up of a factor: with the account, or with recovery codes after the first."""
    user: User = request.user
    policy.note_proof(request.session)
    if recovery.left(user):
        return HttpResponseRedirect(reverse("account"))
    return _new_codes_page(request)


def _new_codes_page(request: Any) -> HttpResponse:
    made = recovery.renew(request.user)
    factor_acts.codes_made(request, request.user)
    return render(request, "account/codes.html", {"codes": made, "next": target_of(request)})
