"""The page that a person wants behind a form: `next`, when it is one of this site."""

from __future__ import annotations

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme


def target_of(request: HttpRequest) -> str:
    """Return the address of `next`, the chat's when there is none or it is of another site."""
    given = request.POST.get(REDIRECT_FIELD_NAME, request.GET.get(REDIRECT_FIELD_NAME, ""))
    is_ours = url_has_allowed_host_and_scheme(given, {request.get_host()}, request.is_secure())
    return given if is_ours else reverse("chat")
