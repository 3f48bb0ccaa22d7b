"""The route for the changes of a chat's folder: docs/reference/http-api.md#changes."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from django.contrib.auth.models import User
from ninja import Field, Query, Router, Schema
from typing_extensions import TypedDict

from sessions.control.back import target
from sessions.control.back.errors import CheckpointGone
from sessions.control.discard import DISCARDED, act, named
from sessions.core.clean import clean_text
from sessions.core.db import in_thread
from sessions.core.errors import UnknownFile
from sessions.eventlog.events import timestamp
from sessions.models import Session
from sessions.web.answers import DONE, Done, JsonAnswer, command, reading
from sessions.web.authorised import Authorised
from sessions.web.validation import Body
from sessions.web.workspace.rooms import facts, in_folder
from sessions.workspace.changes import listing
from sessions.workspace.changes.hunks import Hunk
from sessions.workspace.changes.model import Change, Status
from sessions.workspace.checkpoints import comparing
from sessions.workspace.checkpoints.model import NotKept
from sessions.workspace.inside import Inside, of_session

router = Router(tags=["files"])

MAX_PATH = 4096
NOTES: dict[str, str] = {
    "snapshot": "Without git: compared with a record of names, sizes and digests from the start.",
    "none": "There is no git, and no record of the start of this chat.",
}

_FAILED = "Git could not tell the changes of this folder."


class ChangesQuery(Schema):
    """The start to compare with. path: the one file whose diff is wanted, "" for the list.

    to: the seq of a prompt: the changes that a return to it would undo.
    """

    since: listing.Since = "chat"
    to: int = Field(0, ge=0, le=2**53 - 1)
    path: str = Field("", max_length=MAX_PATH)


class Discarded(Body):
    """The file whose changes are not wanted, and the start that it returns to.

    hunk: the digest of the one change that is meant, "" for all of the file.
    """

    path: str = Field(min_length=1, max_length=MAX_PATH)
    since: listing.Since = "chat"
    hunk: str = Field("", max_length=64)


class ChangeRow(TypedDict):
    """A file that differs. added, removed: lines, null where they were not counted."""

    path: str
    oldPath: str | None
    status: Status
    added: int | None
    removed: int | None


class DiffRow(TypedDict):
    """A line. sign: " ", "+", "-", or a backslash for a note about the line before."""

    sign: str
    text: str


class HunkRow(TypedDict):
    """One place of a file that differs, from a line of the old file and one of the new."""

    oldStart: int
    newStart: int
    heading: str
    digest: str
    rows: list[DiffRow]


class ChangeDiff(TypedDict):
    """The diff of a file. why: a sentence where there is none to show."""

    path: str
    hunks: list[HunkRow]
    isCut: bool
    why: str


class ChangeList(TypedDict):
    """The changes of a folder. since: the start that was taken, which may not be the asked one.

    staged: the files in the index that differ from HEAD.
    """

    basis: listing.Basis
    since: listing.Since
    startedAt: str | None
    hasHead: bool
    note: str
    files: list[ChangeRow]
    staged: list[str]
    hasMore: bool
    diff: ChangeDiff | None


@router.get(
    "/sessions/{uuid:session_id}/changes",
    response=reading(ChangeList),
    summary="Changes of the chat's folder",
)
async def list_changes(
    request: Authorised, session_id: UUID, query: Query[ChangesQuery]
) -> JsonAnswer[ChangeList]:
    """The files that differ since the chat began or from HEAD; with path, the diff of one."""
    kept = await in_thread(_kept, request.auth, session_id, query.to) if query.to else None

    def work(session: Session, folder: Inside | None, allowed: list[Path]) -> ChangeList:
        if folder is None:
            return _answer(listing.Listing("none", query.since), [], None)
        if kept is None:
            with listing.listed(session.pk, folder, allowed, query.since) as found:
                return _told(found, folder, query.path)
        try:
            with comparing.listed(session.pk, session.cwd, allowed, kept.checkpoint) as found:
                return _told(found, folder, query.path)
        except NotKept as exc:
            raise CheckpointGone(str(exc)) from exc

    return JsonAnswer(await in_folder(request.auth, session_id, work))


def _kept(user: User, session_id: UUID, to: int) -> target.Files:
    return target.files_at(Session.objects.find(user, session_id), to)


def _told(found: listing.Listing, folder: Inside, path: str) -> ChangeList:
    """Return the list, or the diff of the file that path names."""
    if not path:
        return _answer(found, listing.with_counts(found.changes, folder), None)
    change = listing.named(found.changes, folder.relative(path))
    if change is None:
        return _answer(found, [], None)
    diff = listing.diff_of(change, folder)
    return _answer(found, listing.with_counts([change], folder), _diff(change, diff))


@router.post(
    "/sessions/{uuid:session_id}/changes/discard",
    response=command(Done),
    summary="Discard the changes of a file",
)
async def discard_change(
    request: Authorised, session_id: UUID, body: Discarded
) -> JsonAnswer[Done]:
    """Give a file its earlier content again; the log names the person."""

    def work(
        session: Session, folder: Inside | None, allowed: list[Path]
    ) -> listing.Earlier | listing.WithoutHunk:
        if folder is None:
            raise UnknownFile(path=body.path)
        with listing.listed(session.pk, folder, allowed, body.since) as found:
            change = listing.named(found.changes, folder.relative(body.path))
            if change is None:
                raise UnknownFile("This file does not differ.", path=body.path)
            if body.hunk:
                return listing.without_hunk(change, folder, body.hunk)
            return listing.earlier(change)

    earlier = await in_folder(request.auth, session_id, work)
    session, allowed = await in_thread(facts, request.auth, session_id)

    def write() -> None:
        with of_session(session.pk, session.cwd, allowed) as folder:
            if folder is not None:
                earlier.restore(folder)

    what = "a change" if body.hunk else "the changes"
    did = f"discarded {what} of {named([clean_text(earlier.path)])}"
    await in_thread(
        act,
        user=request.auth,
        session_id=session_id,
        kind=DISCARDED,
        did=did,
        write=write,
        source=request.source,
    )
    return JsonAnswer(DONE)


def _answer(found: listing.Listing, rows: list[Change], diff: ChangeDiff | None) -> ChangeList:
    return {
        "basis": found.basis,
        "since": found.since,
        "startedAt": timestamp(found.started_at) if found.started_at else None,
        "hasHead": found.has_head,
        "note": _FAILED if found.basis == "none" and found.has_head else NOTES.get(found.basis, ""),
        "files": [_row(change) for change in rows],
        "staged": [clean_text(path) for path in found.staged],
        "hasMore": found.has_more,
        "diff": diff,
    }


def _row(change: Change) -> ChangeRow:
    return {
        "path": clean_text(change.path),
        "oldPath": clean_text(change.old_path) if change.old_path else None,
        "status": change.status,
        "added": change.added,
        "removed": change.removed,
    }


def _diff(change: Change, diff: listing.FileDiff) -> ChangeDiff:
    return {
        "path": clean_text(change.path),
        "hunks": [_hunk(hunk) for hunk in diff.hunks],
        "isCut": diff.is_cut,
        "why": diff.why,
    }


def _hunk(hunk: Hunk) -> HunkRow:
    return {
        "oldStart": hunk.old_start,
        "newStart": hunk.new_start,
        "heading": hunk.heading,
        "digest": hunk.digest,
        "rows": [{"sign": sign, "text": text} for sign, text in hunk.rows],
    }
