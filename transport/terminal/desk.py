"""The desk of a person at a terminal: the client, the screen, and the chat that comes next."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from sessions.text.asking import inset
from transport.client import Answer, Client
from transport.terminal.showing.screen import Screen

Words = dict[str, Callable[[str], Awaitable[None]]]


class Desk:
    """Shared by the commands. agent: of new chats, None for the server's choice."""

    def __init__(self, client: Client, screen: Screen, *, agent: str | None) -> None:
        self.client = client
        self.screen = screen
        self.agent = agent
        # Of the next chat, beside its agent: projectId, worktree, options, mode.
        self.wishes: dict[str, Any] = {}
        self._draft = self._another_draft()

    @property
    def session_id(self) -> str | None:
        """The session that is open."""
        return self.screen.session_id

    def say(self, line: str) -> None:
        """Write a line of its own."""
        self.screen.line(line)

    def failed(self, answer: Answer) -> bool:
        """Show a refusal; return whether it was one."""
        is_refusal = not answer.body.get("ok")
        if is_refusal:
            self.say(f"! {inset(str(answer.body.get('error', answer.status)))}")
        return is_refusal

    def opened(self) -> str | None:
        """Return the session that is open; say so where there is none."""
        if self.session_id is None:
            self.say("No session is open.")
        return self.session_id

    def open(self, session_id: str) -> None:
        """Show a session."""
        self.screen.open(session_id)
        self.client.watch(session_id)

    def begin(self, agent: str = "", **wishes: Any) -> None:
        """Let the next prompt begin a chat."""
        self.screen.open(None)
        self.agent = agent or self.agent
        self.wishes = wishes
        self._draft = self._another_draft()

    def place(self) -> dict[str, Any]:
        """Return where the next prompt belongs, as Client.send takes it.

        Prompts typed before a new session has its id belong to it as well.
        """
        if self.session_id is not None:
            return {"session_id": self.session_id}
        return {"draft": self._draft, "agent": self.agent, **self.wishes}

    async def command(self, name: str, **body: Any) -> Answer | None:
        """Send a command about the session that is open; a refusal is shown, and None returned."""
        session_id = self.opened()
        if session_id is None:
            return None
        answer = await self.client.command(name, sessionId=session_id, **body)
        return None if self.failed(answer) else answer

    async def read(self, path: str, has: str, /, **query: Any) -> dict[str, Any] | None:
        """Return a page that has a field, else show the refusal. path: behind the session's."""
        session_id = self.opened()
        if session_id is None:
            return None
        return await self.read_page(f"/api/sessions/{session_id}{path}", has, **query)

    async def read_page(self, path: str, has: str, /, **query: Any) -> dict[str, Any] | None:
        """Return a page that has a field; show the refusal where it does not."""
        answer = await self.client.get(path, **query)
        if has in answer.body:
            return answer.body
        self.failed(answer)
        return None

    @staticmethod
    def _another_draft() -> str:
        # An outbox that a terminal has left behind knows the drafts of before.
        return f"terminal {uuid.uuid4()}"
