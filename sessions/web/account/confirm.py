"""The page that asks again for a proof, before a sensitive act."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from sessions.access import throttle
from sessions.access.client_address import client_address
from sessions.access.factors import policy, proof, rows
from sessions.access.factors.proof import Refusal
from sessions.access.login import confirmation, origin_key
from sessions.core import metrics
from sessions.trail.failures import failures
from sessions.web.account.log_in import proof_page
from sessions.web.account.targets import target_of


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def confirm(request: Any) -> HttpResponse:
    """Ask for the second factor, or for the password of an account without one."""
    user: User = request.user
    if request.method != "POST":
        return proof_page(request, user, None, title="Confirm that it is you")
    has_factor = rows.has_factor(user)
    refused = proof.check(request, user) if has_factor else _password(request, user)
    if refused is not None:
        return proof_page(request, user, refused, title="Confirm that it is you")
    confirmation.note(request)
    origin_key.bind(request)
    if has_factor:
        policy.note_proof(request.session)
    return HttpResponseRedirect(target_of(request))


def _password(request: HttpRequest, user: User) -> Refusal | None:
    address = client_address(request)
    wait_s = throttle.attempt(user.get_username(), address)
    if wait_s:
        return Refusal(f"Too many attempts. Try again in {-(-wait_s // 60)} min.", wait_s)
    if not user.check_password(request.POST.get("password", "")):
        metrics.LOG_INS.labels(result="wrong").inc()
        failures.note(address)
        return Refusal("This is not the password.")
    throttle.forget(user.get_username(), address)
    return None
