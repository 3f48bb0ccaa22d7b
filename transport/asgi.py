"""A stream as a plain ASGI answer: its opening, its writer, its end, and errors before it begins.

Streams are mounted in front of Django: a response of Django's own keeps a thread while it is open,
and an idle stream must hold neither a thread nor a database connection.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, Protocol, TypeVar

from sessions.core import storage
from sessions.core.errors import ChatError, ServerError
from transport.errors import MethodNotAllowed

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
T = TypeVar("T")

# How a server of ours lets a stream write past its coroutine, in the scope of the request.
OUTPUT: Final = "backstay.output"

STREAM_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # nginx would collect the frames otherwise.
    (b"x-accel-buffering", b"no"),
]


class Output(Protocol):
    """The connection of a stream: its socket takes bytes at once while it has room."""

    @property
    def is_full(self) -> bool:
        """Whether its client has to read before more is written."""

    def write_at_once(self, chunk: bytes) -> None:
        """Write whole frames behind those that were sent; a connection that is gone takes none."""


class Writer:
    """Writes the frames of one stream, and can disconnect a client that does not read them."""

    def __init__(self, send: Send, output: Output | None = None) -> None:
        self._send = send
        self._output = output
        self._waiting_since: float | None = None
        self._serving: asyncio.Task[Any] | None = None
        self._is_cut = False

    async def __call__(self, chunk: bytes) -> None:
        """Write whole frames; wait while the client's buffers are full."""
        self._waiting_since = asyncio.get_running_loop().time()
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        self._waiting_since = None

    @property
    def is_full(self) -> bool:
        """Whether the client's buffers are known to be full; `await writer(b"")` waits for them."""
        return self._output is not None and self._output.is_full

    @property
    def has_room(self) -> bool:
        """Whether frames can be written at once."""
        return self._output is not None and self._waiting_since is None and not self._output.is_full

    def at_once(self, chunk: bytes) -> None:
        """Write whole frames without waiting. Only while it has room."""
        if self._output is None:
            raise RuntimeError("this connection takes nothing at once")
        self._output.write_at_once(chunk)

    def stalled_s(self) -> float:
        """Return how long the stream has waited for its client; 0 while it does not."""
        if self._waiting_since is None:
            return 0.0
        return asyncio.get_running_loop().time() - self._waiting_since

    def cut(self) -> None:
        """End the stream although its client does not read."""
        self._is_cut = True
        if self._serving is not None:
            self._serving.cancel()

    async def serve(self, run: Callable[[], Awaitable[None]]) -> None:
        """Await run; a stream that was cut ends like any other."""
        self._serving = asyncio.current_task()
        try:
            await run()
        except asyncio.CancelledError:
            if not self._is_cut or self._serving is None:
                raise
            self._serving.uncancel()
        finally:
            self._serving = None


async def opened(scope: Scope, send: Send, opening: Callable[[Scope], Awaitable[T]]) -> T | None:
    """Return the result of opening; None when the request was answered by an error."""
    try:
        if scope["method"] != "GET":
            raise MethodNotAllowed
        return await opening(scope)
    except ChatError as exc:
        await send_error(send, exc)
    except Exception as exc:
        logger.exception("a stream could not be opened", extra={"path": scope["path"]})
        await send_error(send, storage.refusal(exc) or ServerError())
    return None


async def serve_sse(
    receive: Receive,
    send: Send,
    *,
    writer: Writer,
    run: Callable[[], Awaitable[None]],
    end: Callable[[], None],
    user_id: int,
) -> None:
    """Send run's frames as one response of a user. end is called once the client is gone."""
    headers = [*STREAM_HEADERS, (b"x-user-id", b"%d" % user_id)]
    listener = asyncio.create_task(_end_with_client(receive, end), name="client gone")
    try:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await writer.serve(run)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        listener.cancel()


async def _end_with_client(receive: Receive, end: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    end()


async def send_error(send: Send, exc: ChatError) -> None:
    """Answer a request with a JSON error."""
    body = json.dumps(exc.body()).encode()
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"content-length", str(len(body)).encode()),
    ]
    if "retryAfter" in exc.fields:
        headers.append((b"retry-after", str(exc.fields["retryAfter"]).encode()))
    await send({"type": "http.response.start", "status": exc.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
