"""The routes for the worktree of a chat: docs/reference/http-api.md#worktrees."""

from __future__ import annotations

from uuid import UUID

from ninja import Field, Router
from typing_extensions import TypedDict

from sessions.control.worktrees import ends
from sessions.core.clean import clean_text
from sessions.core.db import in_thread
from sessions.web.answers import DONE, Done, JsonAnswer, command, reading
from sessions.web.authorised import Authorised
from sessions.web.validation import Body
from sessions.workspace.worktrees.ending import NAMED, Standing

router = Router(tags=["files"])


class Losses(TypedDict):
    """The work that is in this worktree alone. digest: to name it when it is discarded."""

    files: list[str]
    commits: list[str]
    hasMore: bool
    digest: str


class WorktreeFacts(TypedDict):
    """A worktree. losses: null before it is made, and after its end."""

    branch: str
    target: str
    base: str
    repository: str
    state: str
    added: int
    removed: int
    losses: Losses | None


class DiscardedWorktree(Body):
    """The digest of the losses that the person has seen."""

    digest: str = Field(min_length=1, max_length=64)


@router.get(
    "/sessions/{uuid:session_id}/worktree",
    response=reading(WorktreeFacts),
    summary="The worktree of a chat, and what is in it alone",
)
async def read_worktree(request: Authorised, session_id: UUID) -> JsonAnswer[WorktreeFacts]:
    """The branch, its lines, the files and commits that are nowhere else."""
    row, now = await in_thread(ends.standing, request.auth, session_id)
    return JsonAnswer(
        {
            "branch": row.branch,
            "target": row.target,
            "base": row.base,
            "repository": row.repository,
            "state": row.state,
            "added": now.added if now else 0,
            "removed": now.removed if now else 0,
            "losses": _losses(now) if now else None,
        }
    )


@router.post(
    "/sessions/{uuid:session_id}/worktree/merge", response=command(Done), summary="Merge it"
)
async def merge_worktree(request: Authorised, session_id: UUID) -> JsonAnswer[Done]:
    """Merge the branch into its target; the worktree is gone then."""
    await in_thread(ends.merge, request.auth, session_id, source=request.source)
    return JsonAnswer(DONE)


@router.post("/sessions/{uuid:session_id}/worktree/keep", response=command(Done), summary="Keep it")
async def keep_worktree(request: Authorised, session_id: UUID) -> JsonAnswer[Done]:
    """Leave the branch and the folder as they are."""
    await in_thread(ends.keep, request.auth, session_id)
    return JsonAnswer(DONE)


@router.post(
    "/sessions/{uuid:session_id}/worktree/discard", response=command(Done), summary="Discard it"
)
async def discard_worktree(
    request: Authorised, session_id: UUID, body: DiscardedWorktree
) -> JsonAnswer[Done]:
    """Remove the folder, and the branch where it was made for the chat."""
    await in_thread(ends.discard, request.auth, session_id, body.digest, source=request.source)
    return JsonAnswer(DONE)


def _losses(now: Standing) -> Losses:
    return {
        "files": [clean_text(name) for name in now.files[:NAMED]],
        "commits": [clean_text(line) for line in now.commits[:NAMED]],
        "hasMore": max(len(now.files), len(now.commits)) > NAMED,
        "digest": now.digest,
    }
