"""Going back, in a terminal: prompts listed with numbers, a return to one of them, a fork."""

from __future__ import annotations

import uuid
from typing import Any, Final

from sessions.text.asking import one_line
from transport.terminal.acts.numbered import number_of
from transport.terminal.desk import Desk, Words

HELP: Final = """\
:rewind         list the prompts, with their numbers; :back is the same word
:rewind N       go back to before prompt N; with `files` or `chat` behind it, that alone
:rewind N show  list the files that this would change
:undo           undo the last return
:fork N         continue from before N in another session
:fork N BRANCH  the same in a worktree of its own, on a new branch
"""
SHOWN_CHARS: Final = 80
MAX_LISTED: Final = 50
_PARTS: Final = {"": ("files", "chat"), "files": ("files",), "chat": ("chat",)}


class GoingBack:
    """The prompts that were listed last."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._session_id = ""
        self._listed: list[int] = []

    @property
    def words(self) -> Words:
        """Return the commands by their words; each takes the rest of its line."""
        return {
            ":rewind": self._rewind,
            ":back": self._rewind,
            ":fork": self._fork,
            ":undo": self._undo,
        }

    async def _rewind(self, rest: str) -> None:
        number, _, part = rest.strip().partition(" ")
        if not number:
            await self._show()
        elif part.strip() == "show":
            await self._preview(number)
        elif part.strip() not in _PARTS:
            self._desk.say("Behind the number stands files, chat, show or nothing.")
        elif (to := self._of(number)) is not None:
            await self._return(to, _PARTS[part.strip()])

    async def _preview(self, number: str) -> None:
        if (to := self._of(number)) is None:
            return
        path = f"/api/sessions/{self._session_id}/changes"
        page = await self._desk.read_page(path, "files", to=to)
        for file in page["files"] if page else ():
            counted = "" if file["added"] is None else f" +{file['added']} -{file['removed']}"
            self._desk.say(f"  {one_line(file['path'])}{counted} ({file['status']})")
        if page is not None and not page["files"]:
            self._desk.say("No file would change.")

    async def _fork(self, rest: str) -> None:
        number, _, branch = rest.strip().partition(" ")
        if (at := self._of(number)) is None:
            return
        wanted: dict[str, Any] = {"sessionId": self._session_id, "at": at}
        if branch.strip():
            wanted["worktree"] = {"branch": branch.strip()}
        name = str(uuid.uuid4())
        answer = await self._desk.client.command("fork", clientMsgId=name, **wanted)
        if "sessionId" in answer.body:
            self._desk.open(answer.body["sessionId"])
        else:
            self._desk.failed(answer)

    async def _undo(self, _rest: str) -> None:
        """Undo the last restore and the last rewind, each where there is one."""
        told = await self._snapshot()
        if told is None:
            return
        restored = [m["seq"] for m in told["messages"] if m.get("code") == "restored"]
        rewound = [each["seq"] for each in told["rewinds"]]
        if not restored and not rewound:
            self._desk.say("There is nothing to undo.")
        last = max([*restored, *rewound], default=0)
        # One return has both events, and the restore comes last.
        if restored and restored[-1] == last:
            await self._return(restored[-1], ("files",))
        if rewound and (rewound[-1] == last or rewound[-1] + 2 >= last):
            await self._return(rewound[-1], ("chat",))

    async def _return(self, to: int, parts: tuple[str, ...]) -> None:
        wanted: dict[str, Any] = dict.fromkeys(parts, True)
        named: dict[str, Any] = {"sessionId": self._session_id, "to": to}
        answer = await self._desk.client.command("rewind", **named, **wanted)
        if "files" not in answer.body:
            self._desk.failed(answer)
            return
        self._desk.say(f"[back: {answer.body['files']} files changed]")
        for path in answer.body["left"]:
            self._desk.say(f"! left alone: {one_line(path)}")

    async def _show(self) -> None:
        told = await self._snapshot()
        if told is None:
            return
        counted = [m for m in told["messages"] if m["role"] == "user" and m["turnId"]]
        shown = [m for m in counted if not m.get("rewound")][-MAX_LISTED:]
        self._listed = [message["seq"] for message in shown]
        for number, message in enumerate(shown, 1):
            mark = "" if "checkpointId" in message else " (its files were not kept)"
            self._desk.say(f"{number:3} {one_line(message['text'])[:SHOWN_CHARS]}{mark}")
        if not shown:
            self._desk.say("There is no prompt to go back to.")

    async def _snapshot(self) -> dict[str, Any] | None:
        session_id = self._desk.session_id
        if session_id is None:
            self._desk.say("No session is open.")
            return None
        answer = await self._desk.client.get(f"/api/sessions/{session_id}/snapshot")
        if "rewinds" not in answer.body:
            self._desk.failed(answer)
            return None
        self._session_id = session_id
        return answer.body

    def _of(self, word: str) -> int | None:
        """Return the seq of the prompt of a number; say so where there is none."""
        number = number_of(word)
        if number is not None and 1 <= number <= len(self._listed):
            return self._listed[number - 1]
        self._desk.say("There is no such prompt: see :rewind.")
        return None
