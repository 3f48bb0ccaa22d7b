"""The renewal of a runner's leases, and the moment at which it must assume that they are lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Final
from uuid import UUID

from sessions.core import storage
from sessions.core.conf import chat
from sessions.core.db import has_one_lock, in_thread, is_locked
from sessions.runner.leasing import clock, leases

logger = logging.getLogger(__name__)

# In parts of LEASE_S: the time between renewals, the time until the next try after a failure, and
# the age of the last renewal at which the sessions are left. The rest of the lease is for ending
# the agents, and for clocks of several hosts that are not quite the same.
RENEW: Final = 1 / 3
RETRY: Final = 1 / 15
GIVE_UP: Final = 0.8


class Renewal:
    """Renews the leases of one runner.

    held: returns the sessions of the runner. lost: is called with those that another runner has.
    cut_off: is called when the leases could not be renewed in time. renewed: after each success.
    """

    def __init__(
        self,
        runner_id: str,
        *,
        held: Callable[[], Collection[UUID]],
        lost: Callable[[Collection[UUID]], None],
        cut_off: Callable[[], None],
        renewed: Callable[[], None],
    ) -> None:
        self._runner_id = runner_id
        self._held = held
        self._lost = lost
        self._cut_off = cut_off
        self._renewed = renewed
        # Whether the leases could not be renewed in time; nothing is claimed until they can.
        self.is_cut_off = False

    async def run(self) -> None:
        """Renew until cancelled; leave the sessions in time when that fails for too long.

        On another host no process could end these agents, and their sessions are resumed there.
        """
        loop = asyncio.get_running_loop()
        renewed_at = loop.time()
        while True:
            began_at = loop.time()
            retry_s = RETRY * chat.LEASE_S
            give_up_at = renewed_at + GIVE_UP * chat.LEASE_S
            try:
                # A connection that hangs is no better than one that is refused.
                async with asyncio.timeout_at(max(give_up_at, began_at + retry_s)):
                    await self._renew()
            except Exception as exc:
                logger.exception("could not renew leases")
                if loop.time() + retry_s > give_up_at and not await self._may_keep(exc):
                    self.is_cut_off = True
                    self._cut_off()
                await asyncio.sleep(retry_s)
                continue
            renewed_at, self.is_cut_off = began_at, False
            await self._put_right()
            self._renewed()
            await asyncio.sleep(RENEW * chat.LEASE_S)

    async def _renew(self) -> None:
        ids = self._held()
        if ids:
            lost = set(ids) - await in_thread(leases.renew, self._runner_id, ids)
            self._lost(lost)

    async def _may_keep(self, failure: Exception) -> bool:
        """Return whether the sessions may be kept although their leases could not be renewed.

        A lock or a full disk keeps every other runner from a claim, too. A lock that has gone
        since the failure lets the leases be renewed at once; a runner that was faster shares the
        host, and has ended the agents.
        """
        if await _is_safe(failure):
            return True
        if not has_one_lock():
            return False
        try:
            async with asyncio.timeout(RETRY * chat.LEASE_S):
                await self._renew()
        except Exception as exc:
            logger.exception("could not renew leases")
            return await _is_safe(exc)
        return True

    async def _put_right(self) -> None:
        """Free the sessions of dead runners of this host, and bring times from the future back."""
        for repair in (leases.expire_dead_here, clock.bring_back):
            try:
                await in_thread(repair)
            except Exception:
                logger.exception("could not repair leases", extra={"repair": repair.__name__})


async def _is_safe(failure: Exception) -> bool:
    """Return whether no other runner can claim either: a lock or a full disk keeps all out."""
    return storage.refusal(failure) is not None or await asyncio.to_thread(is_locked)
