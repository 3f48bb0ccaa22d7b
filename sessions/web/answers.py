"""Typed answers of the API: their schemas for /api/docs, without a second validation."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Any, Final, Generic, Literal, NotRequired, TypeVar

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from typing_extensions import TypedDict

Data = TypeVar("Data")

JSON: Final = "application/json; charset=utf-8"
_TAG_DIGITS: Final = 32


class JsonAnswer(JsonResponse, Generic[Data]):
    """A JSON answer whose shape the type checker has seen.

    ninja would validate it again, drop fields that it does not know, and copy it: too much for a
    page of messages, and wrong for one that another version has written.
    """

    def __init__(self, data: Data, *, status: int = HTTPStatus.OK) -> None:
        super().__init__(data, status=status, content_type=JSON)


class EncodedAnswer(HttpResponse, Generic[Data]):
    """A JSON answer that a thread has made and encoded."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content, content_type=JSON)


def unless_held(request: HttpRequest, answer: EncodedAnswer[Any]) -> HttpResponseBase:
    """Return the answer under a name of its content, or 304 where the request has that name."""
    answer["ETag"] = f'"{hashlib.sha256(answer.content).hexdigest()[:_TAG_DIGITS]}"'
    held: HttpResponseBase = (
        get_conditional_response(request, etag=answer["ETag"], response=answer) or answer
    )
    return held


class Done(TypedDict):
    """The answer to a change that has no more to say."""

    ok: Literal[True]


DONE: Final[Done] = {"ok": True}


class ErrorAnswer(TypedDict):
    """An error: docs/reference/errors.md. More fields come with the case."""

    ok: Literal[False]
    code: str
    error: str
    fields: NotRequired[dict[str, str]]
    clientMsgId: NotRequired[str]
    sessionId: NotRequired[str]
    retryAfter: NotRequired[int]


READING_ERRORS: Final = frozenset({400, 401, 404, 429, 500, 503})
COMMAND_ERRORS: Final = frozenset({400, 401, 403, 404, 409, 413, 429, 500, 503})


def reading(answer: Any, *, status: int = HTTPStatus.OK) -> dict[Any, Any]:
    """Return the schemas of a route that reads, by status."""
    return {int(status): answer, READING_ERRORS: ErrorAnswer}


def command(answer: Any, *, status: int = HTTPStatus.OK) -> dict[Any, Any]:
    """Return the schemas of a route that changes something, by status."""
    return {int(status): answer, COMMAND_ERRORS: ErrorAnswer}
