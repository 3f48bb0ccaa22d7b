"""The routes that stage and commit: docs/reference/http-api.md#staging."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from ninja import Field, Router
from typing_extensions import TypedDict

from sessions.control.discard import COMMITTED, STAGED, UNSTAGED, act, named
from sessions.core.clean import clean_text
from sessions.core.conf import chat
from sessions.models import Session
from sessions.text.asking import one_line
from sessions.web.answers import JsonAnswer, command
from sessions.web.authorised import Authorised
from sessions.web.validation import Body
from sessions.web.workspace.changes_api import MAX_PATH
from sessions.web.workspace.rooms import in_folder
from sessions.workspace.changes import commits, repository, staging
from sessions.workspace.changes.refusals import NoRepository
from sessions.workspace.changes.repository import Repository
from sessions.workspace.inside import Inside

router = Router(tags=["files"])

MAX_PATHS: Final = 200
MAX_MESSAGE: Final = 10_000
NOTE: Final = "Hooks of the repository do not run, and the commit is not signed."

PathName = Annotated[str, Field(min_length=1, max_length=MAX_PATH)]
Change = Callable[[Repository, Inside, list[str]], AbstractContextManager[staging.Prepared]]


class Paths(Body):
    """The files that are meant, from the chat's folder."""

    paths: Annotated[list[PathName], Field(min_length=1, max_length=MAX_PATHS)]


class Message(Body):
    """The message of a commit."""

    message: Annotated[str, Field(min_length=1, max_length=MAX_MESSAGE)]


class Staged(TypedDict):
    """The files that are staged now."""

    ok: Literal[True]
    staged: list[str]


class Committed(TypedDict):
    """A commit. note: the parts of a commit that the server leaves out."""

    ok: Literal[True]
    commit: str
    note: str


@router.post(
    "/sessions/{uuid:session_id}/changes/stage", response=command(Staged), summary="Stage files"
)
async def stage(request: Authorised, session_id: UUID, body: Paths) -> JsonAnswer[Staged]:
    """Put files as they are now into the index; the log names the person."""
    return await _staged(request, session_id, body.paths, staging.stage, STAGED)


@router.post(
    "/sessions/{uuid:session_id}/changes/unstage", response=command(Staged), summary="Unstage files"
)
async def unstage(request: Authorised, session_id: UUID, body: Paths) -> JsonAnswer[Staged]:
    """Give the index the content of HEAD; the files stay as they are."""
    return await _staged(request, session_id, body.paths, staging.unstage, UNSTAGED)


@router.post(
    "/sessions/{uuid:session_id}/changes/commit", response=command(Committed), summary="Commit"
)
async def commit(request: Authorised, session_id: UUID, body: Message) -> JsonAnswer[Committed]:
    """Commit all that is staged, in the name of the person."""
    user = request.auth
    message = clean_text(body.message).strip() + "\n"

    def work(session: Session, found: Repository, _inside: Inside) -> Committed:
        with staging.commit(found, message, _author(user)) as prepared:
            subject = one_line(message.partition("\n")[0])
            did = f"committed {prepared.commit[:12]}: {subject}"
            _act(request, session, COMMITTED, did, prepared)
            return {"ok": True, "commit": prepared.commit, "note": NOTE}

    return JsonAnswer(await _in_repository(user, session_id, work))


async def _staged(
    request: Authorised, session_id: UUID, paths: list[str], change: Change, kind: str
) -> JsonAnswer[Staged]:
    def work(session: Session, found: Repository, inside: Inside) -> Staged:
        with change(found, inside, paths) as prepared:
            did = f"{kind} {named([clean_text(path) for path in paths])}"
            _act(request, session, kind, did, prepared)
        with repository.found(inside, [found.top]) as now:
            return {"ok": True, "staged": _names(now or found)}

    return JsonAnswer(await _in_repository(request.auth, session_id, work))


async def _in_repository(
    user: Any, session_id: UUID, work: Callable[[Session, Repository, Inside], Any]
) -> Any:
    """Return the result of work on the repository of a chat. Raises NoRepository."""

    def opened(session: Session, folder: Inside | None, allowed: list[Path]) -> Any:
        if folder is None:
            raise NoRepository
        with repository.found(folder, allowed) as found:
            if found is None:
                raise NoRepository
            return work(session, found, folder)

    return await in_folder(user, session_id, opened)


def _act(
    request: Authorised, session: Session, kind: str, did: str, prepared: staging.Prepared
) -> None:
    act(
        user=request.auth,
        session_id=session.pk,
        kind=kind,
        did=did,
        write=prepared.publish,
        source=request.source,
    )


def _author(user: Any) -> commits.Author:
    name = user.get_full_name() or user.get_username()
    return commits.author(name, user.email or f"{user.get_username()}@{chat.COMMIT_DOMAIN}")


def _names(found: Repository) -> list[str]:
    return [clean_text(path) for path in staging.staged(found)]
