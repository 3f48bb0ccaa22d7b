"""The hands of a person at a client: they write prompts and send commands, each once."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

import httpx

from lab.chaos.evidence import Json
from lab.chaos.people.client_record import ClientRecord
from transport.client import Client
from transport.client.commands import UNANSWERED, Answer

SEND_TIMEOUT_S: Final = 5.0
# Git works on a machine that is overloaded.
WORK_TIMEOUT_S: Final = 20.0


class Hands:
    """Writes at a client. client: that of the present life, None while it is off."""

    def __init__(
        self, record: ClientRecord, client: Callable[[], Client | None], *, random: Random
    ) -> None:
        self.record = record
        self._client = client
        self._random = random

    @property
    def is_off(self) -> bool:
        """Whether there is no client now."""
        return self._client() is None

    @property
    def client(self) -> Client:
        """The client of the present life."""
        client = self._client()
        if client is None:
            raise RuntimeError("the device is off")
        return client

    def new_id(self) -> str:
        """Draw the name of a prompt."""
        return f"{self.record.record.device}-{self._random.getrandbits(48):012x}"

    def write(self, text: str, *, client_msg_id: str | None = None, **options: Any) -> None:
        """Send a prompt; {id} in its text is its own name."""
        name = client_msg_id or self.new_id()
        text = text.replace("{id}", name)
        self.client.send(text, client_msg_id=name, agent="demo", mode="auto", **options)

    async def post(
        self, name: str, body: Json, *, timeout_s: float = SEND_TIMEOUT_S
    ) -> Answer | None:
        """Send a command once; None without an answer, which is shown and not repeated."""
        try:
            return await self.client.command(name, timeout_s=timeout_s, **body)
        except (*UNANSWERED, RuntimeError):
            return None

    async def change(self, path: str, **body: Any) -> Answer | None:
        """Change something beside the chats, as `post` does."""
        try:
            return await self.client.post(path, timeout_s=WORK_TIMEOUT_S, **body)
        except (*UNANSWERED, RuntimeError):
            return None

    async def read(self, path: str) -> Json:
        """Return a page; empty without an answer."""
        try:
            answer = await self.client.get(path)
        except (*UNANSWERED, RuntimeError):
            return {}
        return answer.body if answer.status == httpx.codes.OK else {}
