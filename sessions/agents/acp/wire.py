"""The ACP library's transport, ordered and bounded.

The library starts a task for every incoming notification: a flood makes tasks without bound, and an
answer to a prompt can overtake the text before it. So this transport hands updates to the adapter
itself, in the order of the pipe and waiting for it, and gives the library only what it is good at:
requests and answers.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, Protocol

from sessions.agents.acp.framing import BrokenProtocol, MessageReader
from sessions.agents.processes.group import AgentProcess

logger = logging.getLogger(__name__)

# Requests of the agent that we have not answered. An agent that asks more at once is broken.
MAX_OPEN_REQUESTS = 64


class Sink(Protocol):
    """What the adapter hears, in the order of the pipe."""

    async def on_update(self, params: dict[str, Any]) -> None:
        """Take a session update; the pipe waits until it is taken."""
        ...

    async def on_answer(self, message: dict[str, Any]) -> None:
        """An answer to one of our requests, before the library sees it."""
        ...

    def on_refusal(self, error: str) -> None:
        """An error that answers no request: the agent rejects a notification of ours."""
        ...

    def on_request_sent(self, request_id: int, method: str) -> None:
        """Note that a request of ours is written."""
        ...


class AcpTransport:
    """One agent's pipes as the message transport that `connect_to_agent` takes."""

    def __init__(self, process: AgentProcess, sink: Sink) -> None:
        self._process = process
        self._sink = sink
        self._reader = MessageReader(process.stdout)
        self._write_lock = asyncio.Lock()
        self._open_requests = 0
        self._left_out = 0
        self.ended = asyncio.Event()
        self.broken: str | None = None

    @property
    def is_waiting(self) -> bool:
        """Return whether the reader waits for bytes of the agent."""
        return self._reader.is_waiting

    async def send(self, message: dict[str, Any]) -> None:
        """Write one message. Raises ConnectionError when the agent no longer reads."""
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        is_answer = "method" not in message
        if is_answer:
            self._open_requests -= 1
        try:
            async with self._write_lock:
                self._process.stdin.write(line)
                await self._process.stdin.drain()
        except (OSError, RuntimeError) as exc:
            if not is_answer:
                raise ConnectionError("The agent no longer reads.") from exc
            logger.debug("answer to an agent that is gone", extra={"pid": self._process.pid})
        if "id" in message and not is_answer:
            self._sink.on_request_sent(message["id"], message["method"])

    async def receive(self) -> dict[str, Any] | None:
        """Return the next request or answer, None at the end. Never raises.

        `broken` tells why it ended.
        """
        try:
            message = await self._next()
        except BrokenProtocol as exc:
            self.broken = str(exc)
            message = None
        except Exception as exc:
            # An end that nobody is told of would leave the turn open for good (I7).
            logger.warning("output not understood", extra={"pid": self._process.pid}, exc_info=exc)
            self.broken = f"its output cannot be read ({exc})"
            message = None
        if message is None:
            self.ended.set()
        return message

    async def close(self) -> None:
        """The process owns the pipes; nothing to do."""

    async def _next(self) -> dict[str, Any] | None:
        while (message := await self._reader.next()) is not None:
            method = message.get("method")
            if method == "session/update":
                await self._take_update(_object(message.get("params")))
            elif method is None and message.get("id") is not None:
                await self._sink.on_answer(message)
                return message
            elif method is None:
                self._sink.on_refusal(error_text(message.get("error")))
            elif "id" in message:
                await self._admit()
                return message
            else:
                logger.debug("notification ignored", extra={"method": str(method)[:80]})
        return None

    async def _take_update(self, params: dict[str, Any]) -> None:
        """Hand an update over; one that cannot be understood is left out, and the rest goes on."""
        try:
            await self._sink.on_update(params)
        except Exception as exc:
            # Told once for an agent: a flood of them is not to fill the server's log.
            level = logging.DEBUG if self._left_out else logging.WARNING
            logger.log(level, "update left out", extra={"pid": self._process.pid}, exc_info=exc)
            self._left_out += 1

    async def _admit(self) -> None:
        self._open_requests += 1
        if self._open_requests > MAX_OPEN_REQUESTS:
            raise BrokenProtocol(f"more than {MAX_OPEN_REQUESTS} open requests")


def error_text(error: Any) -> str:
    """Return the sentence of a JSON-RPC error object, its details included."""
    fields = _object(error)
    text = str(fields.get("message") or "unknown error")
    data = fields.get("data")
    details = data.get("details") or data.get("message") if isinstance(data, dict) else data
    return f"{text}: {details}"[:2000] if details else text[:2000]


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
