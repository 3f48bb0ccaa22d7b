"""The files of the chat's folder in the terminal: listed by a few letters, named in a prompt."""

from __future__ import annotations

import re
from typing import Final

from sessions.text.asking import one_line
from transport.client import Answer
from transport.terminal.desk import Desk, Words
from transport.terminal.showing.tones import Prose

HELP: Final = """\
:files LETTERS  list files of the folder; @PATH in a prompt names one for the agent
:ls PATH        list one level of the folder       :cat PATH    read one of its files
"""
LISTED: Final = 20
_MENTION: Final = re.compile(r"(?:^|\s)@(\S+)")
# Signs of a sentence behind a path.
_SENTENCE: Final = ".,;:!?)"


class Folder:
    """The folder of the session that is open."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def words(self) -> Words:
        """Return the commands by their words; each takes the rest of its line."""
        return {":files": self.show, ":ls": self._list, ":cat": self._read}

    async def show(self, letters: str) -> None:
        """List the files that hold the letters, the best first."""
        answer = await self._find(letters.strip())
        if answer is None:
            return self._desk.say("No session is open.")
        if "paths" not in answer.body:
            self._desk.failed(answer)
            return None
        for path in answer.body["paths"]:
            self._desk.say(f"@{one_line(path)}")
        if not answer.body["paths"]:
            self._desk.say("No file has these letters.")
        return None

    async def _list(self, rest: str) -> None:
        page = await self._desk.read("/files", "files", path=rest.strip())
        for row in page["files"] if page else ():
            mark = "/" if row["kind"] == "folder" else ""
            size = "" if row["size"] is None else f"  {row['size']:,}"
            self._desk.say(f"  {one_line(row['name'])}{mark}{size}")
        if page is not None and page["hasMore"]:
            self._desk.say("  … and more")

    async def _read(self, rest: str) -> None:
        page = await self._desk.read("/file", "kind", path=rest.strip())
        if page is None:
            return
        if page["text"] is None:
            self._desk.say(f"[{one_line(page['mime'])}, {page['size']:,} bytes: no text]")
        elif page["kind"] == "markdown":
            self._desk.say(Prose(page["text"]))
        else:
            self._desk.screen.paper.add(page["text"])
            self._desk.screen.paper.end()

    async def named_in(self, text: str) -> list[str]:
        """Return the files of the folder that stand in a text behind an @."""
        named: dict[str, None] = {}
        for word in _MENTION.findall(text):
            answer = await self._find(word.rstrip(_SENTENCE))
            paths = answer.body.get("paths", []) if answer is not None else []
            named |= {path: None for path in (word, word.rstrip(_SENTENCE)) if path in paths}
        return list(named)

    async def _find(self, letters: str) -> Answer | None:
        session_id = self._desk.session_id
        if session_id is None:
            return None
        path = f"/api/sessions/{session_id}/paths"
        return await self._desk.client.get(path, q=letters[:100], limit=LISTED)
