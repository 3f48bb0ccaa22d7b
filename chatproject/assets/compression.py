"""Compression of the chat page and of answers of the API.

An attacker who sees the length of a compressed answer and puts words into it could guess a secret
in it. So pages of the account, links and log-ins are never compressed, nor any answer to a POST.
The chat page holds no secret but masked tokens. The API answers no other site's requests, because
these lack the log-in's key. Django adds a random length to both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

from chatproject.middleware.site import Middleware

# A shorter answer fits into one packet.
MIN_BYTES: Final = 1_024


class CompressionMiddleware(Middleware):
    """Compresses long answers in a thread; streamed parts pass as they come."""

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> None:
        super().__init__(get_response)
        self._gzip = GZipMiddleware(lambda _request: HttpResponse())

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Return the answer to the request, compressed where that is safe and of use."""
        response = await self.get_response(request)
        if not isinstance(response, HttpResponse) or not _is_safe(request, response):
            return response
        if len(response.content) < MIN_BYTES:
            return response
        return await asyncio.to_thread(self._gzip.process_response, request, response)


def _is_safe(request: HttpRequest, response: HttpResponse) -> bool:
    kind = response.headers.get("Content-Type", "")
    is_page = request.path_info == "/" or request.path_info.startswith("/s/")
    is_api = request.path_info.startswith("/api/")
    is_read = request.method == "GET" and response.status_code == HTTPStatus.OK
    return is_read and (
        (is_page and kind.startswith("text/html"))
        or (is_api and kind.startswith("application/json"))
    )
