"""A shell inside an agent: what the commands of a session of the demo agent print."""

from __future__ import annotations

import shlex
import uuid
from pathlib import Path
from typing import Any

import httpx

from tests.agents.talking import Talk

Json = dict[str, Any]


class Shell:
    """One session of the demo agent, which runs commands without asking."""

    def __init__(self, http: httpx.Client, **options: str) -> None:
        """options: more fields of the first prompt, such as cwd."""
        self._talk = Talk(http)
        receipt = self._talk.post(
            "send",
            clientMsgId=str(uuid.uuid4()),
            sessionId=None,
            text="/run pwd",
            agent="demo",
            mode="auto",
            **options,
        )
        self.session_id = receipt["sessionId"]
        self.folder = Path(self._result(receipt).strip())

    def run(self, command: str) -> str:
        """Return what a command prints, errors too."""
        return self._result(self._talk.send(f"/run {command}", self.session_id))

    def python(self, code: str, *arguments: object) -> str:
        """Return what a program prints; its arguments are strings in sys.argv."""
        return self.run(shlex.join(["python3", "-c", code, *map(str, arguments)]))

    def _result(self, receipt: Json) -> str:
        prompt = self._talk.settled(receipt)
        assert prompt["promptState"] == "answered", prompt
        taken = self._talk.snapshot(self.session_id)["messages"]
        blocks = [block for message in taken for block in message.get("blocks", ())]
        return [block["result"] or "" for block in blocks if block["toolId"]][-1]
