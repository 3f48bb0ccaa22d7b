"""A request: its body has a bound, and its streamed answer waits for its reader.

A request is collected before it is authenticated, so its size is bounded here.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from daphne.http_protocol import WebRequest

from chatproject.bodies import max_bytes
from chatproject.server.channel import OWN_HEADERS
from chatproject.server.gate import WriteGate
from chatproject.server.unfinished import unfinished
from sessions.core.conf import chat

logger = logging.getLogger(__name__)

# Of a body that is refused, this much is read and dropped: a client that sends all of it before it
# reads would otherwise see a broken connection instead of the answer.
DRAINED_BYTES: Final = 16 * 1024 * 1024

EVENT_STREAM: Final = b"text/event-stream"

TOO_LARGE: Final = "The body of the request is too large."
TOO_MANY: Final = "Too many requests arrive at once: try again in a few seconds."


@lru_cache(maxsize=16)
def _chunked(data: bytes) -> bytes:
    """Return a part of an answer as HTTP/1.1 frames it: once for all readers of one session."""
    return b"%x\r\n%s\r\n" % (len(data), data)


class Request(WebRequest):  # type: ignore[misc]  # daphne has no types
    """A request whose streamed answer waits for its reader."""

    gate: WriteGate | None = None
    # A stream decides by itself how long it waits for its reader.
    _is_stream = False
    is_refused = False
    _address = ""
    _max_bytes = 0
    _body_bytes = 0
    _held_bytes = 0

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # Twisted would parse forms a first time, and keep long bodies in files.
        self._parsePOSTFormSubmission = False

    def gotLength(self, length: int | None) -> None:  # noqa: N802 (Twisted's name)
        """Refuse a body that says that it is too long, before it comes."""
        self.content = io.BytesIO()
        self._max_bytes = max_bytes(self.channel.path)
        self._address = self.channel.address
        if length is not None and length > self._max_bytes:
            self._refuse_body(b"413 Content Too Large", "body_too_large", TOO_LARGE)

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 (Twisted's name)
        """Take one part of the body; daphne collects the whole of it first."""
        self._body_bytes += len(data)
        if self._body_bytes > self._max_bytes:
            self._refuse_body(b"413 Content Too Large", "body_too_large", TOO_LARGE)
        elif not self.is_refused and not self._hold(len(data)):
            self._refuse_body(b"503 Service Unavailable", "server_busy", TOO_MANY)
        if not self.is_refused:
            super().handleContentChunk(data)
        elif self._body_bytes > DRAINED_BYTES:
            self.channel.loseConnection()

    def _hold(self, size: int) -> bool:
        has_room = unfinished.take(self._address, size)
        self._held_bytes += size if has_room else 0
        return has_room

    def _release(self) -> None:
        unfinished.give_back(self._address, self._held_bytes)
        self._held_bytes = 0

    def process(self) -> Any:
        """Answer the request, which has arrived; one that was refused has its answer."""
        self._release()
        if self.is_refused:
            self.channel.loseConnection()
            return None
        # daphne would take the beginning of every path from it, from any client.
        self.requestHeaders.removeHeader(b"daphne-root-path")
        return super().process()

    def _refuse_body(self, status: bytes, code: str, sentence: str) -> None:
        # A client that waits for "100 Continue" does not send the body after all.
        self.requestHeaders.removeHeader(b"expect")
        self._release()
        self.content = io.BytesIO()
        self.channel.refuse(status, code, sentence)

    def handle_reply(self, message: Mapping[str, Any]) -> None:
        """Write one part of the answer; the first streamed part hangs the gate in."""
        if message.get("type") == "http.response.start":
            self._is_stream = any(
                value.startswith(EVENT_STREAM) for _, value in message.get("headers", ())
            )
        if message.get("type") == "http.response.body" and not self._is_over():
            if message.get("more_body"):
                self._hang_gate()
            else:
                self._take_gate_down()
        super().handle_reply(message)

    @property
    def is_full(self) -> bool:
        """Whether the socket has no room: see transport.asgi.Output."""
        return self.gate is None or not self.gate.is_open

    def write_at_once(self, chunk: bytes) -> None:
        """Write a part of a streamed answer that has begun, behind all that was written."""
        if self._is_over() or self._disconnected:
            return
        self.sentLength += len(chunk)
        self.channel.transport.write(_chunked(chunk) if self.chunked else chunk)

    def connectionLost(self, reason: object) -> None:  # noqa: N802 (Twisted's name)
        """Release the application: its further output is dropped."""
        self._release()
        if self.gate is not None:
            self.gate.stopProducing()
        super().connectionLost(reason)

    def basic_error(self, status: int, status_text: bytes, body: str) -> None:
        """Answer an error of the server's own; JSON where clients expect JSON."""
        if self._is_over() or self._response_started:
            self._cut()
            return
        if b"/api/" in self.path:
            kind = b"application/json"
            code = "invalid_request" if status < 500 else "server_error"
            content = json.dumps({"ok": False, "code": code, "error": body}).encode()
        else:
            kind = b"text/html"
            title = f"{status} {status_text.decode('ascii')}"
            content = (self.error_template % {"title": title, "body": body}).encode()
        headers = [(b"Content-Type", kind + b"; charset=utf-8"), *OWN_HEADERS]
        self.handle_reply({"type": "http.response.start", "status": status, "headers": headers})
        self.handle_reply({"type": "http.response.body", "body": content})

    async def wait_for_reader(self) -> None:
        """Return when there is room for more, or the connection is gone.

        A reader that takes nothing for ANSWER_STALL_S is disconnected: its answer holds memory.
        """
        if self.gate is None:
            return
        try:
            async with asyncio.timeout(None if self._is_stream else chat.ANSWER_STALL_S):
                await self.gate.wait()
        except TimeoutError:
            logger.info("a reader that had stopped reading its answer was disconnected")
            if self.channel is not None:
                self.channel.transport.abortConnection()

    def _is_over(self) -> bool:
        return bool(self.finished) or self.channel is None

    def _cut(self) -> None:
        # An error in the middle of an answer: ending it properly would call it complete.
        if self.channel is not None:
            self.channel.loseConnection()

    def _hang_gate(self) -> None:
        if self.gate is None:
            self.gate = WriteGate()
            self.registerProducer(self.gate, streaming=True)

    def _take_gate_down(self) -> None:
        if self.gate is not None:
            self.unregisterProducer()
            self.gate.stopProducing()
