"""The ACP library's transport, ordered and bounded.

The library starts a task for every incoming notification: a flood makes tasks without bound, and an
answer to a prompt can overtake the text before it. So this transport hands updates to the adapter
itself, in the order of the pipe and waiting for it, and leaves to the library
our requests and their answers. Permission requests it hands over, too: the library refuses
them for one unknown word.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine
from typing import Any, Protocol

from sessions.agents.acp.pipe.framing import BrokenProtocol, MessageReader
from sessions.agents.processes.group import AgentProcess
from sessions.core.clean import clean, clean_text

logger = logging.getLogger(__name__)

# Requests of the agent that we have not answered. An agent that asks more at once is broken.
MAX_OPEN_REQUESTS = 64
MAX_ERROR_CHARS = 2000
PERMISSION = "session/request_permission"
QUESTION = "elicitation/create"
# An agent takes a request of its own back: the library does not know it.
CANCEL_REQUEST = "$/cancel_request"
# JSON-RPC code of ACP's "authentication required".
AUTH_REQUIRED = -32000

Json = dict[str, Any]


class Sink(Protocol):
    """The adapter, as the pipe sees it: called in the order of the messages."""

    async def on_update(self, params: Json) -> None:
        """Take a session update, which is not clean; the pipe waits until it is taken."""
        ...

    async def on_permission(self, request_id: Any, params: Json) -> None:
        """Take a permission request; `reply` sends its result."""
        ...

    async def on_question(self, request_id: Any, params: Json) -> None:
        """Take a question; `reply` sends its result."""
        ...

    async def on_withdrawn(self, request_id: Any) -> None:
        """Close the request that the agent takes back."""
        ...

    async def on_notification(self, method: str) -> None:
        """Take a notification of another kind, which may tell that the agent is idle."""
        ...

    def on_lost(self, kind: str) -> None:
        """Note that a message was left out; kind: a description of it."""
        ...

    async def on_answer(self, message: Json) -> None:
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
        self._reader = MessageReader(process.stdout, lost=sink.on_lost)
        self._write_lock = asyncio.Lock()
        self._open_requests = 0
        self._replies: set[asyncio.Task[None]] = set()
        self.ended = asyncio.Event()
        self.broken: str | None = None

    @property
    def is_waiting(self) -> bool:
        """Return whether the reader waits for bytes of the agent."""
        return self._reader.is_waiting

    def reply(self, request_id: Any, result: Json) -> None:
        """Answer a request of the agent without waiting: the agent may read late."""
        answer = {"jsonrpc": "2.0", "id": request_id, "result": result}
        task = asyncio.create_task(self.send(answer), name=f"agent-reply-{self._process.pid}")
        self._replies.add(task)
        task.add_done_callback(self._replies.discard)

    async def send(self, message: Json) -> None:
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

    async def receive(self) -> Json | None:
        """Return the next request or answer, None at the end. Never raises.

        `broken` tells why it ended.
        """
        try:
            message = await self._next()
        except BrokenProtocol as exc:
            self.broken = str(exc)
            message = None
        except Exception as exc:
            # An end that is not told would leave the turn open forever (I7).
            logger.warning("output not understood", extra={"pid": self._process.pid}, exc_info=exc)
            self.broken = f"its output cannot be read ({exc})"
            message = None
        if message is None:
            self.ended.set()
        return message

    async def close(self) -> None:
        """End the answers that are still to be written; the process owns the pipes."""
        for task in list(self._replies):
            task.cancel()
        await asyncio.gather(*self._replies, return_exceptions=True)

    async def _next(self) -> Json | None:
        while (message := await self._reader.next()) is not None:
            method, request_id = message.get("method"), message.get("id")
            if method == "session/update":
                await self._hand_over(self._sink.on_update(_object(message.get("params"))))
            elif method is None and request_id is not None:
                await self._sink.on_answer(clean(message))
                return message
            elif method is None:
                if "error" in message:  # else it is a line of a log
                    self._sink.on_refusal(error_text(message["error"]))
            elif method in (PERMISSION, QUESTION) and "id" in message:
                await self._admit()
                params = clean(_object(message.get("params")))
                is_question = method == QUESTION
                take = self._sink.on_question if is_question else self._sink.on_permission
                await self._hand_over(take(request_id, params))
            elif method == CANCEL_REQUEST:
                taken_back = _object(message.get("params")).get("requestId")
                await self._hand_over(self._sink.on_withdrawn(taken_back))
            elif "id" in message:
                await self._admit()
                return message
            else:
                await self._hand_over(self._sink.on_notification(str(method)[:80]))
        return None

    async def _hand_over(self, taking: Coroutine[Any, Any, None]) -> None:
        """Let the adapter take a message; one that it cannot take is left out, the rest comes."""
        try:
            await taking
        except Exception as exc:
            logger.debug("message left out", extra={"pid": self._process.pid}, exc_info=exc)
            self._sink.on_lost("a message of a wrong form")

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
    return clean_text(f"{text}: {details}" if details else text)[:MAX_ERROR_CHARS]


def wants_log_in(error: Any) -> bool:
    """Return whether a JSON-RPC error object asks for a log-in."""
    return _object(error).get("code") == AUTH_REQUIRED


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
