"""News of people's own things, drafts, read marks and pins, for all their streams.

The rows are the truth: a look finds those that have changed lately and tells each version once.
The tail looks every TAIL_INTERVAL_S; a change of this process or a hint of another looks at once.
A lost hint costs milliseconds, and a stream that opens later reads the rows by the list of chats.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

from channels.layers import get_channel_layer
from pydantic import BaseModel, TypeAdapter

from sessions.core.conf import has_layer
from sessions.core.layer.mailbox import Mailbox
from sessions.personal import rows
from sessions.personal.shapes import Personal
from transport.live.stream import Stream
from transport.rows import pool

logger = logging.getLogger(__name__)

GROUP: Final = "transport.personal"
# A change that no look has found within this time is read with the next list of chats.
LATELY: Final = timedelta(seconds=30)
# A flood of hints is one look in this time.
HINT_PAUSE_S: Final = 0.05
# A longer draft is not told: the device that shows its chat reads it.
MAX_TOLD_CHARS: Final = 8_000


class _Hint(BaseModel):
    """A row of some person may have changed."""

    type: Literal["transport.personal"]


class PersonalNews:
    """Tells the streams of this process."""

    def __init__(self, streams: Mapping[UUID, Stream]) -> None:
        self._streams = streams
        self._told: dict[int, int] = {}
        self._looking = asyncio.Lock()

    async def look(self) -> None:
        """Tell the changes that were not told yet."""
        async with self._looking:
            listeners = self._listeners()
            if not listeners:
                return
            lately = dict(await pool.run(rows.changed_lately, list(listeners), LATELY))
            news = [pk for pk, version in lately.items() if self._told.get(pk) != version]
            for row in await pool.run(rows.with_ids, news) if news else []:
                lately[row.pk] = row.version
                told = _short(rows.shown(row.session_id, row))
                for stream in listeners.get(row.user_id, ()):
                    stream.tell_personal(told)
            # The others are too old to be found again.
            self._told = lately

    async def hint(self) -> None:
        """Tell the other processes that there is something to find."""
        if not has_layer():
            return
        try:
            await get_channel_layer().group_send(GROUP, {"type": GROUP})
        except Exception:
            # The tails of the others find it a little later.
            logger.warning("could not hint at a change", exc_info=True)

    async def receive_hints(self) -> None:
        """Look when another process hints, until cancelled."""
        mailbox = Mailbox("personal", TypeAdapter(_Hint))
        await mailbox.keep_joining(GROUP)
        while True:
            await mailbox.hear()
            try:
                await self.look()
            except Exception:
                # The tail looks again.
                logger.exception("a hint was not followed")
            await asyncio.sleep(HINT_PAUSE_S)

    def _listeners(self) -> dict[int, list[Stream]]:
        found: dict[int, list[Stream]] = defaultdict(list)
        for stream in self._streams.values():
            if stream.user_id is not None:
                found[stream.user_id].append(stream)
        return found


def _short(news: Personal) -> Personal:
    if len(news["draft"] or "") <= MAX_TOLD_CHARS:
        return news
    return {**news, "draft": None}
