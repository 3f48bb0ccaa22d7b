"""Calls about the end of a run: the folders of chats, their worktrees, and uploads of long ago.

Part of lab/rig/backdoor_calls.py, which sets Django up first.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.utils import timezone

from sessions.control.worktrees import beginning, ends
from sessions.core.errors import ChatError
from sessions.eventlog.blobs import rows as blobs
from sessions.models import Blob, BlobUpload, Restore, Session, Worktree
from sessions.workspace import roots
from sessions.workspace.checkpoints import keeping
from sessions.workspace.checkpoints.model import NotKept

Json = dict[str, Any]


def folders() -> dict[str, Json]:
    """Return the state of each session's folder, and whether a restore of it is unfinished."""
    unfinished = set(Restore.objects.values_list("session_id", flat=True))
    return {
        str(row.pk): {"checkpoint": _kept(row), "isRestoring": row.pk in unfinished}
        for row in Session.objects.all()
    }


def _kept(row: Session) -> str:
    try:
        return keeping.keep(row.pk, row.cwd, roots.roots()).name
    except NotKept:
        return ""


def end_worktrees() -> list[str]:
    """Remove every worktree as its owner does, with all that is lost; return the refusals."""
    refused = []
    for row in Worktree.objects.exclude(state__in=("wanted", "merged", "discarded")):
        owner = row.session.owner
        try:
            if row.state == "making":
                beginning.prepare(row.session)
            _, losses = ends.standing(owner, row.pk)
            ends.discard(owner, row.pk, losses.digest if losses is not None else "")
        except ChatError as exc:
            refused.append(f"{row.branch}, {row.state}: {exc}")
    return refused


def blobs_after_a_day() -> list[str]:
    """Let all uploads be two days old, collect, and return the names that are left."""
    long_ago = timezone.now() - timedelta(days=2)
    for model in (Blob, BlobUpload):
        model.objects.update(stored_at=long_ago)
    data = settings.DATA_DIR
    uploads = list((data / "uploads").rglob("*.part"))
    for part in uploads:
        os.utime(part, (long_ago.timestamp(), long_ago.timestamp()))
    blobs.collect()
    rows = Blob.objects.values_list("sha256", flat=True)
    names = {path.name for path in (data / "blobs").glob("*/*/*")}
    return sorted({*rows, *names, *(part.name for part in uploads if part.exists())})


CALLS: Final[tuple[Callable[..., Any], ...]] = (folders, end_worktrees, blobs_after_a_day)
