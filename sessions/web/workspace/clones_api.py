"""The routes for clones: docs/reference/http-api.md#clones."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from ninja import Field, Router
from typing_extensions import TypedDict

from sessions.core.db import in_thread
from sessions.trail import record as trail
from sessions.web.answers import DONE, Done, JsonAnswer, command, reading
from sessions.web.authorised import Authorised
from sessions.web.folders_api import MAX_PATH
from sessions.web.validation import Body
from sessions.workspace.cloning import address, job, records
from sessions.workspace.cloning.records import Record
from sessions.workspace.roots import has_single_account

router = Router(tags=["folders"])


class NewClone(Body):
    """A repository and the folder that it is cloned to, which does not exist yet."""

    url: Annotated[str, Field(min_length=1, max_length=address.MAX_CHARS)]
    path: Annotated[str, Field(min_length=1, max_length=MAX_PATH)]


class CloneRow(TypedDict):
    """A clone. percent: of its phase. error: the reason of a failure."""

    id: str
    url: str
    path: str
    state: str
    phase: str
    percent: int
    error: str


class OneClone(TypedDict):
    """A clone that has begun."""

    ok: Literal[True]
    clone: CloneRow


@router.post("/clones", response=command(OneClone, status=202), summary="Clone a git repository")
async def start_clone(request: Authorised, body: NewClone) -> JsonAnswer[OneClone]:
    """Begin to clone a repository into an allowed folder."""
    record = await in_thread(_start, request, body)
    return JsonAnswer({"ok": True, "clone": _row(record)}, status=202)


@router.get("/clones/{uuid:clone_id}", response=reading(CloneRow), summary="How far a clone is")
async def read_clone(request: Authorised, clone_id: UUID) -> JsonAnswer[CloneRow]:
    """The state and the progress of a clone of the user."""
    return JsonAnswer(_row(await in_thread(_find, request.auth.pk, clone_id)))


@router.delete("/clones/{uuid:clone_id}", response=command(Done), summary="Cancel a clone")
async def cancel_clone(request: Authorised, clone_id: UUID) -> JsonAnswer[Done]:
    """Stop a clone; its folder is removed. One that has ended stays as it is."""
    records.cancel(await in_thread(_find, request.auth.pk, clone_id))
    return JsonAnswer(DONE)


def _start(request: Authorised, body: NewClone) -> Record:
    user = request.auth
    may_use_keys = user.is_staff or has_single_account()
    begun = job.start(user.pk, body.url, body.path, may_use_keys=may_use_keys)
    facts = {"url": begun.url, "path": begun.path}
    trail.record(trail.Act.CLONE_BEGUN, who=user.get_username(), source=request.source, **facts)
    return begun


def _find(owner: int, clone_id: UUID) -> Record:
    records.running()  # what a crash has left is over now
    return records.find(owner, clone_id)


def _row(record: Record) -> CloneRow:
    return {
        "id": record.id,
        "url": record.url,
        "path": record.path,
        "state": record.state,
        "phase": record.phase,
        "percent": record.percent,
        "error": record.error,
    }
