"""Catch-up against the database: what comes between its reads is neither lost nor repeated."""

import json

import pytest
from django.contrib.auth import get_user_model

from sessions.control.send import create_session
from sessions.eventlog import snapshot, store
from sessions.eventlog.events import Draft
from transport.live.catchup import Action, catch_up

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session_id():
    user = get_user_model().objects.create(username="alice")
    return create_session(owner=user, agent="demo", title="chat").pk


def append(session_id, count=1):
    store.append(session_id, [Draft("title_changed", {"title": str(n)}) for n in range(count)])


def told(done):
    frames = [frame for frame in b"".join(done.chunks).decode().split("\n\n") if frame]
    lines = [frame.split("data: ", 1)[1] for frame in frames]
    return [json.loads(line) for line in lines]


@pytest.fixture
def busy(monkeypatch, session_id):
    """Append events just before each snapshot: behind the first look at the head."""

    def make(count):
        take = snapshot.take
        left = [count]

        def append_and_take(*args, **options):
            if left[0]:
                append(session_id, left.pop())
                left.append(0)
            return take(*args, **options)

        monkeypatch.setattr(snapshot, "take", append_and_take)

    return make


def test_i3_an_event_behind_the_first_look_reaches_a_client_that_was_at_the_head(session_id, busy):
    append(session_id, 9)
    busy(1)
    done = catch_up(session_id, cursor=10, max_gap=5)
    frames = told(done)
    assert [frame.get("seq") for frame in frames] == [11, None]
    assert (frames[1]["cursor"], frames[1]["full"]) == (11, True)
    assert (done.cursor, done.replayed) == (11, 1)


def test_i3_many_events_behind_the_first_look_are_an_announced_skip(session_id, busy):
    append(session_id, 9)
    busy(6)
    done = catch_up(session_id, cursor=10, max_gap=5)
    skip, shown = told(done)
    assert (skip["type"], skip["from"], skip["to"]) == ("replay_skipped", 11, 16)
    assert (shown["cursor"], shown["full"]) == (16, True)
    assert done.plan.action is Action.SKIP


def test_a_cursor_beyond_the_head_stays_invalid_when_the_log_grows_past_it(session_id, busy):
    busy(20)
    [shown] = told(catch_up(session_id, cursor=10, max_gap=5))
    assert (shown["cursorInvalid"], shown["full"], shown["cursor"]) == (True, True, 21)


@pytest.mark.parametrize("upto", [3, 7, 8])
def test_i3_an_order_of_periodic_sync_that_is_overtaken_moves_no_cursor(session_id, upto):
    append(session_id, 9)
    done = catch_up(session_id, cursor=8, max_gap=5, upto=upto, connecting=False)
    assert (done.chunks, done.cursor, done.replayed) == ([], 8, 0)


LONG = "ä" * 50_000


def say(session_id, *texts):
    """Append answers of these texts."""
    for text in texts:
        ids = {"messageId": f"m{len(text)}{store.get_head_seq(session_id)}"}
        block = {**ids, "blockId": f"{ids['messageId']}.1"}
        store.append(
            session_id,
            [
                Draft("message_start", {**ids, "turnId": "t", "role": "assistant"}),
                Draft("block_start", {**block, "blockType": "text"}),
                Draft("block_end", {**block, "content": text}),
                Draft("message_end", ids),
            ],
        )


def test_i5_a_gap_of_few_events_and_many_bytes_is_an_announced_skip(session_id, settings):
    settings.CHAT = {**settings.CHAT, "REPLAY_BYTES": "10000", "TEXT_BYTES": "2000"}
    say(session_id, LONG)
    done = catch_up(session_id, cursor=1, max_gap=200)
    skip, shown = told(done)
    assert (skip["from"], skip["to"], skip["reason"]) == (2, 5, "replay_bytes")
    assert (shown["cursor"], shown["full"]) == (5, True)
    [block] = shown["messages"][0]["blocks"]
    assert block["cut"] == {"content": 100_000}
    assert LONG.startswith(block["content"])
    assert (done.cursor, done.skipped) == (5, 4)


def test_i5_a_batch_of_periodic_sync_is_bounded_by_bytes_too(session_id, settings):
    settings.CHAT = {**settings.CHAT, "REPLAY_BYTES": "10000"}
    say(session_id, LONG)
    done = catch_up(session_id, cursor=1, max_gap=200, upto=4, connecting=False)
    assert [frame["type"] for frame in told(done)] == ["replay_skipped", "session_snapshot"]
    assert done.cursor == 5


def test_a_long_text_that_fits_the_replay_is_sent_cut(session_id, settings):
    settings.CHAT = {**settings.CHAT, "TEXT_BYTES": "2000"}
    say(session_id, LONG)
    end = next(
        frame
        for frame in told(catch_up(session_id, cursor=1, max_gap=200))
        if frame["type"] == "block_end"
    )
    assert end["cut"] == {"content": 100_000}
    assert len(json.dumps(end["content"], ensure_ascii=False).encode()) <= 2000


def test_i8_a_snapshot_keeps_its_bytes_with_the_newest_messages_whole(session_id, settings):
    settings.CHAT = {**settings.CHAT, "SNAPSHOT_BYTES": "30000", "TEXT_BYTES": "8000"}
    say(session_id, *["x" * 7000] * 9)
    [shown] = told(catch_up(session_id, cursor=None, max_gap=200))
    assert len(json.dumps(shown)) < 31_000
    assert [len(m["blocks"][0]["content"]) for m in shown["messages"]] == [7000] * 4
    assert shown["hasMore"] is True
    assert shown["oldestSeq"] == shown["messages"][0]["seq"]


@pytest.mark.parametrize("blocks", [1, 3000])
def test_i8_an_answer_in_flight_is_cut_to_the_snapshot(session_id, settings, blocks):
    settings.CHAT = {**settings.CHAT, "SNAPSHOT_BYTES": "40000", "TEXT_BYTES": "8000"}
    ids = {"messageId": "m"}
    drafts = [Draft("message_start", {**ids, "turnId": "t", "role": "assistant"})]
    for number in range(blocks):
        block = {**ids, "blockId": f"m.{number}"}
        drafts.append(Draft("block_start", {**block, "blockType": "text"}))
        drafts += [Draft("block_delta", {**block, "delta": "ä" * 90}) for _ in range(100 // blocks)]
        if number < blocks - 1:
            drafts.append(Draft("block_end", {**block, "content": "done"}))
    store.append(session_id, drafts)
    taken = snapshot.take(session_id)
    assert len(json.dumps(taken, ensure_ascii=False).encode()) < 42_000
    last = taken["current"]["blocks"][-1]
    assert last["blockId"] == f"m.{blocks - 1}"
    if blocks == 1:
        assert last["cut"] == {"content": 18_000}
    else:
        assert taken["current"]["earlierBlocks"] + len(taken["current"]["blocks"]) == blocks
