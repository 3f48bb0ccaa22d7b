"""Database threads: the queue of one user does not stand before another user's call."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from sessions.core.db import THREADS, DatabaseThreads, owner

ADA, BOB = 1, 2


@pytest.fixture
def threads() -> Iterator[DatabaseThreads]:
    made = DatabaseThreads("test")
    yield made
    made._executor.shutdown()


async def call(threads: DatabaseThreads, user: int | None, function, *args):
    owner.set(user)
    return await threads.run(function, *args)


async def test_the_other_user_s_call_is_next(threads):
    gate = threading.Event()
    begun: list[str] = []

    def work(name: str) -> str:
        begun.append(name)
        gate.wait(20)
        return name

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(call(threads, ADA, work, f"ada {number}"))
        while len(begun) < THREADS - 1:
            await asyncio.sleep(0.01)
        # A place is left: another user's call begins while all of the first one's hang.
        asked = group.create_task(call(threads, BOB, work, "bob"))
        while "bob" not in begun:
            await asyncio.sleep(0.01)
        assert len(begun) == THREADS
        gate.set()
        assert await asked == "bob"
    assert sorted(begun) == sorted([*(f"ada {n}" for n in range(20)), "bob"])


async def test_the_server_s_own_work_goes_first(threads):
    gate = threading.Event()
    begun: list[str] = []

    def work(name: str) -> None:
        begun.append(name)
        gate.wait(20)

    async with asyncio.TaskGroup() as group:
        for user in (ADA, BOB):
            for number in range(8):
                group.create_task(call(threads, user, work, f"{user} {number}"))
        while len(begun) < THREADS:
            await asyncio.sleep(0.01)
        group.create_task(call(threads, None, work, "server"))
        await asyncio.sleep(0)
        gate.set()
    assert begun.index("server") <= THREADS + THREADS - 1


async def test_a_call_that_nobody_waits_for_is_left_out(threads):
    gate = threading.Event()
    done: list[int] = []
    held = [asyncio.create_task(call(threads, None, gate.wait, 20)) for _ in range(THREADS)]
    left = asyncio.create_task(call(threads, ADA, done.append, 1))
    await asyncio.sleep(0.05)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    gate.set()
    await asyncio.gather(*held)
    assert await call(threads, BOB, list, (1, 2)) == [1, 2]
    assert done == []


async def test_an_error_is_the_asker_s(threads):
    with pytest.raises(ZeroDivisionError):
        await call(threads, ADA, divmod, 1, 0)
    assert await call(threads, ADA, divmod, 7, 2) == (3, 1)
