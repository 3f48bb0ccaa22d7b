"""Group commit: roll-up, order, back-pressure, refusals, and a commit whose answer is lost."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from django.contrib.auth import get_user_model
from django.db import DataError, OperationalError

from sessions.core.clean import clean
from sessions.core.db import in_thread
from sessions.core.errors import LeaseLost
from sessions.eventlog import events, store, writer
from sessions.eventlog.events import Draft
from sessions.eventlog.writer import Writer
from sessions.models import Session
from sessions.runner.leasing import leases

pytestmark = pytest.mark.django_db(transaction=True)


def leased_session():
    owner, _ = get_user_model().objects.get_or_create(username="owner")
    session = Session.objects.create(owner=owner, agent="demo")
    return leases.claim(session.pk, "runner")


@asynccontextmanager
async def writing():
    made = Writer()
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def lease():
    return await in_thread(leased_session)


def delta(text, block="b"):
    return Draft("block_delta", {"messageId": "m", "blockId": block, "delta": text})


def note(text="x"):
    return Draft("error", {"code": "note", "error": text})


async def logged(lease):
    return await in_thread(store.read, lease.session_id, after=0, limit=1_000_000)


async def test_deltas_of_one_block_roll_up_and_the_first_never_waits(lease, settings):
    settings.CHAT = {"DELTA_ROLLUP_MS": 60_000}
    async with writing() as made:
        made.open(lease, head=0)
        await made.add(lease.session_id, [delta("first ")])
        async with asyncio.timeout(30):
            while not await logged(lease):
                await asyncio.sleep(0.01)
        for word in ("a ", "b ", "c "):
            await made.add(lease.session_id, [delta(word)])
        assert len(await logged(lease)) == 1
        await made.flush(lease.session_id)
        assert [e.payload["delta"] for e in await logged(lease)] == ["first ", "a b c "]


async def test_rolled_up_deltas_come_out_by_themselves_within_the_window(lease, settings):
    settings.CHAT = {"DELTA_ROLLUP_MS": 20}
    async with writing() as made:
        made.open(lease, head=0)
        for number in range(200):
            await made.add(lease.session_id, [delta(f"{number} ")])
            await asyncio.sleep(0.001)
        async with asyncio.timeout(30):
            while (said := "".join(e.payload["delta"] for e in await logged(lease)))[-4:] != "199 ":
                await asyncio.sleep(0.01)
        assert said == "".join(f"{number} " for number in range(200))
        assert len(await logged(lease)) < 100


async def test_order_is_kept_over_blocks_and_other_events(lease):
    async with writing() as made:
        made.open(lease, head=0)
        drafts = [delta("1"), delta("2"), note(), delta("3"), delta("4", "c"), delta("5", "c")]
        for draft in drafts:
            await made.add(lease.session_id, [draft])
        await made.flush(lease.session_id)
        kinds = [(e.type, e.payload.get("delta")) for e in await logged(lease)]
        text = "".join(text or "|" for _, text in kinds)
        assert text == "12|345"


async def test_a_session_with_too_much_waiting_is_held_back(lease, monkeypatch):
    released = asyncio.Event()

    async def slow_in_thread(function, *args, **kwargs):
        await released.wait()
        return await in_thread(function, *args, **kwargs)

    monkeypatch.setattr(writer, "in_thread", slow_in_thread)
    async with writing() as made:
        made.open(lease, head=0)
        adding = asyncio.create_task(add_notes(made, lease, 2_000))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(adding), 0.3)
        released.set()
        await asyncio.wait_for(adding, 10)
        await made.flush(lease.session_id)
        assert len(await logged(lease)) == 2_000


async def add_notes(made, lease, count):
    for number in range(count):
        await made.add(lease.session_id, [note(str(number))])


async def test_a_lost_lease_reaches_whoever_adds_next_and_spares_others(lease):
    other = await in_thread(leased_session)
    await in_thread(Session.objects.filter(pk=lease.session_id).update, lease_epoch=99)
    async with writing() as made:
        made.open(lease, head=0)
        made.open(other, head=0)
        await made.add(lease.session_id, [note()])
        await made.append(other.session_id, [note()])
        with pytest.raises(LeaseLost):
            await made.flush(lease.session_id)
        with pytest.raises(LeaseLost):
            await made.add(lease.session_id, [note()])
        assert len(await logged(other)) == 1
        assert await logged(lease) == []


async def errors_of(lease):
    return [(e.payload["code"], e.payload["error"]) for e in await logged(lease)]


async def test_a_malformed_draft_costs_itself_alone_and_is_told(lease):
    async with writing() as made:
        made.open(lease, head=0)
        uncounted = Draft("usage", {"inputTokens": -1, "outputTokens": 1})
        drafts = [note("1"), Draft("nonsense", {}), Draft("block_delta", {}), uncounted, note("2")]
        await made.append(lease.session_id, drafts)
        await made.append(lease.session_id, [note("3")])
        told = await errors_of(lease)
    assert [code for code, _ in told] == ["note", "not_stored", "not_stored", "note", "note"]
    assert [error for code, error in told if code == "note"] == ["1", "2", "3"]


async def test_a_draft_that_the_database_refuses_costs_itself_alone(lease, monkeypatch):
    insert = store._insert

    def refusing(events):
        if any(event.payload.get("error") == "odd" for event in events):
            raise DataError("value too long")
        insert(events)

    monkeypatch.setattr(store, "_insert", refusing)
    other = await in_thread(leased_session)
    async with writing() as made:
        made.open(lease, head=0)
        made.open(other, head=0)
        await made.add(lease.session_id, [note("1"), note("odd"), note("2")])
        await made.append(other.session_id, [note()])
        await made.append(lease.session_id, [note("3")])
        assert [code for code, _ in await errors_of(other)] == ["note"]
        assert [code for code, _ in await errors_of(lease)] == ["note", "not_stored", *["note"] * 2]


async def test_a_log_that_takes_nothing_is_told_to_whoever_adds(lease, monkeypatch):
    def refusing(events):
        raise DataError("no")

    monkeypatch.setattr(store, "_insert", refusing)
    async with writing() as made:
        made.open(lease, head=0)
        with pytest.raises(DataError):
            await made.append(lease.session_id, [note()])
        with pytest.raises(DataError):
            await made.add(lease.session_id, [note()])


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_i1_a_commit_whose_answer_is_lost_is_not_appended_twice(lease, monkeypatch, lost):
    """The database goes away before or after the commit; the writer cannot tell which."""
    failures = [OperationalError("server closed the connection")] * 3

    async def breaking(function, *args, **kwargs):
        if not failures:
            return await in_thread(function, *args, **kwargs)
        if lost == "after" and len(failures) == 3:
            await in_thread(function, *args, **kwargs)
        raise failures.pop()

    monkeypatch.setattr(writer, "in_thread", breaking)
    async with writing() as made:
        made.open(lease, head=0)
        await made.append(lease.session_id, [note("1"), note("2")])
        await made.append(lease.session_id, [note("2")])
        assert [e.payload["error"] for e in await logged(lease)] == ["1", "2", "2"]


@pytest.fixture
def commits(monkeypatch):
    """Return the notes of each commit, in the order of the sessions' ids."""
    made = []
    append_many = store.append_many

    def noted(batches):
        made.append([d.payload["error"] for sid in sorted(batches) for d in batches[sid].drafts])
        return append_many(batches)

    monkeypatch.setattr(store, "append_many", noted)
    return made


