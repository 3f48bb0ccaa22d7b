"""The routes for the files of a chat's folder: docs/reference/http-api.md#files."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from ninja import Field, Query, Router, Schema
from typing_extensions import TypedDict

from sessions.core.conf import chat
from sessions.core.errors import UnknownFile
from sessions.eventlog.events import timestamp
from sessions.models import Session
from sessions.text.rendering import Rendering
from sessions.web.answers import JsonAnswer, reading
from sessions.web.authorised import Authorised
from sessions.web.workspace import shown
from sessions.web.workspace.rooms import in_folder
from sessions.workspace import files
from sessions.workspace.inside import Inside

router = Router(tags=["files"])

MAX_PATH: Final = 4096
# Bytes as they are, for pictures and for saving: in memory while they are sent.
MAX_RAW_BYTES: Final = 16 * 1024 * 1024
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class LevelQuery(Schema):
    """The folder to list, from the chat's folder; offset: how many entries to pass over."""

    path: str = Field("", max_length=MAX_PATH)
    offset: Annotated[int, Field(ge=0, le=files.MAX_ENTRIES)] = 0


class FileQuery(Schema):
    """The file to read, from the chat's folder. raw: its bytes as they are."""

    path: str = Field("", max_length=MAX_PATH)
    raw: bool = False


class FileRow(TypedDict):
    """A name of one level. path: null where no request can name it; size: of files alone.

    kind: file, folder, other, or link for one that leads out of the folder or nowhere.
    """

    name: str
    path: str | None
    kind: files.Kind
    isLink: bool
    size: int | None
    modified: str | None


class FilePage(TypedDict):
    """One level, folders first. path: from the chat's folder, links resolved."""

    path: str
    files: list[FileRow]
    hasMore: bool


class FileContent(TypedDict):
    """A file. text: null for an image, a binary and one that is too large. html: sanitised."""

    path: str
    kind: shown.Kind
    mime: str
    size: int
    modified: str | None
    text: str | None
    html: str


@router.get(
    "/sessions/{uuid:session_id}/files",
    response=reading(FilePage),
    summary="Files of the chat's folder",
)
async def list_files(
    request: Authorised, session_id: UUID, query: Query[LevelQuery]
) -> JsonAnswer[FilePage]:
    """One level of the folder; a link out of it is named and never followed."""

    def work(_session: Session, folder: Inside | None, _allowed: object) -> files.Level:
        if folder is None:
            if query.path.strip("/."):
                raise UnknownFile(path=query.path)
            return files.Level("", [], has_more=False)
        return files.list_level(folder, query.path, offset=query.offset)

    level = await in_folder(request.auth, session_id, work)
    rows = [_row(entry) for entry in level.entries]
    return JsonAnswer({"path": level.path, "files": rows, "hasMore": level.has_more})


@router.get("/sessions/{uuid:session_id}/file", response=reading(FileContent), summary="One file")
async def read_file(
    request: Authorised, session_id: UUID, query: Query[FileQuery]
) -> HttpResponseBase:
    """A file as text with colours, or its bytes with raw."""
    limit = MAX_RAW_BYTES if query.raw else chat.FILE_BYTES

    def work(_session: Session, folder: Inside | None, _allowed: object) -> HttpResponseBase:
        if folder is None:
            raise UnknownFile(path=query.path)
        content = files.read_file(folder, query.path, limit=limit)
        if query.raw:
            return _raw(content)
        return JsonAnswer(_content(content, user=request.auth.pk))

    return await in_folder(request.auth, session_id, work)


def _raw(content: files.Content) -> HttpResponse:
    """Return bytes that a browser shows only where they are a picture without scripts."""
    if content.data is None:
        raise UnknownFile("This file is too large to be sent.", path=content.path)
    mime = shown.image_type(content.data)
    answer = HttpResponse(content.data, content_type=mime or "application/octet-stream")
    for name, value in HEADERS.items():
        answer[name] = value
    if not mime:
        name = content.path.rpartition("/")[2]
        answer["Content-Disposition"] = (
            content_disposition_header(as_attachment=True, filename=name) or "attachment"
        )
    return answer


def _content(content: files.Content, *, user: int) -> FileContent:
    rendering = Rendering(session=("files", user))
    page = shown.shown(content.path, content.data, rendering=rendering)
    return {
        "path": content.path,
        "kind": page.kind,
        "mime": page.mime,
        "size": content.size,
        "modified": _time(content.modified),
        "text": page.text,
        "html": page.html,
    }


def _row(entry: files.Entry) -> FileRow:
    return {
        "name": entry.name,
        "path": entry.path,
        "kind": entry.kind,
        "isLink": entry.is_link,
        "size": entry.size,
        "modified": _time(entry.modified),
    }


def _time(moment: datetime | None) -> str | None:
    return timestamp(moment) if moment else None
