"""Search in messages, in a terminal: of all chats, or of the one that is open."""

from __future__ import annotations

from typing import Any, Final

from sessions.text.asking import one_line
from transport.terminal.acts.numbered import Numbered
from transport.terminal.desk import Desk, Words
from transport.terminal.showing.messages import message_lines

HELP: Final = """\
:search WORDS   search in all chats    :find WORDS     search in this one
:hit NUMBER     show the message of a result, whole
"""


class Finding:
    """The results that were listed last."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._listed = Numbered[dict[str, Any]](desk, "There is no such result: see :search.")

    @property
    def words(self) -> Words:
        """Return the commands by their words; each takes the rest of its line."""
        return {":search": self._search, ":find": self._find, ":hit": self._hit}

    async def _search(self, rest: str) -> None:
        self._show(await self._desk.read_page("/api/search", "results", q=rest.strip()[:200]))

    async def _find(self, rest: str) -> None:
        self._show(await self._desk.read("/search", "results", q=rest.strip()[:200]))

    def _show(self, page: dict[str, Any] | None) -> None:
        if page is None:
            return
        self._listed.show(((hit, _row(hit)) for hit in page["results"]), empty="Nothing was found.")
        if page["hasMore"]:
            self._desk.say("There is more: name more words.")

    async def _hit(self, rest: str) -> None:
        """Show a message that was found, and open its chat where another one is open."""
        if (hit := self._listed.of(rest)) is None:
            return
        path = f"/api/sessions/{hit['sessionId']}/messages"
        page = await self._desk.read_page(path, "messages", before=hit["seq"] + 1, limit=1)
        for message in page["messages"] if page else ():
            for line in message_lines(message):
                self._desk.say(line)
        if hit["sessionId"] != self._desk.session_id:
            self._desk.say(f"[it is of the chat {one_line(hit['title'] or hit['sessionId'])}]")


def _row(hit: dict[str, Any]) -> str:
    """Return a result on one line; the words that were found stand in brackets."""
    pieces = [f"[{p['text']}]" if p["isMatch"] else p["text"] for p in hit["snippet"]]
    marks = ["archived"] * bool(hit["archivedAt"]) + ["taken back"] * hit["rewound"]
    told = f" ({', '.join(marks)})" if marks else ""
    return f"{one_line(hit['title'] or '')[:40]}: {one_line(''.join(pieces))}{told}"
