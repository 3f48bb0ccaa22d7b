"""The rules of a person and the draft that is being written, in a terminal."""

from __future__ import annotations

from typing import Any, Final

from sessions.text.asking import inset, one_line
from transport.terminal.acts.numbered import Numbered
from transport.terminal.desk import Desk, Words

HELP: Final = """\
:rules          list your rules    :rule delete N  end one of them
:draft          show the text that you have begun on any device; :draft TEXT keeps another
"""


class Ruling:
    """The rules that were listed last."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._listed = Numbered[int](desk, "There is no such rule: see :rules.")

    @property
    def words(self) -> Words:
        """Return the commands by their words; each takes the rest of its line."""
        return {":rules": self._list, ":rule": self._rule, ":draft": self._draft}

    async def _list(self, _rest: str) -> None:
        page = await self._desk.read_page("/api/rules", "rules")
        if page is not None:
            rows = ((rule["id"], _row(rule)) for rule in page["rules"])
            self._listed.show(rows, empty="There is no rule: :a NUMBER makes one.")

    async def _rule(self, rest: str) -> None:
        word, _, number = rest.strip().partition(" ")
        if word != "delete":
            self._desk.say("Name a rule, as :rule delete 1")
        elif (rule_id := self._listed.of(number)) is not None:
            self._desk.failed(await self._desk.client.delete(f"/api/rules/{rule_id}"))

    async def _draft(self, rest: str) -> None:
        if (session_id := self._desk.opened()) is None:
            return
        if rest.strip():
            path = f"/api/sessions/{session_id}/draft"
            self._desk.failed(await self._desk.client.put(path, text=rest.strip()))
            return
        row = await self._desk.read("", "sessionId")
        if row is not None:
            text = (row["personal"] or {}).get("draft")
            self._desk.say(inset(text) if text else "There is no draft.")


def _row(rule: dict[str, Any]) -> str:
    place = rule["folder"] or rule["agent"] or rule["sessionId"] or ""
    where = f"{rule['scope']} {one_line(place)}".strip()
    return f"{rule['effect']} {rule['kind']} {one_line(rule['pattern'])} ({where})"
