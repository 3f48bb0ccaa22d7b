"""Chats from elsewhere, in a terminal: listed with numbers, continued here, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sessions.text.asking import inset, one_line
from transport.terminal.acts.numbered import number_of
from transport.terminal.desk import Desk, Words

HELP: Final = """\
:chats [FOLDER] list chats of the agent that began outside of Backstay, in this folder or another
:import N       continue one of them here
:terminal       show the agent's own command that continues this chat in a terminal
"""
# The agent is started for it, and tells a whole chat.
WAIT_S: Final = 90.0
SHOWN_CHARS: Final = 80


class Importing:
    """The chats that were listed last."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._listed: list[dict[str, Any]] = []

    @property
    def words(self) -> Words:
        """Return the commands by their words; each takes the rest of its line."""
        return {":chats": self._show, ":import": self._import, ":terminal": self._command}

    async def _show(self, rest: str) -> None:
        agent = await self._named_agent()
        path = f"/api/agents/{quote(agent, safe='')}/sessions"
        answer = await self._desk.client.get(path, timeout_s=WAIT_S, cwd=_folder(rest))
        if "sessions" not in answer.body:
            self._desk.failed(answer)
            return
        self._listed = answer.body["sessions"]
        for number, chat in enumerate(self._listed, 1):
            title = one_line(chat["title"] or chat["agentSessionId"])[:SHOWN_CHARS]
            marks = [(chat["updatedAt"] or "")[:10]]
            marks += ["in a terminal"] * chat["isOpen"] + ["here already"] * bool(chat["sessionId"])
            self._desk.say(f"{number:3} {title} ({', '.join(filter(None, marks))})")
        if not self._listed:
            why_not = answer.body["whyNot"] or "The agent has no chats in this folder."
            self._desk.say(inset(why_not))

    async def _import(self, rest: str) -> None:
        number = number_of(rest) or 0
        if not 1 <= number <= len(self._listed):
            self._desk.say("There is no such chat: see :chats.")
            return
        chat = self._listed[number - 1]
        session_id = chat["sessionId"]
        if session_id is None:
            named = {"agentSessionId": chat["agentSessionId"], "cwd": chat["cwd"]}
            agent = await self._named_agent()
            made = await self._desk.client.post(
                "/api/sessions/import", timeout_s=WAIT_S, agent=agent, **named
            )
            self._desk.failed(made)
            session_id = made.body.get("sessionId")
        if session_id is not None:
            self._desk.open(session_id)

    async def _command(self, _rest: str) -> None:
        if self._desk.session_id is None:
            self._desk.say("No session is open.")
            return
        answer = await self._desk.client.get(f"/api/sessions/{self._desk.session_id}/terminal")
        if "command" not in answer.body:
            self._desk.failed(answer)
            return
        told = answer.body
        if told["warning"]:
            self._desk.say(f"! {inset(told['warning'])}")
        self._desk.say(inset(told["command"] or "This agent names no command for it."))

    async def _named_agent(self) -> str:
        """Return the agent whose chats are meant: the first that can start where none was named."""
        if self._desk.agent:
            return self._desk.agent
        answer = await self._desk.client.get("/api/agents")
        able = [one["name"] for one in answer.body.get("agents", []) if one["canStart"]]
        return next(iter(able), "demo")


def _folder(words: str) -> str:
    """Return the folder that a person names, else the one of this terminal."""
    return str(Path(words.strip() or ".").expanduser().absolute())
