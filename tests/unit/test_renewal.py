"""The renewal of leases when a lock goes between a failure and the look for it."""

import asyncio
from uuid import uuid4

import pytest
from django.db import OperationalError

from sessions.runner.leasing import renewal
from sessions.runner.leasing.renewal import Renewal

LEASE_S = 1.5


class Database:
    """A database whose lock is held until somebody looks whether it is."""

    def __init__(self, *, is_away: bool) -> None:
        self._is_away = is_away
        self._is_locked = True
        self.renewed = 0

    def renew(self, _runner_id: str, ids: list) -> set:
        if self._is_locked or self._is_away:
            raise OperationalError("database is locked")
        self.renewed += 1
        return set(ids)

    def is_locked(self) -> bool:
        self._is_locked = False
        return False


@pytest.fixture
def renewing(monkeypatch, settings):
    settings.CHAT = {"LEASE_S": LEASE_S}
    session_id = uuid4()
    cut_off = asyncio.Event()

    def made(database: Database, *, has_one_lock: bool) -> tuple[asyncio.Task, asyncio.Event]:
        monkeypatch.setattr(renewal.leases, "renew", database.renew)
        monkeypatch.setattr(renewal.leases, "expire_dead_here", lambda: None)
        monkeypatch.setattr(renewal.clock, "bring_back", lambda: None)
        monkeypatch.setattr(renewal, "is_locked", database.is_locked)
        monkeypatch.setattr(renewal, "has_one_lock", lambda: has_one_lock)
        of_one = Renewal(
            "a runner",
            held=lambda: [session_id],
            lost=lambda lost: pytest.fail(f"lost: {lost}") if lost else None,
            cut_off=cut_off.set,
            renewed=lambda: None,
        )
        return asyncio.create_task(of_one.run()), cut_off

    return made


async def test_a_lock_that_has_just_gone_costs_no_session(renewing):
    database = Database(is_away=False)
    task, cut_off = renewing(database, has_one_lock=True)
    async with asyncio.timeout(30):
        while database.renewed < 2:
            await asyncio.sleep(0.02)
    task.cancel()
    assert not cut_off.is_set()


@pytest.mark.parametrize(("is_away", "has_one_lock"), [(True, True), (False, False)])
async def test_the_sessions_are_left_where_another_runner_may_have_them(
    renewing, is_away, has_one_lock
):
    task, cut_off = renewing(Database(is_away=is_away), has_one_lock=has_one_lock)
    async with asyncio.timeout(30):
        await cut_off.wait()
    task.cancel()
