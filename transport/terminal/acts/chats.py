"""The chats of a person, in a terminal: listed with numbers, opened, named, put away."""

from __future__ import annotations

from typing import Any, Final

from sessions.text.asking import one_line
from transport.client import Answer
from transport.terminal.acts.numbered import Numbered
from transport.terminal.desk import Desk, Words

HELP: Final = """\
:new            begin a new session with the next prompt; :new AGENT with another agent
:sessions       list sessions      :open NUMBER    continue one of the list
:archived       list the archived ones             :restore N   bring one of them back
:rename TITLE   rename this one    :name           rename it by its first prompt
:pin, :unpin    let it stand before the others, or not
:archive        put this one away  :delete         remove it permanently, after a look at its name
:status         show the agent, the mode, the cost and the folder of this one
"""


class Chats:
    """The chats that were listed last."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._listed = Numbered[str](desk, "There is no such session: see :sessions.")
        self._archived = Numbered[str](desk, "There is no such session: see :archived.")

    @property
    def words(self) -> Words:
        """Return the commands by their words; each takes the rest of its line."""
        return {
            ":new": self._new,
            ":sessions": self._list,
            ":open": self._open,
            ":archived": self._list_archived,
            ":restore": self._restore,
            ":rename": self._rename,
            ":name": self._name,
            ":pin": self._pin,
            ":unpin": self._unpin,
            ":archive": self._archive,
            ":delete": self._delete,
            ":status": self._status,
        }

    async def _new(self, rest: str) -> None:
        self._desk.begin(rest.strip())

    async def _list(self, _rest: str) -> None:
        await self._show(self._listed, "There is no session yet.")

    async def _list_archived(self, _rest: str) -> None:
        await self._show(self._archived, "No session is archived.", state="archived")

    async def _show(self, listed: Numbered[str], empty: str, **query: str) -> None:
        page = await self._desk.read_page("/api/sessions", "sessions", **query)
        if page is not None:
            rows = [*page["pinned"], *page["sessions"]]
            listed.show(((row["sessionId"], _row(row)) for row in rows), empty=empty)

    async def _open(self, rest: str) -> None:
        if (session_id := self._listed.of(rest)) is not None:
            self._desk.open(session_id)

    async def _restore(self, rest: str) -> None:
        if (session_id := self._archived.of(rest)) is not None:
            path = f"/api/sessions/{session_id}/restore"
            if not self._desk.failed(await self._desk.client.post(path)):
                self._desk.open(session_id)

    async def _rename(self, rest: str) -> None:
        if (path := self._path()) and not rest.strip():
            self._desk.say("Name a title, as :rename Mend the roof")
        elif path:
            self._desk.failed(await self._desk.client.patch(path, title=rest.strip()))

    async def _name(self, _rest: str) -> None:
        if path := self._path("/name"):
            answer = await self._desk.client.post(path)
            if not self._desk.failed(answer):
                self._desk.say(f"[named “{one_line(answer.body['session']['title'])}”]")

    async def _pin(self, _rest: str) -> None:
        if path := self._path("/pin"):
            self._done(await self._desk.client.put(path), "pinned")

    async def _unpin(self, _rest: str) -> None:
        if path := self._path("/pin"):
            self._done(await self._desk.client.delete(path), "no longer pinned")

    async def _archive(self, _rest: str) -> None:
        if path := self._path():
            answer = await self._desk.client.delete(path)
            if self._done(answer, "archived: :archived lists it"):
                self._desk.begin()

    async def _delete(self, rest: str) -> None:
        """Delete after the beginning of the id was typed, which is shown with the title."""
        if not (path := self._path()) or self._desk.session_id is None:
            return
        begin = self._desk.session_id[:8]
        if rest.strip() != begin:
            row = await self._desk.read("", "sessionId")
            title = one_line(row["title"] or "this session") if row else "this session"
            self._desk.say(f"This removes “{title}” with all messages. No undo brings it back.")
            self._desk.say(f"  :delete {begin}   removes it")
            return
        if self._done(await self._desk.client.delete(path, permanently="true"), "deleted"):
            self._desk.begin()

    async def _status(self, _rest: str) -> None:
        row = await self._desk.read("", "sessionId")
        shot = await self._desk.read("/snapshot", "messages") if row else None
        if row is not None and shot is not None:
            for name, value in _facts(row, shot):
                self._desk.say(f"  {name}: {one_line(str(value))}")

    def _path(self, behind: str = "") -> str | None:
        session_id = self._desk.opened()
        return session_id and f"/api/sessions/{session_id}{behind}"

    def _done(self, answer: Answer, said: str) -> bool:
        """Show a refusal, or say that it is done; return whether it is."""
        if self._desk.failed(answer):
            return False
        self._desk.say(f"[{said}]")
        return True


def _row(row: dict[str, Any]) -> str:
    title = one_line(row["title"] or row["sessionId"])
    marks = [row["runState"], *["pinned"] * bool(row["pinnedAt"]), *["new"] * row["isUnread"]]
    branch = f" on {one_line(row['branch'])}" if row["branch"] else ""
    return f"{title} ({', '.join(marks)}){branch}"


def _facts(row: dict[str, Any], shot: dict[str, Any]) -> list[tuple[str, Any]]:
    usage, context, turn = shot["usage"], shot["context"], shot["turn"]
    facts = [
        ("title", row["title"]),
        ("session", row["sessionId"]),
        ("agent", row["agent"]),
        ("model", (turn or {}).get("model")),
        ("mode", shot["mode"]),
        ("state", row["runState"]),
        ("folder", row["cwd"]),
        ("branch", row["branch"]),
        ("context", context and f"{context['used']:,} of {context['size']:,} tokens"),
        ("tokens", f"{usage['inputTokens']:,} in, {usage['outputTokens']:,} out"),
        ("cost", usage["costUsd"] and f"{usage['costUsd']:.4f} USD"),
        ("waiting prompts", len(shot["queue"]) or None),
    ]
    return [(name, value) for name, value in facts if value]
