"""A person at the terminal client, before a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.client.waiting import PATIENCE_S, until
from tests.support.server import Server
from transport.terminal.terminal import Terminal


class Sitting:
    """One session of a server in one terminal. running: the terminal's task."""

    def __init__(self, server: Server, session: str) -> None:
        self.server = server
        self.session = session
        self._written: list[str] = []
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        terminal = Terminal(
            server.url,
            server.token("alice"),
            write=self._written.append,
            agent=None,
            session_id=session,
        )
        self.running = asyncio.create_task(terminal.run(self._typed()))

    @property
    def text(self) -> str:
        """Everything that the terminal has shown since the last `clear`."""
        return "".join(self._written)

    def clear(self) -> None:
        """Forget all that was shown."""
        del self._written[:]

    def types(self, *lines: str | None) -> None:
        """Type lines; None is the end of the input."""
        for line in lines:
            self._lines.put_nowait(line)

    async def shows(self, text: str, *, within_s: float = PATIENCE_S) -> None:
        """Wait until a text was shown."""
        await until(lambda: text in self.text, within_s)

    async def call(self, function: str, **arguments: Any) -> Any:
        """Call the back door of the server for this session."""
        arguments = {"session": self.session, **arguments}
        return await asyncio.to_thread(self.server.data.call, function, **arguments)

    def log(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the events of these types."""
        events = self.server.data.call("events", session=self.session)
        return [event for event in events if event["type"] in kinds]

    async def end(self) -> None:
        """Wait until the terminal has ended by itself."""
        await asyncio.wait_for(self.running, 3 * PATIENCE_S)

    async def _typed(self) -> AsyncIterator[str]:
        while (line := await self._lines.get()) is not None:
            yield line


@asynccontextmanager
async def sitting(
    server: Server, *, agent: str | None = "demo", begin: Callable[..., object] | None = None
) -> AsyncIterator[Sitting]:
    """Sit down before a new session of a server; in the end the terminal has ended.

    begin: fills the session before the terminal starts.
    """
    named = {"agent": agent} if agent else {}
    session = await asyncio.to_thread(server.data.call, "create_session", name="alice", **named)
    if begin is not None:
        await asyncio.to_thread(begin, session=session)
    one = Sitting(server, session)
    try:
        yield one
        one.types(":quit")
        await one.end()
    finally:
        one.running.cancel()
        await asyncio.gather(one.running, return_exceptions=True)
