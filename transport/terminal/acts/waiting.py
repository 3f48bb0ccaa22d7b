"""The prompts that wait, in a terminal: listed with numbers, then changed by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sessions.text.asking import one_line
from transport.terminal.desk import Desk, Words

HELP: Final = """\
:queue          list the prompts that wait, with their numbers
:edit N TEXT    give one another text  :unqueue N   take one back
:move N M       let N run in place M   :now N       stop the answer, continue with N
:now TEXT       send a prompt that stops the answer and goes next; a line alone is queued
"""
SHOWN_CHARS: Final = 200
MAX_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class _Listed:
    """A prompt as it was listed."""

    client_msg_id: str
    version: int


class Waiting:
    """The queue of the session that is shown. A change means the prompt that had the number."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._session_id = ""
        self._listed: list[_Listed] = []

    @property
    def words(self) -> Words:
        """Return the commands by their words; each takes the rest of its line."""
        return {
            ":queue": self._show,
            ":unqueue": self._unqueue,
            ":edit": self._edit,
            ":move": self._move,
            ":now": self._now,
        }

    async def _show(self, _rest: str) -> None:
        """List the prompts that wait."""
        session_id = self._desk.session_id
        if session_id is None:
            self._desk.say("No session is open.")
            return
        answer = await self._desk.client.get(f"/api/sessions/{session_id}/snapshot")
        if "queue" not in answer.body:
            self._desk.failed(answer)
            return
        messages = {m.get("clientMsgId"): m for m in answer.body["messages"]}
        self._session_id = session_id
        self._listed = []
        for number, each in enumerate(answer.body["queue"], 1):
            message: dict[str, Any] = messages.get(each["clientMsgId"], {})
            self._listed.append(_Listed(each["clientMsgId"], message.get("version", 1)))
            text = one_line(message.get("text", "(an earlier prompt)"))[:SHOWN_CHARS]
            self._desk.say(f"{number:3} {text}")
        if not self._listed:
            self._desk.say("No prompt waits.")

    async def _unqueue(self, rest: str) -> None:
        if (prompt := self._of(rest)) is not None:
            await self._ask("unqueue", clientMsgId=prompt.client_msg_id)

    async def _edit(self, rest: str) -> None:
        number, _, text = rest.partition(" ")
        if (prompt := self._of(number)) is not None:
            facts = {"clientMsgId": prompt.client_msg_id, "version": prompt.version}
            await self._ask("edit", **facts, text=text)

    async def _now(self, rest: str) -> None:
        if (prompt := self._of(rest)) is not None:
            await self._ask("interrupt", clientMsgId=prompt.client_msg_id)

    async def _move(self, rest: str) -> None:
        number, _, place = rest.partition(" ")
        prompt, other = self._of(number), self._of(place)
        if prompt is None or other is None:
            return
        order = [each for each in self._listed if each != prompt]
        order.insert(self._listed.index(other), prompt)
        await self._ask("reorder", clientMsgIds=[each.client_msg_id for each in order])

    async def _ask(self, name: str, **body: Any) -> None:
        answer = await self._desk.client.command(name, sessionId=self._session_id, **body)
        self._desk.failed(answer)

    def _of(self, number: str) -> _Listed | None:
        """Return the prompt of a number; say so where there is none."""
        word = number.strip()
        at = int(word) if word.isdecimal() and len(word) <= MAX_DIGITS else 0
        if 1 <= at <= len(self._listed):
            return self._listed[at - 1]
        self._desk.say("There is no such prompt: see :queue.")
        return None
