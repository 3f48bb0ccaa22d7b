"""Changes of the chat's folder, in a terminal: listed, shown, discarded, staged, committed."""

from __future__ import annotations

from typing import Any, Final

from sessions.text.asking import inset, one_line
from transport.terminal.acts.numbered import Numbered
from transport.terminal.desk import Desk, Words
from transport.terminal.showing.lines import changed_row

HELP: Final = """\
:changes        list the files that the chat has changed; :changes head against HEAD
:diff N         show the changes of one    :discard N      undo them, after a look at :diff N
:stage N        stage one          :unstage N      take it out again
:commit MESSAGE commit all that is staged
"""


class Changing:
    """The files that were listed last. A file is discarded after its changes were shown."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._listed = Numbered[str](desk, "There is no such file: see :changes.")
        self._session_id: str | None = None
        self._since = "chat"
        self._seen: set[str] = set()

    @property
    def words(self) -> Words:
        """Return the commands by their words; each takes the rest of its line."""
        return {
            ":changes": self._list,
            ":diff": self._diff,
            ":discard": self._discard,
            ":stage": lambda rest: self._put(rest, "stage"),
            ":unstage": lambda rest: self._put(rest, "unstage"),
            ":commit": self._commit,
        }

    async def _list(self, rest: str) -> None:
        self._since = "head" if rest.strip() == "head" else "chat"
        page = await self._desk.read("/changes", "files", since=self._since)
        if page is None:
            return
        self._session_id, self._seen = self._desk.session_id, set()
        if page["note"]:
            self._desk.say(inset(page["note"]))
        staged = set(page["staged"])
        rows = ((file["path"], _row(file, staged)) for file in page["files"])
        self._listed.show(rows, empty="No file differs.")

    async def _diff(self, rest: str) -> None:
        if (path := self._of(rest)) is None:
            return
        page = await self._desk.read("/changes", "files", since=self._since, path=path)
        if page is None:
            return
        diff = page["diff"]
        if diff is None:
            self._desk.say("The file does not differ any more.")
            return
        for hunk in diff["hunks"]:
            places = f"@ -{hunk['oldStart']} +{hunk['newStart']} {hunk['heading']}"
            self._desk.say(changed_row("@", places[1:]))
            for row in hunk["rows"]:
                self._desk.say(changed_row(row["sign"], row["text"]))
        if diff["why"] or diff["isCut"]:
            self._desk.say(inset(diff["why"] or "The rest is left out."))
        self._seen.add(path)

    async def _discard(self, rest: str) -> None:
        if (path := self._of(rest)) is None:
            return
        if path not in self._seen:
            self._desk.say(f"Look at its changes first: :diff {rest.strip()}")
        else:
            await self._post("discard", path=path, since=self._since)

    async def _put(self, rest: str, how: str) -> None:
        if (path := self._of(rest)) is not None:
            await self._post(how, paths=[path])

    async def _commit(self, rest: str) -> None:
        if not rest.strip():
            self._desk.say("Name a message, as :commit Mend the roof")
            return
        told = await self._post("commit", message=rest.strip())
        if told and told.get("note"):
            self._desk.say(inset(told["note"]))

    async def _post(self, how: str, **body: Any) -> dict[str, Any] | None:
        if (session_id := self._desk.opened()) is None:
            return None
        path = f"/api/sessions/{session_id}/changes/{how}"
        answer = await self._desk.client.post(path, **body)
        return None if self._desk.failed(answer) else answer.body

    def _of(self, rest: str) -> str | None:
        """Return the path of a number, of the list of this chat and no other."""
        if self._session_id != self._desk.session_id:
            self._listed.rows = []
        return self._listed.of(rest)


def _row(file: dict[str, Any], staged: set[str]) -> str:
    counted = "" if file["added"] is None else f" +{file['added']} -{file['removed']}"
    from_old = f" (from {one_line(file['oldPath'])})" if file["oldPath"] else ""
    mark = ", staged" if file["path"] in staged else ""
    return f"{one_line(file['path'])}{from_old}{counted} ({file['status']}{mark})"
