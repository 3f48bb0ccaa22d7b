"""The routes for the bytes that events name: docs/reference/http-api.md#blobs."""

from __future__ import annotations

import re
from typing import Final, Literal, NotRequired

from django.http import HttpResponse
from ninja import Router
from typing_extensions import TypedDict

from sessions.access.auth import signed_in
from sessions.core.db import in_thread
from sessions.core.errors import DigestMismatch, InvalidRequest, UnknownBlob
from sessions.eventlog.blobs import kinds, rows, uploads
from sessions.web.answers import COMMAND_ERRORS, ErrorAnswer, JsonAnswer
from sessions.web.authorised import Authorised

router = Router(tags=["reading"])

# Pictures without scripts; everything else is saved, not shown.
SHOWN: Final = kinds.IMAGES
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "private, max-age=31536000, immutable",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_NAME: Final = re.compile(r"[0-9a-f]{64}")
# "bytes 0-9/20" is a piece; "bytes */20" asks how many bytes are here.
_RANGE: Final = re.compile(r"bytes (?:([0-9]{1,15})-([0-9]{1,15})|\*)/([0-9]{1,15})")


class Upload(TypedDict):
    """The bytes of an upload that are here; mime: once it is whole, by its content."""

    ok: Literal[True]
    received: int
    mime: NotRequired[str]


@router.put(
    "/blobs/{sha256}",
    auth=signed_in,
    response={frozenset({200, 201, 202}): Upload, frozenset({*COMMAND_ERRORS, 507}): ErrorAnswer},
    summary="Upload bytes under their SHA-256",
)
async def put_blob(request: Authorised, sha256: str) -> JsonAnswer[Upload]:
    """Store the body: 201, or 200 where it is here already; a piece of it by Content-Range: 202."""
    if not _NAME.fullmatch(sha256):
        raise DigestMismatch("The name is no SHA-256 in lower case.")
    piece = _piece(request.body, request.headers.get("Content-Range"))
    stored = await in_thread(uploads.put, request.auth, sha256, piece)
    answer: Upload = {"ok": True, "received": stored.received}
    if stored.is_whole:
        answer["mime"] = stored.mime
    return JsonAnswer(answer, status=(201 if stored.is_new else 200) if stored.is_whole else 202)


def _piece(body: bytes, told: str | None) -> uploads.Piece:
    """Return the part of an upload that a body is. Raises InvalidRequest."""
    if told is None:
        return uploads.Piece(body, 0, len(body))
    found = _RANGE.fullmatch(told.strip())
    if found is None:
        raise InvalidRequest("This is no range of bytes.", field="Content-Range")
    first, last, total = found.groups()
    if first is None and not body:
        return uploads.Piece(b"", 0, int(total))
    if first is None or int(last) - int(first) + 1 != len(body):
        raise InvalidRequest("The range and the body differ.", field="Content-Range")
    return uploads.Piece(body, int(first), int(total))


@router.get("/blobs/{sha256}", summary="Bytes that an event names")
async def read_blob(request: Authorised, sha256: str) -> HttpResponse:
    """The bytes of a blob, for those who may read a session that names it, and for its uploader."""
    if not _NAME.fullmatch(sha256):
        raise UnknownBlob
    mime, data = await in_thread(rows.find, request.auth, sha256)
    is_shown = mime in SHOWN
    answer = HttpResponse(data, content_type=mime if is_shown else "application/octet-stream")
    for name, value in HEADERS.items():
        answer[name] = value
    if not is_shown:
        answer["Content-Disposition"] = f'attachment; filename="{sha256[:16]}"'
    return answer
