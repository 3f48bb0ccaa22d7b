"""The check against requests forged by other sites: the page's token, and the page's origin."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import REASON_BAD_ORIGIN, CsrfViewMiddleware

from sessions.core.errors import CsrfFailed, OriginRefused

_BAD_ORIGIN: Final = REASON_BAD_ORIGIN.split("%s", maxsplit=1)[0]
_MAX_ORIGIN_CHARS: Final = 200


class _Check(CsrfViewMiddleware):
    """Django's check, which returns the reason of a refusal instead of its page."""

    def _reject(self, request: HttpRequest, reason: str) -> Any:  # noqa: ARG002 (Django's signature)
        return reason


def check(request: HttpRequest) -> None:
    """Raise CsrfFailed for a request without this page's token, OriginRefused for its origin."""
    middleware = _Check(_no_view)
    request.csrf_processing_done = False  # type: ignore[attr-defined] # the API is exempt from it
    middleware.process_request(request)
    reason: Any = middleware.process_view(request, _no_view, (), {})
    if reason is not None:
        raise refusal(request, str(reason))


def _no_view(_: HttpRequest) -> HttpResponse:
    return HttpResponse()


def refusal(request: HttpRequest, reason: str) -> CsrfFailed:
    """Return the error for a reason of Django's."""
    if not reason.startswith(_BAD_ORIGIN):
        return CsrfFailed()
    origin = request.headers.get("Origin", "")[:_MAX_ORIGIN_CHARS]
    return OriginRefused(
        f"This server accepts no requests from pages of {origin}."
        " Behind a proxy with TLS it needs BEHIND_HTTPS=1;"
        " another address of its own belongs into CSRF_TRUSTED_ORIGINS."
    )