async def test_what_comes_soon_after_a_commit_shares_the_next(lease, commits):
    async with writing() as made:
        made.open(lease, head=0)
        began = asyncio.get_running_loop().time()
        for number in range(60):
            await made.add(lease.session_id, [note(str(number))])
            await asyncio.sleep(0.001)
        took = asyncio.get_running_loop().time() - began
        paced = len(commits)
        await made.flush(lease.session_id)
    assert len(await logged(lease)) == 60
    assert (paced - 1) * writer.COMMIT_INTERVAL_S <= took


async def test_a_commit_that_a_task_waits_for_takes_the_gathered_drafts_along(
    lease, commits, monkeypatch
):
    monkeypatch.setattr(writer, "COMMIT_INTERVAL_S", 3600)
    other = await in_thread(leased_session)
    async with writing() as made, asyncio.timeout(60):
        made.open(lease, head=0)
        made.open(other, head=0)
        await made.append(lease.session_id, [note("first")])
        await made.add(lease.session_id, [note("gathers")])
        for _ in range(20):
            # The writer has every occasion to commit it alone.
            await asyncio.sleep(0)
        await made.append(other.session_id, [note("awaited")])
    assert commits[0] == ["first"]
    assert [sorted(notes) for notes in commits[1:]] == [["awaited", "gathers"]]


async def test_writers_who_wait_share_their_commits_and_no_pause(lease, commits, monkeypatch):
    monkeypatch.setattr(writer, "COMMIT_INTERVAL_S", 3600)
    leases_of_all = [lease, *[await in_thread(leased_session) for _ in range(7)]]

    async def turn(made, own):
        for number in range(10):
            await made.append(own.session_id, [note(str(number))])

    async with writing() as made, asyncio.timeout(60):
        for own in leases_of_all:
            made.open(own, head=0)
        await asyncio.gather(*(turn(made, own) for own in leases_of_all))
    assert commits == [[str(number)] * 8 for number in range(10)]


async def test_drafts_that_no_commit_has_room_for_are_not_waited_for_either(
    lease, commits, monkeypatch
):
    monkeypatch.setattr(writer, "COMMIT_INTERVAL_S", 3600)
    whole = writer.MAX_BATCH_DRAFTS
    async with writing() as made, asyncio.timeout(60):
        made.open(lease, head=0)
        await made.append(lease.session_id, [note(str(place)) for place in range(2 * whole - 1)])
    assert [len(notes) for notes in commits] == [whole, whole - 1]


async def test_what_is_very_long_goes_in_commits_of_its_own(lease, commits):
    long = "x" * writer.MAX_BATCH_CHARS
    async with writing() as made:
        made.open(lease, head=0)
        notes = [note(text) for text in ("1", f"{long}2", f"{long}3", "4")]
        await made.append(lease.session_id, notes)
    assert [[text[-1] for text in notes] for notes in commits] == [["1", "2"], ["3"], ["4"]]


async def test_a_draft_is_looked_at_once_on_its_way_to_the_log(lease, monkeypatch):
    seen = []

    def counted(payload):
        seen.append(payload["delta"])
        return clean(payload)

    monkeypatch.setattr(events, "clean", counted)
    async with writing() as made:
        made.open(lease, head=0)
        await made.append(lease.session_id, [delta("one"), delta("two"), delta("three")])
    assert seen == ["one", "two", "three"]
