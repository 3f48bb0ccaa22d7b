"""The state of the folder, kept before each prompt; a failure never stops the prompt."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

from sessions.control.back.restores import settle
from sessions.core.conf import chat
from sessions.core.db import retry_while_down
from sessions.eventlog import drafts
from sessions.eventlog.writer import Writer
from sessions.models import Session
from sessions.workspace import roots
from sessions.workspace.checkpoints import keeping
from sessions.workspace.checkpoints.model import Checkpoint, NotKept

logger = logging.getLogger(__name__)

# Threads that wait for disks, and for nothing else.
_THREADS: Final = ThreadPoolExecutor(4, thread_name_prefix="checkpoints")


class Checkpoints:
    """The checkpoints of one live session, and its restores that a server has left.

    The reason for which there is no checkpoint is told once.
    """

    def __init__(self, session_id: UUID, writer: Writer) -> None:
        self.session_id = session_id
        self._writer = writer
        self._told = ""

    async def keep(self) -> Checkpoint | None:
        """Return the state of the folder now, kept; None where it cannot be kept."""
        await settle(self.session_id)
        if not chat.CHECKPOINT_MB:
            return None
        cwd, allowed = await retry_while_down(partial(_place_of, self.session_id))
        work = partial(keeping.keep, self.session_id, cwd, allowed)
        try:
            return await asyncio.get_running_loop().run_in_executor(_THREADS, work)
        except NotKept as exc:
            await self._tell(str(exc))
        except Exception:
            logger.exception("a checkpoint failed", extra={"session": str(self.session_id)})
            await self._tell("The server failed; the failure has been logged.")
        return None

    async def _tell(self, why: str) -> None:
        if why != self._told:
            self._told = why
            error = f"The folder cannot be restored to this point. {why}"
            draft = drafts.error(code="checkpoint_skipped", error=error)
            await self._writer.append(self.session_id, [draft])


def _place_of(session_id: UUID) -> tuple[str, list[Path]]:
    cwd = Session.objects.values_list("cwd", flat=True).get(pk=session_id)
    return cwd, roots.roots()
