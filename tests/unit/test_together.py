"""Asks that share an answer: alone at once, together under load, each with its own outcome."""

import asyncio
from collections.abc import Sequence

import pytest

from sessions.core.db import owner
from sessions.core.tasks import Together, TogetherByKey


class Calls:
    """Answers doubled numbers, and holds the first call until it may go on."""

    def __init__(self) -> None:
        self.made: list[list[int]] = []
        self.began = asyncio.Event()
        self.may_end = asyncio.Event()

    async def answer(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.made.append(list(numbers))
        self.began.set()
        await self.may_end.wait()
        return [ValueError(number) if number < 0 else 2 * number for number in numbers]


async def test_asks_that_arrive_during_a_call_share_the_next_ones() -> None:
    calls = Calls()
    together = Together(calls.answer, most=3)
    first = asyncio.create_task(together.ask(1))
    await calls.began.wait()
    others = [asyncio.create_task(together.ask(number)) for number in (2, 3, 4, 5)]
    await asyncio.sleep(0)
    calls.may_end.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6, 8, 10]
    assert calls.made == [[1], [2, 3, 4], [5]]


async def test_an_error_is_that_of_one_ask() -> None:
    calls = Calls()
    calls.may_end.set()
    together = Together(calls.answer, most=9)
    outcomes = await asyncio.gather(*map(together.ask, (1, -2, 3)), return_exceptions=True)
    assert [outcomes[0], outcomes[2]] == [2, 6]
    assert isinstance(outcomes[1], ValueError)


async def test_a_failed_call_is_the_error_of_all_its_asks_and_of_no_later_one() -> None:
    made: list[int] = []

    async def answer(numbers: Sequence[int]) -> list[int | Exception]:
        made.append(len(numbers))
        if len(made) == 1:
            raise RuntimeError("no database")
        return list(numbers)

    together = Together(answer, most=9)
    outcomes = await asyncio.gather(together.ask(1), together.ask(2), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["no database", "no database"]
    assert await together.ask(3) == 3


async def test_an_ask_whose_asker_has_left_is_dropped() -> None:
    calls = Calls()
    together = Together(calls.answer, most=9)
    first = asyncio.create_task(together.ask(1))
    await calls.began.wait()
    leaver = asyncio.create_task(together.ask(2))
    stayer = asyncio.create_task(together.ask(3))
    await asyncio.sleep(0)
    leaver.cancel()
    calls.may_end.set()
    assert await asyncio.gather(first, stayer) == [2, 6]
    with pytest.raises(asyncio.CancelledError):
        await leaver
    assert calls.made == [[1], [3]]


async def test_the_context_of_the_first_ask_is_not_that_of_the_call() -> None:
    seen: list[int | None] = []

    async def answer(numbers: Sequence[int]) -> list[int | Exception]:
        seen.append(owner.get())
        return list(numbers)

    owner.set(7)
    assert await Together(answer, most=1).ask(1) == 1
    assert seen == [None]


async def test_asks_of_one_key_share_and_another_key_waits_for_nothing() -> None:
    calls, others = Calls(), []

    async def answer(numbers: Sequence[int]) -> list[int | Exception]:
        if numbers[0] < 100:
            return await calls.answer(numbers)
        others.append(list(numbers))
        return list(numbers)

    together = TogetherByKey[str, int, int](answer, most=9)
    first = asyncio.create_task(together.ask("a", 1))
    await calls.began.wait()
    later = [asyncio.create_task(together.ask("a", number)) for number in (2, 3)]
    assert await together.ask("b", 100) == 100
    assert (calls.made, others, len(together)) == ([[1]], [[100]], 1)
    calls.may_end.set()
    assert await asyncio.gather(first, *later) == [2, 4, 6]
    assert calls.made == [[1], [2, 3]]
    assert len(together) == 0


async def test_a_key_is_forgotten_after_an_error_and_after_an_asker_that_left() -> None:
    calls = Calls()
    together = TogetherByKey[str, int, int](calls.answer, most=9)
    left = asyncio.create_task(together.ask("a", 1))
    await calls.began.wait()
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    calls.may_end.set()
    with pytest.raises(ValueError, match="-2"):
        await together.ask("a", -2)
    assert len(together) == 0


async def test_an_event_loop_answers_its_own_asks() -> None:
    """A reply that another loop gave would wake nothing where the ask waits."""
    may_end = asyncio.Event()
    made: list[list[int]] = []

    async def answer(numbers: Sequence[int]) -> list[int | Exception]:
        made.append(list(numbers))
        if numbers[0] == 1:
            await may_end.wait()
        return list(numbers)

    together = Together(answer, most=9)
    keyed = TogetherByKey[str, int, int](answer, most=9)
    for ask in (together.ask, lambda number: keyed.ask("a", number)):
        may_end.clear()
        made.clear()
        here = [asyncio.create_task(ask(number)) for number in (1, 2)]
        await asyncio.sleep(0)
        while not made:
            await asyncio.sleep(0)
        here.append(asyncio.create_task(ask(4)))
        await asyncio.sleep(0)
        assert await asyncio.to_thread(lambda ask=ask: asyncio.run(ask(3))) == 3
        may_end.set()
        assert await asyncio.gather(*here) == [1, 2, 4]
        assert made == [[1, 2], [3], [4]]
    assert len(keyed) == 0
