"""Fan-out in one process: what wakes bring, what they do not, and who is told."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from sessions.eventlog.events import LoggedEvent
from transport.errors import ReaderBehind
from transport.live import hub as hub_module
from transport.live.catchup import Action, CatchUp, Plan
from transport.live.hub import Hub
from transport.models import Watch
from transport.rows.orders import CatchUpRequest

SESSION = uuid4()


def events(first: int, last: int) -> list[LoggedEvent]:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        LoggedEvent(SESSION, seq, "title_changed", now, {"title": str(seq)})
        for seq in range(first, last + 1)
    ]


class Wakes:
    """Who tells the hub; the test is the one who calls."""

    def __init__(self) -> None:
        self.listeners: dict[UUID, object] = {}
        self.head = 0

    def subscribe(self, session_id, listener):
        self.listeners[session_id] = listener

    def unsubscribe(self, session_id, listener):
        assert self.listeners.pop(session_id) == listener

    def tell(self, head, brought=None):
        self.head = max(head, self.head)
        self.listeners[SESSION](head, brought)


class Reader:
    def __init__(self) -> None:
        self.wakes = 0
        self.woken = asyncio.Event()
        self.cursor = None

    def wake(self, session_id):
        self.wakes += 1
        self.woken.set()

    def position(self, session_id):
        return self.cursor


@pytest.fixture
def log(monkeypatch, wakes):
    """The log that a feed reads when a wake did not bring everything."""
    reads: list[int] = []

    async def run(function, session_id, *, after, limit):
        reads.append(after)
        await asyncio.sleep(0)
        return events(after + 1, wakes.head)[:limit]

    monkeypatch.setattr(hub_module.pool, "run", run)
    return reads


@pytest.fixture
def wakes():
    return Wakes()


@pytest.fixture
def hub(wakes):
    return Hub(wakes)


async def settle():
    for _ in range(50):
        await asyncio.sleep(0)


def seqs(chunk: bytes) -> list[int]:
    return [int(line.rsplit(b":", 1)[1]) for line in chunk.split(b"\n") if line[:3] == b"id:"]


async def test_wake_that_brings_its_events_costs_no_read(hub, wakes, log):
    reader = Reader()
    hub.attach(SESSION, reader)
    hub.start_at(SESSION, 10)
    wakes.tell(12, events(11, 12))
    chunk, cursor = hub.chunk(SESSION, 10)
    assert (seqs(chunk), cursor, reader.wakes) == ([11, 12], 12, 1)
    assert log == []


async def test_wake_without_events_and_lost_wakes_are_made_good_from_the_log(hub, wakes, log):
    hub.attach(SESSION, Reader())
    hub.start_at(SESSION, 10)
    wakes.tell(12)
    await settle()
    wakes.tell(20, events(18, 20))  # 13..17 were lost
    await settle()
    assert seqs(hub.chunk(SESSION, 10)[0]) == list(range(11, 21))


async def test_wakes_out_of_order_or_twice_repeat_nothing(hub, wakes, log):
    hub.attach(SESSION, Reader())
    hub.start_at(SESSION, 10)
    wakes.tell(14, events(13, 14))
    wakes.tell(12, events(11, 12))
    wakes.tell(12, events(11, 12))
    await settle()
    wakes.tell(14, events(13, 14))
    await settle()
    assert seqs(hub.chunk(SESSION, 10)[0]) == [11, 12, 13, 14]


async def test_wakes_before_the_first_catch_up_are_not_lost(hub, wakes, log):
    hub.attach(SESSION, Reader())
    wakes.tell(12, events(11, 12))
    assert hub.chunk(SESSION, 10) == (b"", 10)
    hub.start_at(SESSION, 10)
    await settle()
    assert seqs(hub.chunk(SESSION, 10)[0]) == [11, 12]


async def test_head_far_away_is_jumped_to_and_readers_learn_that_they_are_behind(hub, wakes, log):
    reader = Reader()
    hub.attach(SESSION, reader)
    hub.start_at(SESSION, 10)
    wakes.tell(30_000)
    await settle()
    assert reader.wakes == 1
    with pytest.raises(ReaderBehind):
        hub.chunk(SESSION, 10)
    assert hub.chunk(SESSION, 30_000) == (b"", 30_000)
    assert log == []


async def test_range_that_was_pruned_does_not_stop_the_feed(hub, wakes, monkeypatch):
    async def run(function, session_id, *, after, limit):
        return [event for event in events(15, 20) if event.seq > after]

    monkeypatch.setattr(hub_module.pool, "run", run)
    hub.attach(SESSION, Reader())
    hub.start_at(SESSION, 10)
    wakes.tell(20)
    await settle()
    assert seqs(hub.chunk(SESSION, 14)[0]) == list(range(15, 21))


async def test_i6_feed_reads_no_further_than_the_head_that_it_was_told(hub, wakes, monkeypatch):
    """A batch of periodic sync moves a stream's head to its end, not to the end of the log."""

    async def run(function, session_id, *, after, limit):
        return events(after + 1, 500)[:limit]

    monkeypatch.setattr(hub_module.pool, "run", run)
    hub.attach(SESSION, Reader())
    hub.start_at(SESSION, 10)
    hub.start_at(SESSION, 60)
    await settle()
    assert seqs(hub.chunk(SESSION, 10)[0]) == list(range(11, 61))


