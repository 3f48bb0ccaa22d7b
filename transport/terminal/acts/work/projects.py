"""Projects and worktrees of new chats, in a terminal, and the end of a chat's worktree."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from sessions.text.asking import one_line
from transport.terminal.acts.numbered import Numbered, number_of
from transport.terminal.desk import Desk, Words

HELP: Final = """\
:projects       list projects      :project N      begin a chat in one, by number or name
:clone URL PATH clone a repository into a new folder, and make it a project
:branch NAME    begin a chat in a worktree with that new branch; :branch NAME FROM from another
:branch = NAME  begin a chat in a worktree with a branch that exists
:worktree       show this chat's worktree          :worktree merge, keep or discard ends it
"""
CLONE_LOOKS_S: Final = 1.0


class Projects:
    """The projects that were listed last, and the losses that were shown last."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._listed = Numbered[dict[str, Any]](desk, "There is no such project: see :projects.")
        # The session and the digest of its losses.
        self._seen = ("", "")

    @property
    def words(self) -> Words:
        """Return the commands by their words; each takes the rest of its line."""
        return {
            ":projects": self._list,
            ":project": self._begin,
            ":clone": self._clone,
            ":branch": self._branch,
            ":worktree": self._worktree,
        }

    async def _list(self, _rest: str) -> None:
        if (projects := await self._read()) is not None:
            empty = "There is no project yet: :clone makes one, and so does the page."
            self._listed.show(((project, _row(project)) for project in projects), empty=empty)

    async def _read(self) -> list[dict[str, Any]] | None:
        page = await self._desk.read_page("/api/projects", "projects")
        return page["projects"] if page else None

    async def _begin(self, rest: str) -> None:
        name = rest.strip()
        project = self._listed.of(name) if number_of(name) else await self._named(name)
        if project is not None:
            self._begin_in(project)

    async def _named(self, name: str) -> dict[str, Any] | None:
        for project in await self._read() or ():
            if name and name in (project["name"], project["folder"]):
                return project
        self._desk.say("There is no such project: see :projects.")
        return None

    def _begin_in(self, project: dict[str, Any]) -> None:
        if project["whyNot"]:
            self._desk.say(f"! {one_line(project['whyNot'])}")
            return
        self._desk.begin(project_id=project["id"])
        self._desk.say(f"[the next prompt begins a chat in {one_line(project['folder'])}]")

    async def _clone(self, rest: str) -> None:
        """Clone, tell the progress, and make the folder a project."""
        url, _, path = rest.strip().partition(" ")
        answer = await self._desk.client.post("/api/clones", url=url, path=path.strip())
        if self._desk.failed(answer):
            return
        clone, told = answer.body["clone"], ""
        while clone["state"] == "running":
            if (phase := f"{clone['phase']} {clone['percent'] or 0} %") != told:
                told = phase
                self._desk.say(f"[{one_line(phase)}]")
            await asyncio.sleep(CLONE_LOOKS_S)
            page = await self._desk.read_page(f"/api/clones/{clone['id']}", "state")
            if page is None:
                return
            clone = page
        if clone["state"] != "done":
            self._desk.say(f"! {one_line(clone['error'] or clone['state'])}")
            return
        made = await self._desk.client.post("/api/projects", folder=clone["path"])
        if not self._desk.failed(made):
            self._begin_in(made.body["project"])

    async def _branch(self, rest: str) -> None:
        """Let the next chat work in a worktree of the folder that was chosen."""
        name, _, other = rest.strip().partition(" ")
        place = {k: v for k, v in self._desk.wishes.items() if k != "worktree"}
        if not name or (name == "=" and not other.strip()):
            self._desk.say("Name a branch, as :branch mend-the-roof main")
            return
        if not place and self._desk.session_id is not None:
            place = await self._place_of_this() or {}
        if not place:
            self._desk.say("Choose a project first: :project N, or open a chat in one.")
            return
        wanted = {"existing": other.strip()} if name == "=" else {"branch": name}
        if name != "=" and other.strip():
            wanted["from"] = other.strip()
        self._desk.begin(**place, worktree=wanted)
        self._desk.say("[the next prompt begins a chat in a worktree]")

    async def _place_of_this(self) -> dict[str, Any] | None:
        row = await self._desk.read("", "sessionId")
        return {"project_id": row["projectId"]} if row and row["projectId"] else None

    async def _worktree(self, rest: str) -> None:
        word = rest.strip()
        if word in {"merge", "keep"}:
            await self._end(word)
        elif word == "discard" and self._desk.session_id == self._seen[0]:
            await self._end(word, digest=self._seen[1])
        else:
            await self._show()

    async def _show(self) -> None:
        told = await self._desk.read("/worktree", "branch")
        if told is None:
            return
        self._desk.say(
            f"{one_line(told['branch'])}, from {one_line(told['target'] or told['base'])}:"
            f" +{told['added']} -{told['removed']} ({told['state']})"
        )
        if (losses := told["losses"]) is None:
            return
        for each in losses["files"]:
            self._desk.say(f"  not committed: {one_line(str(each))}")
        for each in losses["commits"]:
            self._desk.say(f"  only here: {one_line(str(each))}")
        self._seen = (self._desk.session_id or "", losses["digest"])
        self._desk.say("  :worktree merge   :worktree keep   :worktree discard loses what is named")

    async def _end(self, how: str, **seen: Any) -> None:
        if (session_id := self._desk.opened()) is not None:
            path = f"/api/sessions/{session_id}/worktree/{how}"
            self._desk.failed(await self._desk.client.post(path, **seen))


def _row(project: dict[str, Any]) -> str:
    branch = f" on {one_line(project['git']['branch'] or '')}" if project["git"] else ""
    why_not = f" (! {one_line(project['whyNot'])})" if project["whyNot"] else ""
    return f"{one_line(project['name'])}: {one_line(project['folder'])}{branch}{why_not}"
