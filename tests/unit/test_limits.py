"""Rates, things at once and turns: a share for each, and bounded memory."""

import asyncio
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.core.errors import TooManyRequests
from sessions.core.turns import Turns
from sessions.limits import visits
from sessions.limits.at_once import AtOnce
from sessions.limits.buckets import TokenBuckets
from sessions.limits.visits import Visit
from sessions.web import reads


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_holds_a_minute_and_fills_up_in_a_minute():
    clock = Clock()
    buckets = TokenBuckets(lambda: 60, clock=clock)
    assert [buckets.take("ada") for _ in range(61)] == [0] * 60 + [1]
    assert buckets.take("bob") == 0
    clock.now += 10
    assert [buckets.take("ada") for _ in range(11)] == [0] * 10 + [1]
    clock.now += 3600
    assert sum(buckets.take("ada") == 0 for _ in range(100)) == 60


def test_a_clock_that_is_set_back_takes_nothing_away():
    clock = Clock()
    buckets = TokenBuckets(lambda: 60, clock=clock)
    buckets.take("ada")
    clock.now -= 1
    assert buckets.take("ada") == 0


def test_work_that_is_done_may_owe_a_minute_at_most():
    clock = Clock()
    buckets = TokenBuckets(lambda: 10, clock=clock)
    buckets.charge("ada", 1000)
    assert not buckets.has_any("ada")
    clock.now += 61
    assert buckets.has_any("ada")


def test_many_keys_take_bounded_memory():
    buckets = TokenBuckets(lambda: 1, max_keys=100)
    for key in range(10_000):
        buckets.take(key)
    assert len(buckets._buckets) == 100
    assert buckets.take(9_999) > 0


def test_no_limit_is_no_limit():
    buckets = TokenBuckets(lambda: 0)
    assert {buckets.take("ada") for _ in range(10_000)} == {0}
    things = AtOnce(lambda: 0)
    assert all(things.begin("ada") for _ in range(1_000))


def test_things_at_once_are_counted_by_key():
    things = AtOnce(lambda: 2)
    assert [things.begin("ada") for _ in range(3)] == [True, True, False]
    assert things.begin("bob")
    things.end("ada")
    assert things.begin("ada")
    for key in ("ada", "ada", "bob"):
        things.end(key)
    assert len(things) == 0


@given(st.lists(st.tuples(st.sampled_from([None, 1, 2, 3]), st.booleans()), max_size=60))
def test_the_next_thing_is_of_an_owner_in_turn(steps):
    """Whatever comes and goes: no owner has all places, and none is passed over twice."""
    turns: Turns[int] = Turns(4)
    waiting: list[tuple[int | None, int]] = []
    begun: list[int | None] = []
    last_turn: dict[int | None, int] = {}
    for number, (owner, ends) in enumerate(steps):
        turns.add(owner, number)
        waiting.append((owner, number))
        if ends and begun:
            turns.end(begun.pop(0))
        if len(begun) == 4:
            continue
        found = turns.begin()
        if found is None:
            assert all(begun.count(other) == 3 for other, _ in waiting)
            continue
        who, thing = found
        assert thing == min(n for other, n in waiting if other == who), "an owner's own order"
        if any(other is None for other, _ in waiting):
            assert who is None, "the server's own work is first"
        waiting.remove((who, thing))
        begun.append(who)
        last_turn[who] = number
        assert who is None or begun.count(who) <= 3


def test_one_user_s_queue_does_not_keep_the_places():
    turns: Turns[str] = Turns(4)
    for number in range(50):
        turns.add(1, f"ada {number}")
    assert [turns.begin() for _ in range(3)] == [(1, f"ada {n}") for n in range(3)]
    assert turns.begin() is None, "one place is left for others"
    turns.add(2, "bob 0")
    assert turns.begin() == (2, "bob 0")
    turns.add(2, "bob 1")
    turns.add(None, "renew the leases")
    turns.end(1)
    assert turns.begin() == (None, "renew the leases")
    turns.end(1)
    assert turns.begin() == (1, "ada 3")
    turns.end(1)
    assert turns.begin() == (2, "bob 1")


# --- Visits ---------------------------------------------------------------------------------------


