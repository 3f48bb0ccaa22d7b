"""Which blobs there are, which sessions name them, and how much of them a user may have.

A blob is stored before the event that names it. One that no event names is garbage after a day.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from sessions.core.conf import chat
from sessions.core.errors import BlobsFull, UnknownBlob
from sessions.eventlog.blobs import files, parts
from sessions.models import Blob, BlobName, BlobUpload, Session

MEGABYTE: Final = 1024 * 1024
# An append may be tried for long while the database is away.
GARBAGE_AGE: Final = timedelta(days=1)
BATCH: Final = 200


def put(session_id: UUID, blobs: Sequence[tuple[str, bytes]]) -> None:
    """Store bytes by their names, before the event that names them. Raises BlobsFull, OSError."""
    put_for(Session.objects.filter(pk=session_id).values("owner_id"), blobs)


def put_for(owners: Any, blobs: Sequence[tuple[str, bytes]]) -> None:
    """Store bytes as `put` does, at the cost of a user. owners: as of `used_by`."""
    new = dict(blobs)
    with transaction.atomic():
        _check_quota(owners, sum(map(len, new.values())))
        for sha256, data in new.items():
            keep(sha256, len(data))
    for sha256, data in new.items():
        files.write(sha256, data)


def find(user: AbstractBaseUser, sha256: str) -> tuple[str, bytes]:
    """Return type and bytes of a blob that a session of user names, or that user has uploaded.

    Raises UnknownBlob.
    """
    uploads = BlobUpload.objects.filter(user_id=user.pk, sha256=sha256).values_list("mime")
    mimes = [*named_by(user.pk, {sha256}).values(), *(mime for (mime,) in uploads)]
    mime = mimes[0] if mimes else None
    data = None if mime is None else files.read(sha256)
    if mime is None or data is None:
        raise UnknownBlob
    return mime, data


def keep(sha256: str, size: int) -> None:
    """Note a blob that is stored now, or once more: it stays for a day, named or not."""
    facts = {"size": size, "stored_at": timezone.now()}
    Blob.objects.update_or_create(sha256=sha256, defaults=facts)


def named_by(user_id: int, names: Collection[str]) -> dict[str, str]:
    """Return the types of those blobs that a session of a user names."""
    named = BlobName.objects.filter(sha256__in=names, session__owner_id=user_id)
    return dict(named.values_list("sha256", "mime"))


def used_by(owners: Any) -> int:
    """Return the bytes of all blobs that users have uploaded, or that their sessions name.

    owners: keys of users, or a query of them.
    """
    named = BlobName.objects.filter(session__owner_id__in=owners).values("sha256")
    uploaded = BlobUpload.objects.filter(user_id__in=owners).values("sha256")
    blobs = Blob.objects.filter(Q(sha256__in=named) | Q(sha256__in=uploaded))
    return blobs.aggregate(total=Sum("size"))["total"] or 0


def collect(*, dry_run: bool = False) -> int:
    """Remove the blobs that no event names after a day; return how many."""
    if dry_run:
        return _garbage().count()
    total = 0
    while removed := _collect_some():
        total += removed
    # From now on the sessions that name them say who may read them.
    BlobUpload.objects.filter(stored_at__lt=timezone.now() - GARBAGE_AGE).delete()
    parts.collect()
    return total


def _collect_some() -> int:
    with transaction.atomic():
        rows = _garbage().select_for_update(no_key=True)
        doomed = list(rows.values_list("sha256", flat=True)[:BATCH])
        for sha256 in doomed:
            # Before the commit: a writer of the same bytes waits for it, and writes the file.
            files.remove(sha256)
        Blob.objects.filter(sha256__in=doomed).delete()
    return len(doomed)


def _garbage() -> QuerySet[Blob]:
    named = BlobName.objects.filter(sha256=OuterRef("sha256"))
    old = Blob.objects.filter(stored_at__lt=timezone.now() - GARBAGE_AGE)
    return old.filter(~Exists(named))


def _check_quota(owners: Any, more: int) -> None:
    if not chat.BLOB_QUOTA_MB:
        return
    if used_by(owners) + more > chat.BLOB_QUOTA_MB * MEGABYTE:
        raise BlobsFull


def forget(names: Collection[str]) -> None:
    """Remove those of the blobs that no event names any more and no user has uploaded lately."""
    with transaction.atomic():
        named = BlobName.objects.filter(sha256=OuterRef("sha256"))
        uploaded = BlobUpload.objects.filter(sha256=OuterRef("sha256"))
        rows = Blob.objects.filter(sha256__in=names).filter(~Exists(named), ~Exists(uploaded))
        doomed = list(rows.select_for_update(no_key=True).values_list("sha256", flat=True))
        for sha256 in doomed:
            files.remove(sha256)
        Blob.objects.filter(sha256__in=doomed).delete()
