"""Agents go round between users, whatever the length of one user's queue."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from sessions.runner.leasing.fairness import Waiting, in_turn, who_yields

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ADA, BOB, CAY = 1, 2, 3


def queue(owners: list[int]) -> list[Waiting]:
    return [Waiting(uuid4(), owner, NOON + timedelta(seconds=n)) for n, owner in enumerate(owners)]


def owners(chosen: list[Waiting]) -> list[int]:
    return [waiting.owner_id for waiting in chosen]


def order(waiting, *, held=None, served=None, limit=99):
    return owners(in_turn(waiting, held=held or {}, served=served or {}, limit=limit))


def test_the_first_prompt_of_another_user_does_not_wait_for_a_full_queue() -> None:
    assert order(queue([ADA] * 10 + [BOB]), limit=2) == [ADA, BOB]


def test_users_take_turns() -> None:
    assert order(queue([ADA, ADA, ADA, BOB, BOB, CAY])) == [ADA, BOB, CAY, ADA, BOB, ADA]


def test_a_user_with_agents_comes_after_one_without() -> None:
    assert order(queue([ADA, BOB]), held={ADA: 1}) == [BOB, ADA]


def test_of_users_without_agents_the_one_served_longest_ago_is_first() -> None:
    assert order(queue([ADA, BOB]), served={ADA: 20.0, BOB: 10.0}) == [BOB, ADA]
    assert order(queue([ADA, CAY]), served={ADA: 20.0}) == [CAY, ADA]


def test_a_user_alone_has_everything_in_the_order_of_sending() -> None:
    waiting = queue([ADA] * 5)
    assert in_turn(waiting[::-1], held={ADA: 3}, served={ADA: 1.0}, limit=9) == waiting


@pytest.mark.parametrize(
    ("held", "yields"),
    [({}, None), ({ADA: 1}, ADA), ({ADA: 1, BOB: 1}, None), ({ADA: 2, BOB: 1}, ADA)],
)
def test_only_a_user_with_more_agents_yields_one(held, yields) -> None:
    assert who_yields(BOB, held=held) == yields
