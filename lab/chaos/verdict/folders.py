"""The folders of chats and their repository: restored whole, merged whole, nothing in the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lab.chaos.evidence import Evidence, FolderEvidence, Json, SessionEvidence, Violation

_ENDS: Final = frozenset({"worktree_merged", "worktree_discarded"})
_COMMITS: Final = "git commit"


def check_restores(evidence: Evidence) -> Iterator[Violation]:
    """A restored folder has the state that it was promised, until the next turn begins."""
    for session_id, session in evidence.sessions.items():
        folder = _Folder()
        for event in session.events:
            for what in folder.take(event):
                yield Violation("half a restore", what, "", session_id, (event["seq"],))
        for what in folder.end(session.folder):
            yield Violation("half a restore", what, "", session_id)


class _Folder:
    """A folder by its log. wanted: the state that it must have now, "" where it may have any."""

    def __init__(self) -> None:
        self._kept = ""
        self._wanted = ""

    def take(self, event: Json) -> Iterator[str]:
        """Take the next event; yield how it breaks the promise."""
        match event["type"]:
            case "checkpoint_made":
                if self._wanted and event["checkpointId"] != self._wanted:
                    yield f"the folder has another state than {self._wanted}"
                self._kept = event["checkpointId"]
                self._wanted = ""
            case "restored":
                if event["kept"] != self._kept:
                    yield "the state before it was not kept"
                self._wanted = "" if event.get("leftOut") else event["checkpointId"]
            case "error" if event["code"] == "restore_failed":
                yield event["error"]
            case "turn_start":
                self._wanted = ""
            case "notice" if event["kind"] in _ENDS:
                self._wanted = ""

    def end(self, found: FolderEvidence) -> Iterator[str]:
        """Hold the folder at the end against its log."""
        if self._wanted and found.checkpoint not in {"", self._wanted}:
            yield f"the folder has another state than {self._wanted} at the end"
        if found.is_restoring:
            yield "a restore was never completed"
        if found.unfinished:
            yield f"a restore has left {', '.join(found.unfinished)}"


def check_repository(evidence: Evidence) -> Iterator[Violation]:
    """No worktree is in the way of the next one, and a merge has brought all that was committed."""
    found = evidence.repository
    for what, names in (
        ("a worktree could not be removed", found.refused),
        ("git would wait for", found.locks),
        ("half a merge", found.changed),
        ("git still knows", found.trees),
        ("a branch is left", found.branches),
    ):
        yield from (Violation("worktree", f"{what}: {name}") for name in names)
    for session_id, session in evidence.sessions.items():
        for name in sorted(_merged(session) - found.files):
            yield Violation("lost merge", f"{name} is not in the repository", "", session_id)


def _merged(session: SessionEvidence) -> set[str]:
    """Return the files that the prompts of a merged chat have committed, by their names."""
    if not any(e["type"] == "notice" and e["kind"] == "worktree_merged" for e in session.events):
        return set()
    files: set[str] = set()
    turns: dict[str, str] = {}
    messages: dict[str, str] = {}
    committing: set[str] = set()
    for event in session.events:
        match event["type"]:
            case "restored":
                return set()  # later commits may have removed them
            case "turn_start":
                turns[event["turnId"]] = event.get("clientMsgId", "")
            case "message_start":
                messages[event["messageId"]] = turns.get(event["turnId"], "")
            case "block_end" if _COMMITS in str(event.get("input")):
                committing.add(event["messageId"])
            case "tool_result" if event["messageId"] in committing:
                name = messages[event["messageId"]]
                files |= {f"{name}.txt"} if event["status"] == "completed" else set()
    return files
