"""Django's middleware on the event loop, without a thread for each of its steps.

Django takes a step of its middleware to a thread, since the step may read a database: ten threads'
turns for one request. These steps read none, but for a session or messages that are to be saved.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import markcoroutinefunction, sync_to_async
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.deprecation import MiddlewareMixin


class OnLoop(MiddlewareMixin):
    """A mixin before a middleware of Django's, under a server that is asynchronous."""

    async def __acall__(self, request: HttpRequest) -> Any:
        """Return the answer to the request."""
        before = getattr(self, "process_request", None)
        response: Any = before(request) if before is not None else None
        if response is None:
            response = await cast("Awaitable[Any]", self.get_response(request))
        behind = getattr(self, "process_response", None)
        if behind is None:
            return response
        if self.has_to_save(request):
            return await sync_to_async(behind, thread_sensitive=True)(request, response)
        return behind(request, response)

    def has_to_save(self, request: HttpRequest) -> bool:  # noqa: ARG002 (for those that do)
        """Return whether the step behind the view uses the database."""
        return False


class OnLoopSessionMiddleware(OnLoop, SessionMiddleware):
    """Django's sessions."""

    def has_to_save(self, request: HttpRequest) -> bool:
        """Return whether the session was changed."""
        return request.session.modified


class OnLoopAuthenticationMiddleware(OnLoop, AuthenticationMiddleware):
    """Django's users: read by the view that asks for one."""


class OnLoopMessageMiddleware(OnLoop, MessageMiddleware):
    """Django's messages."""

    def has_to_save(self, request: HttpRequest) -> bool:
        """Return whether messages were shown or added."""
        messages: Any = getattr(request, "_messages", None)
        return messages is not None and (messages.used or messages.added_new)


class OnLoopCsrfMiddleware(OnLoop, CsrfViewMiddleware):
    """Django's check of forms: the token is in a cookie."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        if self.async_mode:
            check = self.process_view

            async def process_view(
                request: HttpRequest, callback: Callable[..., Any], args: Any, kwargs: Any
            ) -> HttpResponse | None:
                return check(request, callback, args, kwargs)

            self.__dict__["process_view"] = markcoroutinefunction(process_view)
