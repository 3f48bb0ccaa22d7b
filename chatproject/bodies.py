"""The bodies of requests: their sizes by route, and their JSON, parsed within bounds.

A prompt may be long, and an upload longer; every other body is small.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final, cast

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from ninja.parser import Parser

from chatproject.base_path import without_base
from sessions.core.conf import chat
from sessions.limits import json_body

SMALL_BYTES: Final = 65_536
WITH_PROMPTS: Final = frozenset({"/api/chat/send", "/api/chat/interrupt", "/api/chat/edit"})
# A draft of a session is as long as its prompt may be.
DRAFTS: Final = re.compile(r"/api/sessions/[0-9a-fA-F-]{36}/draft")
UPLOADS: Final = "/api/blobs/"
MEGABYTE: Final = 1024 * 1024
# A longer body is parsed in a thread: its text alone may take some milliseconds.
_ASIDE_BYTES: Final = 65_536
_PARSED: Final = "parsed_body"


def max_bytes(path: str) -> int:
    """Return how many bytes the body of a request for a path may have."""
    path = without_base(path)
    if path.startswith(UPLOADS):
        return chat.UPLOAD_MB * MEGABYTE
    is_long = path in WITH_PROMPTS or DRAFTS.fullmatch(path)
    return int(settings.PROMPT_BODY_BYTES) if is_long else SMALL_BYTES


def body_of(request: HttpRequest) -> bytes:
    """Return the body of a request. Raises RequestDataTooBig."""
    if len(request.body) > max_bytes(request.path):
        raise RequestDataTooBig
    return request.body


async def parse_aside(request: HttpRequest) -> None:
    """Parse a long body in a thread, for BoundedParser to find. Raises InvalidRequest."""
    body = body_of(request)
    if len(body) > _ASIDE_BYTES:
        setattr(request, _PARSED, await asyncio.to_thread(json_body.parse, body))


class BoundedParser(Parser):
    """Parses a body of bounded size into a bounded number of values."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """Return the JSON value of the body. Raises InvalidRequest, RequestDataTooBig."""
        if hasattr(request, _PARSED):
            return cast("dict[str, Any]", getattr(request, _PARSED))
        return cast("dict[str, Any]", json_body.parse(body_of(request)))
