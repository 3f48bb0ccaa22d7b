"""A connection over which a browser takes the commands of WebDriver BiDi."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol

from lab.browsers.tab import PATIENCE_S, TabFailed

Json = dict[str, Any]


class Bidi:
    """The commands, one after the other; the browser's events are dropped."""

    def __init__(self, socket: _Socket, loop: asyncio.AbstractEventLoop) -> None:
        self._messages = socket.messages
        self._send: Callable[[bytes], None] = socket.sendMessage
        self._loop = loop
        self._numbers = count(1)

    def call(self, method: str, **params: Any) -> Any:
        """Return the result of a command. Raises TabFailed, TimeoutError."""
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": params}
        self._send(json.dumps(command).encode())
        waiting = asyncio.wait_for(self._answer(number), PATIENCE_S)
        answer = self._loop.run_until_complete(waiting)
        if answer["type"] == "error":
            raise TabFailed(f"{method}: {answer['error']}: {answer['message']}")
        return answer["result"]

    async def _answer(self, number: int) -> Json:
        while (message := await self._messages.get()).get("id") != number:
            pass
        return message


class _Socket(WebSocketClientProtocol):
    """A socket that keeps what comes; an end before its opening fails the opening."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: asyncio.Queue[Json] = asyncio.Queue()
        self.opened: asyncio.Future[None] = asyncio.Future()

    def onOpen(self) -> None:  # noqa: N802 (the library's name)
        self.opened.set_result(None)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: ARG002, FBT001, N802, N803
        self.messages.put_nowait(json.loads(payload))

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: ARG002, FBT001, N802, N803
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(f"no connection: {code} {reason}"))


@contextmanager
def connected(address: str) -> Iterator[Bidi]:
    """Give a connection to a browser that listens at ws://host:port/path."""
    parts = urlsplit(address)
    with asyncio.Runner() as runner:
        loop = runner.get_loop()

        make: Callable[..., Any] = WebSocketClientFactory
        factory = make(address, loop=loop)
        factory.protocol = _Socket

        async def connect() -> _Socket:
            _, socket = await loop.create_connection(factory, str(parts.hostname), parts.port or 0)
            assert isinstance(socket, _Socket)
            await asyncio.wait_for(socket.opened, PATIENCE_S)
            return socket

        socket = runner.run(connect())
        try:
            yield Bidi(socket, loop)
        finally:
            socket.sendClose()