async def test_range_that_was_pruned_in_the_middle_of_a_read_is_left_out(hub, wakes, monkeypatch):
    there = [*events(11, 12), *events(15, 20)]

    async def run(function, session_id, *, after, limit):
        return [event for event in there if event.seq > after][:limit]

    monkeypatch.setattr(hub_module.pool, "run", run)
    hub.attach(SESSION, Reader())
    hub.start_at(SESSION, 10)
    wakes.tell(20)
    await settle()
    assert seqs(hub.chunk(SESSION, 14)[0]) == list(range(15, 21))
    with pytest.raises(ReaderBehind):
        hub.chunk(SESSION, 12)


async def test_database_that_fails_is_asked_again(hub, wakes, monkeypatch):
    answers = [OSError("away"), OSError("away"), events(11, 12)]

    async def run(function, session_id, *, after, limit):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(hub_module.pool, "run", run)
    monkeypatch.setattr(hub_module, "RETRY_S", 0.01)
    reader = Reader()
    hub.attach(SESSION, reader)
    hub.start_at(SESSION, 10)
    wakes.tell(12)
    await asyncio.wait_for(reader.woken.wait(), 5)
    assert seqs(hub.chunk(SESSION, 10)[0]) == [11, 12]


async def test_idle_session_keeps_no_frames_and_readers_lose_none(hub, wakes, log):
    fast, slow = Reader(), Reader()
    for reader in (fast, slow):
        hub.attach(SESSION, reader)
    hub.start_at(SESSION, 10)
    wakes.tell(15, events(11, 15))
    fast.cursor, slow.cursor = 15, 12
    hub.trim()
    assert seqs(hub.chunk(SESSION, 12)[0]) == [13, 14, 15]
    with pytest.raises(ReaderBehind):
        hub.chunk(SESSION, 11)
    slow.cursor = 15
    hub.trim()
    assert hub.chunk(SESSION, 15) == (b"", 15)
    wakes.tell(16, events(16, 16))
    assert seqs(hub.chunk(SESSION, 15)[0]) == [16]


async def test_last_reader_takes_the_feed_along(hub, wakes, log):
    first, second = Reader(), Reader()
    hub.attach(SESSION, first)
    hub.attach(SESSION, second)
    hub.detach(SESSION, first)
    assert len(hub) == 1
    hub.detach(SESSION, second)
    hub.detach(SESSION, second)
    assert len(hub) == 0
    assert wakes.listeners == {}


async def test_what_many_ask_for_at_once_is_done_once(hub):
    begun, gate = [], asyncio.Event()

    async def work():
        begun.append(1)
        await gate.wait()
        return object()

    asked = [asyncio.create_task(hub.share("key", work)) for _ in range(20)]
    await settle()
    asked[0].cancel()
    gate.set()
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert len(begun) == len(set(results[1:])) == 1
    await hub.share("key", work)
    assert len(begun) == 2


async def test_work_that_fails_fails_for_all_who_asked_and_is_done_again(hub):
    async def work():
        await asyncio.sleep(0)
        raise OSError("away")

    asked = [asyncio.create_task(hub.share("key", work)) for _ in range(3)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(result) for result in results] == [OSError] * 3
    with pytest.raises(OSError, match="away"):
        await hub.share("key", work)


async def test_i8_all_rings_together_are_bounded_and_their_readers_read_the_log(settings):
    settings.CHAT = {**settings.CHAT, "RINGS_BYTES": "20000", "RING_BYTES": "8000"}
    wakes = Many()
    hub = Hub(wakes)
    sessions = [uuid4() for _ in range(20)]
    readers = {session: Reader() for session in sessions}
    for session, reader in readers.items():
        reader.cursor = 0
        hub.attach(session, reader)
        hub.start_at(session, 0)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for seq in range(1, 31):
        for session in sessions:
            wakes.listeners[session](
                seq, [LoggedEvent(session, seq, "title_changed", now, {"title": "x" * 200})]
            )
        held = sum(channel.ring.size for channel in hub._channels.values())
        assert held <= 20_000 + 20_000 // hub_module.LOOK_SHARE + 1000
    behind = 0
    for session in sessions:
        try:
            hub.chunk(session, 0)
        except ReaderBehind:
            behind += 1
    assert behind


