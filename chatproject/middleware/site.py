"""Middleware of the site: the check of the host, JSON errors of the API."""

from collections.abc import Awaitable, Callable
from typing import Final

from asgiref.sync import markcoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware

from chatproject.bodies import max_bytes
from chatproject.middleware.on_loop import OnLoop


# ruff: noqa: ARG002 (not every middleware looks at the request)
class Middleware:
    """Sees every response of the site; a coroutine, so that it costs no thread."""

    async_capable = True
    sync_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Return the answer to the request, as `changed` makes it."""
        return self.changed(request, await self.get_response(request))

    def changed(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Return the response, or another one."""
        return response


# A load balancer asks these by an address, and no page there depends on the host.
PROBES: Final = frozenset({"/healthz", "/readyz"})


class HostMiddleware(OnLoop, CommonMiddleware):
    """Django's CommonMiddleware, which also refuses strange hosts; but probes may ask for any."""

    def process_request(self, request: HttpRequest) -> HttpResponsePermanentRedirect | None:
        """Return None, or a redirect of Django's. Raises DisallowedHost."""
        return None if request.path_info in PROBES else super().process_request(request)


class UserIdMiddleware(Middleware):
    """Names the user of each answer of the API: a page of another user drops it unread."""

    def changed(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Return the response with the id of its user, if it has one."""
        user = getattr(request, "auth", None)
        if user is not None:
            response.headers["X-User-ID"] = str(user.pk)
        return response


_API_ERRORS: Final = {
    400: ("invalid_request", "The request cannot be read."),
    403: ("forbidden", "The request is not allowed."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take this method."),
    413: ("body_too_large", "The body of the request is too large."),
    500: ("server_error", "The server failed at this request; it has been logged."),
}


def json_error(status: int) -> JsonResponse:
    """Return the JSON error body of docs/reference/errors.md for a bare status."""
    code, sentence = _API_ERRORS.get(status, ("error", "The request failed."))
    return JsonResponse({"ok": False, "code": code, "error": sentence}, status=status)


class BodySizeMiddleware(Middleware):
    """Refuses a body that says that it is too long for its route, under whichever server."""

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Return the answer to the request, or 413."""
        length = str(request.META.get("CONTENT_LENGTH") or "")
        if length.isdigit() and int(length) > max_bytes(request.path):
            return HttpResponse(status=413)
        return await self.get_response(request)


class JsonErrorsMiddleware(Middleware):
    """Turns every error page under /api/ into JSON, whichever part of Django made it."""

    def changed(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Return the response, or the JSON error in its place."""
        if response.status_code < 400 or not request.path_info.startswith("/api/"):
            return response
        if response.headers.get("Content-Type", "").startswith("application/json"):
            return response
        error = json_error(response.status_code)
        if "Allow" in response.headers:
            error.headers["Allow"] = response.headers["Allow"]
        return error
