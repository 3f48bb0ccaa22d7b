"""The ASGI entry of every server process."""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")

# Must come first: it fills the app registry that the imports of any routing need.
django_application = get_asgi_application()

from chatproject import probe  # noqa: E402
from chatproject.base_path import local_path, with_base_path  # noqa: E402
from chatproject.door import with_door  # noqa: E402
from chatproject.headers import with_security_headers  # noqa: E402
from chatproject.hosts import is_host_allowed  # noqa: E402
from sessions.core.reserves.memory import spare_memory  # noqa: E402
from sessions.core.reserves.threads import request_threads  # noqa: E402
from transport.feed import app as feed  # noqa: E402 (needs the app registry)
from transport.live import app as live  # noqa: E402

Message = MutableMapping[str, Any]


async def route(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Route a request: streams bypass Django's request cycle, everything else is Django's."""
    if scope["type"] == "http":
        local = {**scope, "path": local_path(scope)}
        if probe.is_probe(local):
            await probe.answer(local, send)
            return
        # Django refuses a strange host, so it gets the streams of one.
        is_known = is_host_allowed(scope)
        if is_known and local["path"] == live.PATH:
            await live.stream_app(local, receive, send)
        elif is_known and feed.is_ours(local):
            await feed.feed_app(local, receive, send)
        else:
            # Memory may have run out since the last look: a way out needs what is kept for it.
            spare_memory.look()
            async with request_threads.lent():
                await django_application(dict(scope), receive, send)  # type: ignore[arg-type]  # ASGI's
    elif scope["type"] == "websocket":
        # There are none here: closed before it is accepted, which a server answers with 403.
        await send({"type": "websocket.close"})
    else:
        # Daphne has no lifespan.
        raise ValueError(f"There is no application for {scope['type']}.")


secured = with_security_headers(with_door(route))


async def application(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Serve a request, wherever the site begins on its host."""
    placed = with_base_path(dict(scope)) if scope["type"] == "http" else scope
    await secured(placed, receive, send)
