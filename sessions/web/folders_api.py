"""The routes for choosing a folder: docs/reference/http-api.md."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from typing_extensions import TypedDict

from sessions.core.db import in_thread
from sessions.web.answers import JsonAnswer, command, reading
from sessions.web.validation import Body
from sessions.workspace import browse

router = Router(tags=["folders"])

MAX_PATH = 4096


class FoldersQuery(Schema):
    """The folder to list; offset: how many of its folders to pass over."""

    path: str = Field("", max_length=MAX_PATH)
    offset: Annotated[int, Field(ge=0, le=browse.MAX_ENTRIES)] = 0


class NewFolder(Body):
    """The absolute path of a folder to make; its parent exists."""

    path: str = Field(min_length=1, max_length=MAX_PATH)


class GitFacts(TypedDict):
    """branch: "" where the repository does not say."""

    branch: str


class FolderRow(TypedDict):
    """A folder to choose. git: None where it is no repository."""

    name: str
    path: str
    git: GitFacts | None


class FolderPage(TypedDict):
    """One level of folders. parent: None at a root, "" for the list of roots."""

    path: str
    parent: str | None
    folders: list[FolderRow]
    hasMore: bool


class MadeFolder(TypedDict):
    """The answer to a new folder."""

    ok: bool
    folder: FolderRow


def _row(folder: browse.Folder) -> FolderRow:
    git: GitFacts | None = None if folder.branch is None else {"branch": folder.branch}
    return {"name": folder.name, "path": folder.path, "git": git}


@router.get("/folders", summary="Folders that a chat may work in", response=reading(FolderPage))
async def list_folders(request: HttpRequest, query: Query[FoldersQuery]) -> JsonAnswer[FolderPage]:  # noqa: ARG001
    """One level inside the allowed roots, git repositories first; without path the root."""
    found = await in_thread(browse.list_folders, query.path, offset=query.offset)
    return JsonAnswer(
        {
            "path": found.path,
            "parent": found.parent,
            "folders": [_row(folder) for folder in found.folders],
            "hasMore": found.has_more,
        }
    )


@router.post("/folders", summary="Make a folder", response=command(MadeFolder, status=201))
async def make_folder(request: HttpRequest, body: NewFolder) -> JsonAnswer[MadeFolder]:  # noqa: ARG001
    """A new empty folder inside an allowed one; 409 where the name is taken."""
    made = await in_thread(browse.make_folder, body.path)
    return JsonAnswer({"ok": True, "folder": _row(made)}, status=201)
