"""The changes of a chat's folder, by git where it is there, else by the record of the start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, TypeAlias
from uuid import UUID

from sessions.core.clean import clean_text
from sessions.core.conf import chat
from sessions.core.errors import ContentNotKept, FileRefused, UnknownFile
from sessions.workspace import files, writing
from sessions.workspace.changes import baseline, by_git, by_record, hunks, staging, tree
from sessions.workspace.changes.model import Change, NotKept, nothing
from sessions.workspace.changes.program import GitFailed
from sessions.workspace.changes.refusals import HunkChanged
from sessions.workspace.changes.repository import Repository, found
from sessions.workspace.inside import Inside

Basis = Literal["git", "snapshot", "checkpoint", "none"]
Since = Literal["chat", "head"]
# Bytes of files that are read to count the lines of one list.
MAX_COUNTED: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Listing:
    """The changes. since: the start that was taken; has_head: git has one to compare with."""

    basis: Basis
    since: Since
    started_at: datetime | None = None
    has_head: bool = False
    changes: list[Change] = field(default_factory=list)
    has_more: bool = False
    staged: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FileDiff:
    """The diff of one file. why: a sentence where there are no hunks to show."""

    hunks: list[hunks.Hunk]
    is_cut: bool = False
    why: str = ""


@contextmanager
def listed(
    session_id: UUID, inside: Inside, allowed: list[Path], since: Since
) -> Iterator[Listing]:
    """Yield the changes; earlier contents can be read until the block ends."""
    start = baseline.load(session_id)
    with found(inside, allowed) as repository:
        told = _listed(start, repository, inside, since)
        yield replace(told, staged=staging.staged(repository) if repository else [])


def _listed(
    start: baseline.Baseline | None, repository: Repository | None, inside: Inside, since: Since
) -> Listing:
    if since == "chat" and start is not None and start.commit is None:
        rows, has_more = by_record.changes_since(start, inside)
        has_head = repository is not None
        return Listing("snapshot", "chat", start.taken_at, has_head, rows, has_more)
    if repository is None:
        return Listing("none", since)
    try:
        if since == "chat" and start is not None and start.commit is not None:
            rows, has_more = by_git.changes_since(start.commit, repository)
            rows = by_record.corrected(rows, start, inside)
            return Listing("git", "chat", start.taken_at, True, rows, has_more)  # noqa: FBT003
    except GitFailed:
        pass  # the commit of the start is gone: HEAD is left
    try:
        rows, has_more = by_git.changes_since(repository.head, repository)
    except GitFailed:
        return Listing("none", since, has_head=True)
    return Listing("git", "head", None, True, rows, has_more)  # noqa: FBT003


def with_counts(rows: list[Change], inside: Inside) -> list[Change]:
    """Return changes with their lines counted and their kind named, as far as the bounds reach."""
    found_rows: list[Change] = []
    pairs: dict[int, tuple[bytes, bytes]] = {}
    room = MAX_COUNTED
    for row in rows:
        if row.added is not None or row.status == "renamed" or room <= 0:
            found_rows.append(row)
            continue
        named_row, pair = _sides(row, inside)
        if pair:
            room -= sum(map(len, pair))
            named_row = _one_sided(named_row, *pair)
            if named_row.added is None:
                pairs[len(found_rows)] = pair
        found_rows.append(named_row)
    counted = hunks.counts([*pairs.values()]) if pairs else []
    for place, (added, removed) in zip(pairs, counted, strict=True):
        found_rows[place] = replace(found_rows[place], added=added, removed=removed)
    return found_rows


def _one_sided(row: Change, before: bytes, after: bytes) -> Change:
    """Return a new and a deleted file with its lines; another one as it is."""
    if before and after:
        return row
    return replace(row, added=_lines(after), removed=_lines(before))


def _lines(data: bytes) -> int:
    return data.count(b"\n") + (bool(data) and not data.endswith(b"\n"))


def diff_of(change: Change, inside: Inside) -> FileDiff:
    """Return the diff of a file, or the reason for which there is none."""
    before, after = _contents(change, inside)
    if isinstance(after, NotKept):
        return FileDiff([], why=str(after))
    if isinstance(before, bytes) and isinstance(after, bytes) and not _kind(before, after):
        return FileDiff(*hunks.compare(before, after))
    return FileDiff([], why=_WHY[_kind(before, after) or ""])


@dataclass(frozen=True, slots=True)
class Earlier:
    """The earlier state of a changed file. content: None where there was no such file."""

    path: str
    old_path: str
    content: bytes | None
    mode: int

    def restore(self, inside: Inside) -> None:
        """Write the file as it was. Raises FileRefused, UnknownFile."""
        if self.content is not None:
            writing.put(inside, self.old_path, self.content, self.mode)
        if self.content is None or self.old_path != self.path:
            writing.remove(inside, self.path)


@dataclass(frozen=True, slots=True)
class WithoutHunk:
    """A file without one of its changes. seen: the content that the change was found in."""

    path: str
    seen: bytes
    content: bytes

    def restore(self, inside: Inside) -> None:
        """Write the file. Raises HunkChanged where it was written meanwhile, FileRefused."""
        facts = tree.facts(inside, self.path)
        if facts is None or tree.content(inside, self.path) != self.seen:
            raise HunkChanged(path=clean_text(self.path))
        writing.put(inside, self.path, self.content, facts.mode)


def without_hunk(change: Change, inside: Inside, digest: str) -> WithoutHunk:
    """Return a file without the hunk of this digest. Raises HunkChanged, ContentNotKept."""
    before, after = _contents(change, inside)
    if not isinstance(before, bytes) or not isinstance(after, bytes) or _kind(before, after):
        raise ContentNotKept(path=clean_text(change.path))
    found_hunks, _ = hunks.compare(before, after)
    hunk = next((one for one in found_hunks if one.digest == digest), None)
    if hunk is None or change.status == "deleted":
        raise HunkChanged(path=clean_text(change.path))
    return WithoutHunk(change.path, after, hunk.undone(before, after))


def earlier(change: Change) -> Earlier:
    """Return the state before a change. Raises ContentNotKept."""
    old_path = change.old_path or change.path
    if change.before is nothing:
        return Earlier(change.path, old_path, None, change.mode)
    try:
        content = change.before()
    except (NotKept, GitFailed) as exc:
        raise ContentNotKept(path=clean_text(change.path)) from exc
    if content is None:
        raise ContentNotKept(path=clean_text(change.path))
    return Earlier(change.path, old_path, content, change.mode)


_WHY: Final = {
    "binary": "This file is not text.",
    "tooLarge": "This file is too large to be compared.",
    "": "The earlier content of this file was not kept.",
}


def _sides(change: Change, inside: Inside) -> tuple[Change, tuple[bytes, bytes] | None]:
    """Return a change with its kind, and both contents where they can be compared."""
    before, after = _contents(change, inside)
    kind = _kind(before, after)
    if kind and change.status in {"new", "modified"}:
        change = replace(change, status=kind)
    if not kind and isinstance(before, bytes) and isinstance(after, bytes):
        return change, (before, after)
    return change, None


Content: TypeAlias = bytes | NotKept | None


def _contents(change: Change, inside: Inside) -> tuple[Content, Content]:
    """Return the content before and after; None: it is too large."""
    after = b"" if change.status == "deleted" else _after(change, inside)
    try:
        return change.before(), after
    except NotKept as exc:
        return exc, after
    except GitFailed:
        return NotKept(), after


def _kind(*contents: Content) -> Literal["binary", "tooLarge"] | None:
    if any(content is None for content in contents):
        return "tooLarge"
    is_binary = any(isinstance(content, bytes) and b"\0" in content for content in contents)
    return "binary" if is_binary else None


def _after(change: Change, inside: Inside) -> Content:
    try:
        return files.read_entry(inside, change.path, chat.FILE_BYTES)
    except FileRefused as exc:
        return NotKept(str(exc))
    except UnknownFile:
        return b""  # gone meanwhile, or a folder with a repository of its own


def named(rows: list[Change], path: str) -> Change | None:
    """Return the change of a path as the wire has it."""
    return next((row for row in rows if clean_text(row.path) == path), None)
