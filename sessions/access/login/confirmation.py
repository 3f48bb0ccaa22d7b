"""The moment and the networks of a log-in's proofs: sensitive acts ask again without a recent one.

A cookie that was read elsewhere has the log-in's proof, too. So a proof counts for requests from
the network that it came from.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from sessions.access.client_address import client_address
from sessions.access.factors import policy, rows
from sessions.access.login.origin_key import is_in_form
from sessions.core import addresses
from sessions.core.conf import chat
from sessions.core.errors import ConfirmationRequired

View = Callable[..., HttpResponse]

_AT: Final = "proved_at"
_FROM: Final = "proved_from"
# A person at home and on the way, by IPv4 and IPv6.
MAX_NETWORKS: Final = 4


def note(request: HttpRequest) -> None:
    """Note that the person of a log-in has just shown a password, a factor or a link."""
    request.session[_AT] = time.time()
    known = request.session.get(_FROM, [])
    here = addresses.network(client_address(request))
    request.session[_FROM] = [here, *(each for each in known if each != here)][:MAX_NETWORKS]


def is_recent(request: HttpRequest) -> bool:
    """Return whether the last proof is at most CONFIRM_AFTER_S old, and counts here."""
    at = request.session.get(_AT)
    is_young = at is not None and 0 <= time.time() - at <= chat.CONFIRM_AFTER_S
    return is_young and is_from_here(request)


def is_from_here(request: HttpRequest) -> bool:
    """Return whether a log-in was proved from the network of a request.

    One that an older version has made counts everywhere, until its next proof.
    """
    known = request.session.get(_FROM, [])
    return not any(known) or addresses.network(client_address(request)) in known


def require(request: HttpRequest) -> None:
    """Raise ConfirmationRequired when the last proof is too long ago."""
    if not is_recent(request):
        raise ConfirmationRequired


def recent(view: View) -> View:
    """Return a view that asks for a proof first when the last one is too long ago.

    A form also carries the origin key: a cookie alone may have been read elsewhere. A form is not
    kept over the proof: the person continues at the account, or at the form's own page.
    """

    @wraps(view)
    def asking(request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        is_good = is_recent(request) and (request.method != "POST" or is_in_form(request))
        return view(request, *args, **kwargs) if is_good else ask(request)

    return asking


def confirmed(view: View) -> View:
    """Return a view as of `recent`, which also needs the second factor where one is required."""

    @wraps(view)
    def asking(request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        return asked_for_factor(request) or recent(view)(request, *args, **kwargs)

    return asking


def ask(request: HttpRequest, *, back: str = "") -> HttpResponse:
    """Return the way to the page that asks for a proof and leads back."""
    is_form = request.method == "POST"
    target = back or (reverse("account") if is_form else request.get_full_path())
    return redirect_to_login(target, reverse("account-confirm"))


def asked_for_factor(request: Any) -> HttpResponse | None:
    """Return the way to a second factor that this log-in must have, None when it needs none."""
    user: User = request.user
    if policy.is_met(user, request.session):
        return None
    if rows.has_factor(user):
        return ask(request)
    return redirect_to_login(request.get_full_path(), reverse("account-require"))
