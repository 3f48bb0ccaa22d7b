"""Permission requests of a session without an agent: appended by tests, which count the answers."""

from __future__ import annotations

import asyncio
from typing import Any

from playwright.async_api import Locator, Route, expect

from tests.browser.chat import Chat

ALLOW = {"id": "allow", "kind": "allow_once", "label": "Allow once"}
ALWAYS = {"id": "always", "kind": "allow_always", "label": "Allow always"}
REJECT = {"id": "reject", "kind": "reject_once", "label": "Reject"}


class Requests:
    """The requests of one session, answered as a server answers them."""

    def __init__(self, chat: Chat, session: str) -> None:
        self.chat = chat
        self.session = session
        self.answers: list[dict[str, Any]] = []
        self.cards: Locator = chat.page.locator(".permission")
        self.armed: Locator = chat.page.locator('.permission[data-armed="true"]')

    @classmethod
    async def opened(cls, chat: Chat) -> Requests:
        """Open a session of the person without an agent."""
        session = chat.server.data.call("create_session", name=chat.name)
        requests = cls(chat, session)
        await chat.page.route("**/api/chat/permission", requests._answer)
        await chat.open(f"/s/{session}")
        return requests

    async def ask(self, *inputs: Any, **more: Any) -> None:
        """Append one request per input."""
        await self.append(
            [
                (
                    "permission_request",
                    {
                        "permId": f"p{number}",
                        "toolName": "run",
                        "title": "",
                        "input": given,
                        "options": [ALLOW, ALWAYS, REJECT],
                        "expiresAt": "2099-01-01T00:00:00.000Z",
                        "digest": f"d{number}",
                        **more,
                    },
                )
                for number, given in enumerate(inputs, 1)
            ]
        )
        await expect(self.cards).to_have_count(1)

    async def _answer(self, route: Route) -> None:
        body = route.request.post_data_json
        self.answers.append(body)
        await route.fulfill(json={"ok": True})
        resolved = {
            "permId": body["permId"],
            "decision": body["optionId"],
            "by": "user",
            "reason": "answered",
        }
        await self.append([("permission_resolved", resolved)])

    async def append(self, drafts: list[tuple[str, dict[str, Any]]]) -> None:
        """Append events to the log."""
        call = self.chat.server.data.call
        await asyncio.to_thread(call, "append_drafts", session=self.session, drafts=drafts)

    def answered(self) -> list[str]:
        """Return the ids of the requests that were answered."""
        return [answer["permId"] for answer in self.answers]
