"""Rounds of periodic sync, one after the other, in the one copy that holds the lock."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from functools import partial
from typing import Final
from uuid import UUID

from sessions.core.conf import chat
from sessions.core.host import process_name
from sessions.eventlog.blobs import rows as blobs
from transport.rows import pool
from transport.sync import lock, rounds

logger = logging.getLogger(__name__)

COLLECT_S: Final = 3600.0
# The time of this process's last collection.
_collected_at = -COLLECT_S


async def run(
    *,
    interval_s: float | None = None,
    batch: int | None = None,
    max_gap: int | None = None,
    position: rounds.Position = rounds.by_the_rows,
) -> None:
    """Run rounds until cancelled. None: the setting, read again for each round.

    position: of the streams that this process holds, see `rounds.Position`.
    """
    uncounted: set[UUID] = set()
    try:
        while True:
            pause_s = chat.SYNC_INTERVAL_S if interval_s is None else interval_s
            await _one_round(
                batch=chat.SYNC_BATCH_LIMIT if batch is None else batch,
                max_gap=chat.MAX_REPLAY_GAP if max_gap is None else max_gap,
                pause_s=pause_s,
                uncounted=uncounted,
                position=position,
            )
            # From the end of one round to the start of the next: rounds never overlap.
            await asyncio.sleep(pause_s)
    finally:
        await asyncio.shield(_release())


async def _one_round(
    *,
    batch: int,
    max_gap: int,
    pause_s: float,
    uncounted: set[UUID],
    position: rounds.Position,
) -> None:
    hold = partial(lock.renew, process_name(), pause_s=pause_s)
    try:
        if not await pool.run(lock.acquire, process_name(), pause_s=pause_s):
            return
        await pool.run(rounds.clean_up, uncounted)
        await _collect_blobs()
        decisions = await pool.run(
            rounds.sync_round,
            batch=batch,
            max_gap=max_gap,
            may_continue=hold,
            position=position,
        )
    except Exception:
        logger.exception("a round of periodic sync failed")
        return
    counts = Counter(str(decision.outcome) for decision in decisions)
    if set(counts) - {rounds.Outcome.UP_TO_DATE, rounds.Outcome.NOT_SYNCED}:
        logger.info("periodic sync", extra={k.replace(" ", "_"): n for k, n in counts.items()})


async def _collect_blobs() -> None:
    """Remove the files that no event names, once in an hour; a few queries for all of them."""
    global _collected_at
    now = time.monotonic()
    if now - _collected_at > COLLECT_S:
        _collected_at = now
        removed = await pool.run(blobs.collect)
        if removed:
            logger.info("blobs removed", extra={"blobs": removed})


async def _release() -> None:
    try:
        await pool.run(lock.release, process_name())
    except Exception:
        logger.exception("the lock of periodic sync was not released; it expires")
