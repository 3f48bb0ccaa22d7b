"""The bytes of a tool's result: stored before the event that names them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from uuid import UUID

from sessions.agents.port import ToolDone, Update
from sessions.core.db import retry_while_down
from sessions.core.errors import BlobsFull
from sessions.eventlog.blobs import rows

logger = logging.getLogger(__name__)


async def kept(session_id: UUID, update: Update) -> Update:
    """Return an update whose bytes are stored; without room they are left out, with a mark."""
    if not isinstance(update, ToolDone) or not update.shown.blobs():
        return update
    return await retry_while_down(partial(stored, partial(rows.put, session_id), update))


def stored(put: Callable[[list[tuple[str, bytes]]], None], update: Update) -> Update:
    """Return an update as `kept` does. put: stores bytes by names. Raises BlobsFull, OSError."""
    if not isinstance(update, ToolDone) or not (blobs := update.shown.blobs()):
        return update
    try:
        put([(blob.blob, blob.data) for blob in blobs])
    except (BlobsFull, OSError) as exc:
        logger.warning("blobs were not stored", extra={"tool": update.tool_id, "why": str(exc)})
        why = str(exc) if isinstance(exc, BlobsFull) else "The disk does not take them."
        mark = f"[{len(blobs)} of its images and files are left out. {why}]"
        content = f"{update.content}\n{mark}" if update.content else mark
        return replace(update, content=content, shown=update.shown.without_blobs())
    return update
