"""The JSON API: every app's routes, and failures as JSON (docs/reference/errors.md)."""

import logging
from collections.abc import Iterable
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from chatproject.middleware import json_error
from sessions.access.auth import signed_in
from sessions.core import storage
from sessions.core.errors import ChatError, InvalidRequest, StorageFull, Unauthenticated
from sessions.web.api import router as sessions_router
from sessions.web.folders_api import router as folders
from transport.commands_api import router as commands

logger = logging.getLogger(__name__)

api: Final = NinjaAPI(
    title="Backstay",
    version="1",
    description="Sessions and their logs. The stream and its commands: docs/reference/protocol.md.",
    auth=signed_in,
    docs_decorator=login_required,
)
api.add_router("/chat", commands)
api.add_router("", sessions_router)
api.add_router("", folders)


def error_response(request: HttpRequest, error: ChatError) -> HttpResponse:
    """Return the JSON answer of an error, with Retry-After where it says how long to wait."""
    response = api.create_response(request, error.body(), status=error.status)
    wait_s = error.fields.get("retryAfter")
    if wait_s is not None:
        response["Retry-After"] = str(wait_s)
    return response


@api.exception_handler(ChatError)
def _chat_error(request: HttpRequest, error: ChatError) -> HttpResponse:
    return error_response(request, error)


@api.exception_handler(AuthenticationError)
def _unauthenticated(request: HttpRequest, _error: AuthenticationError) -> HttpResponse:
    return error_response(request, Unauthenticated())


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields = _named(error.errors)
    return error_response(request, InvalidRequest(_sentence(fields), fields=fields))


@api.exception_handler(HttpError)
def _unreadable(_request: HttpRequest, error: HttpError) -> HttpResponse:
    # ninja's own: a body that is not JSON, or is larger than Django takes.
    too_large = isinstance(error.__cause__, RequestDataTooBig)
    return json_error(413 if too_large else error.status_code)


@api.exception_handler(RequestDataTooBig)
def _too_large(_request: HttpRequest, _error: RequestDataTooBig) -> HttpResponse:
    return json_error(413)


@api.exception_handler(Exception)
def _failure(request: HttpRequest, error: Exception) -> HttpResponse:
    if storage.is_full(error):
        logger.error("a request found no room on the disk", extra={"path": request.path})
        return error_response(request, StorageFull(retryAfter=storage.RETRY_AFTER_S))
    # Our own mistakes: the log has the details, the client gets none.
    logger.error("a request failed", extra={"path": request.path}, exc_info=error)
    return json_error(500)


@api.exception_handler(Http404)
def _not_found(_request: HttpRequest, _error: Http404) -> HttpResponse:
    return json_error(404)


@csrf_exempt  # a 404 for scripts too, not a 403
async def unknown_path(_request: HttpRequest) -> HttpResponse:
    """Answer requests without a route under /api/."""
    return json_error(404)


def _named(errors: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return the faults by field: the last name of each error's place."""
    return {
        str(next((part for part in reversed(error["loc"]) if isinstance(part, str)), "body")): (
            error["msg"]
        )
        for error in errors
    }


def _sentence(fields: dict[str, str]) -> str:
    return "; ".join(f"{name}: {problem}" for name, problem in fields.items()) + "."