@pytest.fixture
def limits(settings, monkeypatch):
    """Function that sets limits; every bucket is new."""
    for name in ("requests", "ways_out", "streams", "strangers"):
        monkeypatch.setattr(visits, name, TokenBuckets(getattr(visits, name)._per_minute))
    monkeypatch.setattr(visits, "_known", visits._known.__class__())

    def change(**more):
        settings.CHAT = {**settings.CHAT, **{name: str(value) for name, value in more.items()}}

    return change


def stranger(address="192.0.2.1", credential="", **options):
    visit = Visit(address, credential, **options)
    try:
        visit.enter()
    finally:
        visit.leave()


def user(user_id, address="192.0.2.1", credential="", **options):
    visit = Visit(address, credential, **options)
    try:
        visit.enter()
        visit.admit(user_id)
    finally:
        visit.leave()


def refused(call, *args, **options):
    with pytest.raises(TooManyRequests) as caught:
        call(*args, **options)
    assert caught.value.fields["retryAfter"] >= 1
    return True


def test_strangers_of_one_address_have_a_share(limits):
    limits(STRANGER_REQUESTS_PER_MINUTE=3)
    for _ in range(3):
        stranger()
    assert refused(stranger)
    stranger("192.0.2.2")


def test_a_user_is_charged_alone_and_strangers_do_not_use_up_the_share(limits):
    limits(STRANGER_REQUESTS_PER_MINUTE=3, REQUESTS_PER_MINUTE=5)
    user(1, credential="good")
    for _ in range(3):
        stranger()
    assert refused(stranger)
    assert refused(user, 1, credential="never seen")
    for _ in range(4):  # the credential vouches for its request
        user(1, credential="good")
    assert refused(user, 1, credential="good")


def test_a_user_is_not_charged_to_the_address(limits):
    limits(STRANGER_REQUESTS_PER_MINUTE=2, REQUESTS_PER_MINUTE=100)
    for number in range(20):
        user(number)
    stranger()


def test_a_way_out_is_open_beside_a_flood(limits):
    limits(REQUESTS_PER_MINUTE=3, REQUESTS_AT_ONCE=1)
    for _ in range(3):
        user(1, credential="good")
    assert refused(user, 1, credential="good")
    user(1, credential="good", is_way_out=True)


def test_requests_at_once_end_with_their_visits(limits):
    limits(REQUESTS_AT_ONCE=2)
    held = [Visit("192.0.2.1") for _ in range(2)]
    for visit in held:
        visit.enter()
        visit.admit(1)
    assert refused(user, 1)
    user(2)
    user(1, is_stream=True)
    held[0].leave()
    user(1)
    held[1].leave()
    assert len(visits.requests_at_once) == 0
    assert len(visits.strangers_at_once) == 0


def test_what_a_visit_holds_is_free_after_it(limits):
    limits(EXPORTS_AT_ONCE=1)
    first, second = Visit("192.0.2.1"), Visit("192.0.2.1")
    for visit in (first, second):
        visit.enter()
        visit.admit(1)
    first.hold(visits.exports, 1)
    assert refused(second.hold, visits.exports, 1)
    second.hold(visits.exports, 2)
    first.leave()
    second.hold(visits.exports, 1)
    second.leave()
    assert len(visits.exports) == 0


async def entered() -> Visit:
    visit = Visit("192.0.2.1")
    visit.enter()
    visit.admit(1)
    return visit


@pytest.mark.parametrize("of", [visits.reads, visits.searches, visits.exports])
async def test_the_next_request_waits_until_the_one_that_was_cancelled_is_gone(limits, of):
    limits(READS_AT_ONCE=1, SEARCHES_AT_ONCE=1, EXPORTS_AT_ONCE=1)
    user = SimpleNamespace(pk=1)
    cancelled = await entered()
    cancelled.hold(of, 1)

    async def ask() -> None:
        visit = await entered()
        try:
            await reads.hold_place(user, of)
        finally:
            visit.leave()

    refused_after_a_while = asyncio.create_task(ask())
    with pytest.raises(TooManyRequests):
        await refused_after_a_while
    asked = asyncio.create_task(ask())
    await asyncio.sleep(0)
    cancelled.leave()
    await asked
    assert len(of) == 0
