"""The routes that complete paths of a folder: docs/reference/http-api.md#files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from uuid import UUID

from django.contrib.auth.models import User
from ninja import Field, Query, Router, Schema
from typing_extensions import TypedDict

from sessions.account_models import Project
from sessions.core.db import in_thread
from sessions.core.errors import InvalidRequest
from sessions.models import Session
from sessions.web import reads
from sessions.web.answers import JsonAnswer, reading
from sessions.web.authorised import Authorised
from sessions.web.workspace.rooms import file_threads, in_folder
from sessions.workspace import roots
from sessions.workspace.inside import Inside, of_folder
from sessions.workspace.paths import fuzzy, listing

router = Router(tags=["files"])

Limit = Annotated[int, Field(ge=1, le=100)]


class PathsQuery(Schema):
    """The letters that a path is to hold, in their order."""

    q: str = Field("", max_length=fuzzy.MAX_LETTERS)
    limit: Limit = 20


class FolderPathsQuery(PathsQuery):
    """A folder of the server, or the project that has it, for a chat that has not begun."""

    path: str = Field("", max_length=4096)
    project_id: UUID | None = Field(None, alias="projectId")


class PathList(TypedDict):
    """The paths that fit, the best first. isWhole: no bound has left files of the folder out."""

    paths: list[str]
    isWhole: bool


@router.get(
    "/sessions/{uuid:session_id}/paths",
    response=reading(PathList),
    summary="Paths of the chat's folder that fit a few letters",
)
async def list_paths(
    request: Authorised, session_id: UUID, query: Query[PathsQuery]
) -> JsonAnswer[PathList]:
    """Files by git's list, without ignored ones; without git by a walk that follows no link."""

    def work(_session: Session, folder: Inside | None, allowed: list[Path]) -> PathList:
        if folder is None:
            return {"paths": [], "isWhole": True}
        return _found(folder, allowed, query)

    return JsonAnswer(await in_folder(request.auth, session_id, work))


@router.get(
    "/folders/paths",
    response=reading(PathList),
    summary="Paths of a folder that fit a few letters",
)
async def list_folder_paths(
    request: Authorised, query: Query[FolderPathsQuery]
) -> JsonAnswer[PathList]:
    """The same for the folder of a chat that has not begun: inside the allowed roots alone."""
    if bool(query.path) == (query.project_id is not None):
        raise InvalidRequest("Name a project or a folder.", field="path")
    await reads.hold_place(request.auth)
    path, allowed = await in_thread(_place, request.auth, query)

    def work() -> PathList:
        with of_folder(path, allowed) as folder:
            return _found(folder, allowed, query)

    return JsonAnswer(await file_threads.run(work))


def _place(user: User, query: FolderPathsQuery) -> tuple[str, list[Path]]:
    if query.project_id is None:
        return query.path.replace("\0", ""), roots.roots()
    return Project.objects.find(user, query.project_id).folder, roots.roots()


def _found(folder: Inside, allowed: list[Path], query: PathsQuery) -> PathList:
    paths = listing.of_folder(folder, allowed)
    return {"paths": fuzzy.best(paths, query.q, query.limit), "isWhole": paths.is_whole}
