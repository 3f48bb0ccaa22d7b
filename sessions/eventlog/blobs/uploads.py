"""Bytes that a person uploads: they are the person's until a prompt names them, for a day at most.

An upload is repeated or resumed at will: its name is the SHA-256 of its bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from sessions.core.conf import chat
from sessions.core.errors import (
    BlobTooLarge,
    DigestMismatch,
    InvalidRequest,
    QuotaReached,
    RangeMismatch,
)
from sessions.eventlog.blobs import files, parts, rows
from sessions.eventlog.blobs.kinds import mime_of
from sessions.models import Blob, BlobUpload

MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of an upload: from the byte `first` of `total`. Without bytes it asks for the place."""

    data: bytes
    first: int
    total: int

    @property
    def is_whole(self) -> bool:
        """Whether this is all of it."""
        return self.first == 0 and len(self.data) == self.total


@dataclass(frozen=True, slots=True)
class Stored:
    """An upload after a piece. received: its bytes that are here; is_new: stored by this one."""

    received: int
    is_whole: bool
    is_new: bool = False
    mime: str = ""


def put(user: User, sha256: str, piece: Piece) -> Stored:
    """Take a piece, and store the bytes once all are here.

    Raises BlobTooLarge, DigestMismatch, RangeMismatch, QuotaReached, InvalidRequest, OSError.
    """
    if piece.total > chat.UPLOAD_MB * MEGABYTE:
        raise BlobTooLarge(maxBytes=chat.UPLOAD_MB * MEGABYTE)
    if piece.first + len(piece.data) > piece.total:
        raise InvalidRequest("The range is longer than the whole.", field="Content-Range")
    if piece.is_whole and hashlib.sha256(piece.data).hexdigest() != sha256:
        raise DigestMismatch
    if not piece.data and not piece.is_whole:
        return _held(user, sha256) or Stored(parts.received(user.pk, sha256), is_whole=False)
    with parts.held(user.pk, sha256) as part:
        return _held(user, sha256) or _taken(user, sha256, piece, part)


def _taken(user: User, sha256: str, piece: Piece, part: parts.Part) -> Stored:
    """Add a piece to those that are here; store the bytes once they are whole."""
    data = piece.data
    if not piece.is_whole:
        if piece.first > part.size:
            raise RangeMismatch(received=part.size)
        _check_quota(user, piece.total)
        part.add(piece.data, first=piece.first)
        if part.size < piece.total:
            return Stored(part.size, is_whole=False)
        data = part.read()
        if hashlib.sha256(data).hexdigest() != sha256:
            part.drop()
            raise DigestMismatch
    stored = Stored(len(data), is_whole=True, is_new=True, mime=_store(user, sha256, data))
    part.drop()
    return stored


def of_user(user_id: int, names: set[str]) -> dict[str, tuple[str, int]]:
    """Return type and size of the blobs that a user may name in a prompt, and keep them for a day.

    Within a transaction: the rows are locked, so that none of them is collected before its end.
    """
    kept = Blob.objects.filter(sha256__in=names)
    kept.update(stored_at=timezone.now())
    sizes = dict(kept.values_list("sha256", "size"))
    mimes = rows.named_by(user_id, names)
    uploads = BlobUpload.objects.filter(user_id=user_id, sha256__in=names)
    mimes |= dict(uploads.values_list("sha256", "mime"))
    return {name: (mimes[name], sizes[name]) for name in names if name in mimes and name in sizes}


def _held(user: User, sha256: str) -> Stored | None:
    """Return bytes that the user has stored already, and keep them for a day more."""
    with transaction.atomic():
        held = of_user(user.pk, {sha256}).get(sha256)
    if held is None or not files.path_of(sha256).exists():
        return None
    mime, size = held
    return Stored(size, is_whole=True, mime=mime)


def _store(user: User, sha256: str, data: bytes) -> str:
    mime = mime_of(data)
    with transaction.atomic():
        # One upload of a user after the other: together they stay within the quota.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        _check_quota(user, len(data))
        rows.keep(sha256, len(data))
        facts = {"mime": mime, "stored_at": timezone.now()}
        BlobUpload.objects.update_or_create(user_id=user.pk, sha256=sha256, defaults=facts)
    files.write(sha256, data)
    return mime


def _check_quota(user: User, more: int) -> None:
    limit = chat.BLOB_QUOTA_MB * MEGABYTE
    if limit and rows.used_by([user.pk]) + more > limit:
        raise QuotaReached
