"""Answers that tests write into the log, piece by piece, without an agent."""

from __future__ import annotations

import asyncio
from typing import Any

from sessions.text.growing import render
from tests.browser.chat import Chat

Drafts = list[tuple[str, dict[str, Any]]]

_IDS = {"messageId": "m1", "blockId": "b1"}


class Answer:
    """The answer of one turn, with one block; the page of its person shows it."""

    def __init__(self, chat: Chat, session: str, kind: str) -> None:
        self.chat = chat
        self.session = session
        self.kind = kind
        self.text = ""

    @classmethod
    async def begun(
        cls, chat: Chat, kind: str = "text", *, prompt: str = "Write", opened: bool = True
    ) -> Answer:
        """Begin an answer to a prompt in a new session, and open its page."""
        session = chat.server.data.call("create_session", name=chat.name)
        answer = cls(chat, session, kind)
        await answer.append(
            [
                ("user_message", {"messageId": "m0", "clientMsgId": "c0", "text": prompt}),
                ("turn_start", {"turnId": "t1", "clientMsgId": "c0"}),
                ("message_start", {"messageId": "m1", "turnId": "t1", "role": "assistant"}),
                ("block_start", {**_IDS, "blockType": kind}),
            ]
        )
        if opened:
            await chat.open(f"/s/{session}")
        return answer

    async def write(self, text: str) -> None:
        """Stream a piece of text."""
        self.text += text
        await self.append([("block_delta", {**_IDS, "delta": text})])

    async def end(self, *, is_rendered: bool = False) -> None:
        """End the block, the answer and the turn. is_rendered: the block's end brings its HTML."""
        html = {"html": render(self.text)} if is_rendered else {}
        await self.append(
            [
                ("block_end", {**_IDS, "content": self.text, **html}),
                ("message_end", {"messageId": "m1"}),
                ("turn_end", {"turnId": "t1", "stopReason": "end_turn"}),
            ]
        )

    async def append(self, drafts: Drafts) -> None:
        """Append events to the log."""
        call = self.chat.server.data.call
        await asyncio.to_thread(call, "append_drafts", session=self.session, drafts=drafts)
