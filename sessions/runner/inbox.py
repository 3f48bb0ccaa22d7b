"""The requests to a live session, read from its own log: any process may have put them there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from typing import Final, NoReturn
from uuid import UUID

from sessions.control import prompts
from sessions.core.db import retry_while_down
from sessions.eventlog import store
from sessions.eventlog.events import EventType, LoggedEvent
from sessions.eventlog.follow import follow
from sessions.eventlog.wake import HeadWatch

logger = logging.getLogger(__name__)

REQUESTS: Final = frozenset(
    {
        EventType.USER_MESSAGE,
        EventType.INTERRUPT_REQUESTED,
        EventType.PERMISSION_RESOLVED,
        EventType.QUESTION_ANSWERED,
        EventType.MODE_CHANGED,
        EventType.OPTION_CHANGED,
        EventType.SESSION_STATE_CHANGED,
    }
)


async def listen(
    session_id: UUID, watch: HeadWatch, obey: Callable[[LoggedEvent], None]
) -> NoReturn:
    """Call obey with each request to a session, in order, as they come; an error is logged.

    They begin with the oldest prompt that no agent has had yet: a request that came before a
    runner claimed the session is heard too.
    """
    start = await retry_while_down(partial(_start, session_id))
    async with aclosing(follow(session_id, watch, after=start, types=REQUESTS)) as events:
        async for event in events:
            try:
                obey(event)
            except Exception:
                facts = {"session": str(session_id), "seq": event.seq}
                logger.exception("a request was not carried out", extra=facts)
    raise AssertionError("a log never ends")


def _start(session_id: UUID) -> int:
    return prompts.oldest_waiting(session_id) or store.get_head_seq(session_id)