class Many:
    """Wakes of many sessions."""

    def __init__(self):
        self.listeners = {}

    def subscribe(self, session_id, listener):
        self.listeners[session_id] = listener

    def unsubscribe(self, session_id, listener):
        del self.listeners[session_id]


OWNER, OTHER = 1, 2


def snapshot_at(cursor: int, size: int = 100) -> CatchUp:
    return CatchUp(Plan(Action.SNAPSHOT, None, cursor), [b"x" * size], cursor)


def kept(hub: Hub, session, user_id, cursor, kind=Watch.Order.WATCH) -> CatchUp | None:
    return hub.kept(session, user_id, CatchUpRequest(kind, cursor))


def watched(hub: Hub, session=SESSION, head: int = 10, *, size: int = 100) -> CatchUp:
    """Let a first stream of the owner catch a session up by a snapshot."""
    done = snapshot_at(head, size)
    hub.attach(session, Reader())
    hub.caught_up(session, OWNER, done)
    return done


async def test_a_snapshot_is_kept_for_new_streams_of_its_user_alone(hub):
    done = watched(hub)
    assert kept(hub, SESSION, OWNER, None) is done
    assert kept(hub, SESSION, OWNER, 10) is done
    assert kept(hub, SESSION, OWNER, 9) is kept(hub, SESSION, OWNER, 11) is None
    assert kept(hub, SESSION, OTHER, None) is kept(hub, SESSION, None, None) is None
    assert kept(hub, uuid4(), OWNER, None) is None
    others = [kind for kind in Watch.Order if kind is not Watch.Order.WATCH]
    assert [kept(hub, SESSION, OWNER, 10, kind) for kind in others] == [None] * len(others)


async def test_a_snapshot_is_gone_with_the_next_event(hub, wakes, log):
    watched(hub)
    wakes.tell(10)
    assert kept(hub, SESSION, OWNER, None) is not None
    wakes.tell(11, events(11, 11))
    assert kept(hub, SESSION, OWNER, None) is None


async def test_a_snapshot_is_gone_as_soon_as_a_newer_head_is_known(hub, wakes, log):
    watched(hub)
    wakes.tell(11)  # its events are read later
    assert kept(hub, SESSION, OWNER, None) is None
    watched(hub, head=12)  # a catch-up may tell it first
    hub.start_at(SESSION, 13)
    assert kept(hub, SESSION, OWNER, None) is None
    await settle()


async def test_a_snapshot_that_events_have_overtaken_is_not_kept(hub, wakes, log):
    hub.attach(SESSION, Reader())
    wakes.tell(11)  # while the catch-up was under way
    hub.caught_up(SESSION, OWNER, snapshot_at(10))
    assert kept(hub, SESSION, OWNER, None) is None
    await settle()


@pytest.mark.parametrize("action", [each for each in Action if each is not Action.SNAPSHOT])
async def test_nothing_but_a_full_snapshot_is_kept(hub, action):
    hub.attach(SESSION, Reader())
    hub.caught_up(SESSION, OWNER, CatchUp(Plan(action, 5, 10), [b"x"], 10))
    assert kept(hub, SESSION, OWNER, None) is None


async def test_a_snapshot_is_gone_with_the_last_reader(hub):
    done, last = snapshot_at(10), Reader()
    hub.attach(SESSION, last)
    hub.caught_up(SESSION, OWNER, done)
    hub.detach(SESSION, last)
    hub.attach(SESSION, Reader())
    assert kept(hub, SESSION, OWNER, None) is None


async def test_a_snapshot_has_its_time_and_use_does_not_extend_it(hub, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(hub_module, "monotonic", lambda: now)
    done = watched(hub)
    now += hub_module.KEPT_S - 1
    hub.trim()
    assert kept(hub, SESSION, OWNER, None) is done
    hub.caught_up(SESSION, OWNER, done)
    now += 1
    hub.trim()
    assert kept(hub, SESSION, OWNER, None) is None


async def test_i8_snapshots_count_with_the_rings_and_the_oldest_go_first(settings):
    settings.CHAT = {**settings.CHAT, "RINGS_BYTES": "20000"}
    hub, sessions = Hub(Many()), [uuid4() for _ in range(100)]
    for session in sessions:
        watched(hub, session, size=1000)
        assert hub._kept.size <= 20_000 + 20_000 // hub_module.LOOK_SHARE + 1000
    hub.trim()
    left = [session for session in sessions if kept(hub, session, OWNER, None)]
    assert left == sessions[-20:]
    watched(hub, SESSION, size=30_000)
    assert kept(hub, SESSION, OWNER, None) is None
