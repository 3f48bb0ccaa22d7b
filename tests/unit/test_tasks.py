"""Tasks with an owner: held, logged when they fail, ended together."""

import asyncio
import inspect

import pytest

from sessions.core.tasks import TaskSet


async def test_a_task_is_held_until_it_has_ended() -> None:
    tasks, end = TaskSet(), asyncio.Event()
    running = tasks.start(end.wait(), name="waits")
    assert len(tasks) == 1
    end.set()
    await running
    assert len(tasks) == 0


async def test_an_error_is_logged_with_the_facts_of_the_owner(caplog) -> None:
    async def fails() -> None:
        raise ZeroDivisionError

    await TaskSet({"session": "s"}).start(fails(), name="fails")
    [record] = caplog.records
    assert (record.session, record.task_name) == ("s", "fails")
    assert record.exc_info is not None


async def test_the_end_cancels_all_and_waits_for_them() -> None:
    ended = []

    async def work(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(number)

    tasks = TaskSet()
    running = [tasks.start(work(number), name="work") for number in range(3)]
    await asyncio.sleep(0)
    await tasks.end()
    assert sorted(ended) == [0, 1, 2]
    for task in running:
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_work_that_is_ended_before_it_began_is_closed() -> None:
    work = asyncio.sleep(60)
    tasks = TaskSet()
    tasks.start(work, name="waits")
    await tasks.end()
    assert inspect.getcoroutinestate(work) == inspect.CORO_CLOSED
