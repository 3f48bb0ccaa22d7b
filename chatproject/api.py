"""The JSON API: every app's routes, and failures as JSON (docs/reference/errors.md)."""

import logging
from functools import lru_cache
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema

from chatproject.bodies import BoundedParser, parse_aside
from chatproject.describing.description import Description
from chatproject.describing.examples import add_examples
from chatproject.middleware.site import json_error
from sessions.access.auth import signed_in
from sessions.core import storage
from sessions.core.errors import ChatError, Unauthenticated
from sessions.web.agents.agents_api import router as agents
from sessions.web.agents.mcp_api import router as mcp_servers
from sessions.web.api import router as sessions_router
from sessions.web.blobs_api import router as blobs
from sessions.web.finding.history_api import router as history
from sessions.web.finding.search_api import router as search
from sessions.web.folders_api import router as folders
from sessions.web.projects_api import router as projects
from sessions.web.rules_api import router as rules
from sessions.web.tokens_api import router as tokens
from sessions.web.validation import invalid_request
from sessions.web.workspace.changes_api import router as changes
from sessions.web.workspace.clones_api import router as clones
from sessions.web.workspace.colours_api import router as colours
from sessions.web.workspace.files_api import router as files
from sessions.web.workspace.imports_api import router as imports
from sessions.web.workspace.paths_api import router as paths
from sessions.web.workspace.staging_api import router as staging
from sessions.web.workspace.worktree_api import router as worktree
from transport.back_api import router as back
from transport.commands_api import router as commands
from transport.personal_api import router as personal
from transport.queue_api import router as queue

logger = logging.getLogger(__name__)


async def authenticated(request: HttpRequest) -> User | None:
    """Return the request's user, and parse a long body: strangers' bodies are not parsed."""
    user = await signed_in(request)
    if user is not None:
        await parse_aside(request)
    return user


BEARER: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token of the account page, or of `.venv/bin/python manage.py create_token`.",
}


# Making the description takes a second of a processor, and anyone who is logged in may ask for it.
@lru_cache(maxsize=1)
def _description(*, api: NinjaAPI, path_prefix: str) -> OpenAPISchema:
    description = Description(api, path_prefix)
    description["components"]["securitySchemes"] = {"Bearer": BEARER}
    description["security"] = [{"Bearer": []}]
    add_examples(description)
    return description


class Api(NinjaAPI):
    """Ninja's API, which describes itself once and not for every request."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """Return the description of every route."""
        prefix = self.get_root_path(path_params or {}) if path_prefix is None else path_prefix
        return _description(api=self, path_prefix=prefix)


api: Final = Api(
    title="Backstay",
    version="1",
    description="Sessions and their logs. The stream and its commands: docs/reference/protocol.md.",
    auth=authenticated,
    parser=BoundedParser(),
    docs_decorator=login_required,
)
api.add_router("/chat", commands)
api.add_router("/chat", queue)
api.add_router("", imports)
api.add_router("/chat", back)
api.add_router("", sessions_router)
api.add_router("", agents)
api.add_router("", mcp_servers)
api.add_router("", personal)
api.add_router("", search)
api.add_router("", history)
api.add_router("", folders)
api.add_router("", clones)
api.add_router("", colours)
api.add_router("", projects)
api.add_router("", files)
api.add_router("", paths)
api.add_router("", changes)
api.add_router("", staging)
api.add_router("", worktree)
api.add_router("", blobs)
api.add_router("", tokens)
api.add_router("", rules)


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
    return error_response(request, invalid_request(error.errors))


@api.exception_handler(HttpError)
def _unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    # ninja's own, around the parser's: a body that is not JSON, or is too large.
    cause = error.__cause__
    if isinstance(cause, ChatError):
        return error_response(request, cause)
    return json_error(413 if isinstance(cause, RequestDataTooBig) else error.status_code)


@api.exception_handler(RequestDataTooBig)
def _too_large(_request: HttpRequest, _error: RequestDataTooBig) -> HttpResponse:
    return json_error(413)


@api.exception_handler(SuspiciousOperation)
@api.exception_handler(BadRequest)
@api.exception_handler(MultiPartParserError)
def _malformed(_request: HttpRequest, _error: Exception) -> HttpResponse:
    # A form: too many fields or files, or no boundary between them.
    return json_error(400)


@api.exception_handler(Exception)
def _failure(request: HttpRequest, error: Exception) -> HttpResponse:
    refusal = storage.refusal(error)
    if refusal is not None:
        logger.error(
            "a request could not be stored", extra={"path": request.path, "why": refusal.code}
        )
        return error_response(request, refusal)
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
