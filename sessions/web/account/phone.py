"""The page that logs in a phone: a one-time link for the person's own account, as a QR code."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.http.request import split_domain_port
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from sessions.access import links
from sessions.access.acts.log_ins import source_of
from sessions.access.factors import policy, qr_code, rows
from sessions.access.login.confirmation import ask, confirmed
from sessions.core import addresses


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@confirmed
def phone(request: Any) -> HttpResponse:
    """Show the button that makes a link; a POST makes one, which ends the one before.

    The link begins with the address by which this browser has reached the server.
    """
    user = request.user
    # A log-in by the link is not asked for the factor again.
    if rows.has_factor(user) and not policy.was_shown(request.session):
        return ask(request)
    host, _ = split_domain_port(request.get_host())
    context: dict[str, Any] = {
        "host": host,
        "is_own_machine": addresses.is_own_machine(host),
        "minutes": int(links.PHONE_LINK_LIFETIME.total_seconds() // 60),
    }
    if request.method == "POST":
        path = links.one_time_link(
            user,
            lifetime=links.PHONE_LINK_LIFETIME,
            by=user.get_username(),
            source=source_of(request),
        )
        link = request.build_absolute_uri(path)
        context |= {"link": link, "drawing": qr_code.drawing(link)}
    return render(request, "account/phone.html", context)
