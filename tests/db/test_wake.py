"""Wakes over the Channels layer, whose server may be away and whose messages may lie."""

import asyncio
from contextlib import asynccontextmanager
from unittest.mock import AsyncMock
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model

from sessions.core.db import in_thread
from sessions.core.layer import mailbox, wakes
from sessions.core.layer.wakes import WORK_GROUP
from sessions.eventlog import drafts, store
from sessions.eventlog.wake import HeadWatch
from sessions.models import Session

pytestmark = pytest.mark.django_db(transaction=True)
NOTE = drafts.error(code="note", error="x")
FAR = 10**15


@pytest.fixture
def layer(settings, monkeypatch):
    """A layer whose messages come from the test."""
    settings.REDIS_URL = "redis://in-the-test"
    double = AsyncMock()
    double.messages = asyncio.Queue()

    async def receive(_channel):
        return await double.messages.get()

    double.receive.side_effect = receive
    double.new_channel.return_value = "channel"
    for module in (mailbox, wakes):
        monkeypatch.setattr(module, "get_channel_layer", lambda: double)
    return double


@pytest.fixture
async def session_id():
    def made():
        owner = get_user_model().objects.create_user("owner")
        return Session.objects.create(owner=owner, agent="demo").pk

    return await in_thread(made)


@asynccontextmanager
async def running(watch):
    task = asyncio.create_task(watch.run())
    try:
        async with asyncio.timeout(30):
            yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_groups_are_joined_when_the_layer_is_back(settings, layer):
    settings.CHAT = {"TAIL_INTERVAL_S": 0.01}
    session_id = uuid4()
    away = ConnectionError("the layer is away")
    layer.new_channel.side_effect = [away, away, away, "channel"]
    layer.group_add.side_effect = [away, None, away, None]
    watch = HeadWatch()
    watch.subscribe(session_id, lambda *_: None)
    async with running(watch) as task:
        while layer.group_add.await_count < 4:
            await asyncio.sleep(0.01)
        assert not task.done()
        groups = [call.args for call in layer.group_add.await_args_list]
        work, session = (WORK_GROUP, "channel"), (f"chat.session.{session_id}", "channel")
        assert groups == [work, work, session, session]


async def test_a_hint_is_a_place_to_look_at_and_never_a_head(settings, layer, session_id):
    settings.CHAT = {"TAIL_INTERVAL_S": 60}
    heard = []
    watch = HeadWatch()
    watch.subscribe(session_id, lambda head, events: heard.append((head, events)))
    async with running(watch):
        # As another process does: no signal of this one tells of it.
        [first] = await in_thread(append_elsewhere, session_id)
        layer.messages.put_nowait({"type": "chat.head", "session": str(session_id), "head": FAR})
        while not heard:
            await asyncio.sleep(0.001)
        [second] = await in_thread(append_elsewhere, session_id)
        for head in (-1, 0, 1, FAR, FAR, 2):
            hint = {"type": "chat.head", "session": str(session_id), "head": head}
            layer.messages.put_nowait(hint)
        while len(heard) < 2:
            await asyncio.sleep(0.001)
    assert heard == [(1, [first]), (2, [second])]
    assert watch._heads == {session_id: 2}


def append_elsewhere(session_id):
    before = store.committed.receivers
    store.committed.receivers = []
    store.committed.sender_receivers_cache.clear()
    try:
        return store.append(session_id, [NOTE])
    finally:
        store.committed.receivers = before
        store.committed.sender_receivers_cache.clear()


async def test_hints_of_foreign_sessions_are_forgotten_at_once(settings, layer):
    settings.CHAT = {"TAIL_INTERVAL_S": 60}
    watch = HeadWatch()
    watch.subscribe(uuid4(), lambda *_: None)
    async with running(watch):
        for _ in range(500):
            foreign = {"session": str(uuid4()), "head": 5}
            layer.messages.put_nowait({"type": "chat.head", **foreign})
            layer.messages.put_nowait({"type": "chat.work", **foreign})
        while not layer.messages.empty():
            await asyncio.sleep(0)
        assert watch._hints._things == {}


def test_news_of_many_sessions_are_two_queries(django_assert_num_queries):
    owner = get_user_model().objects.create_user("owner")
    ids = [Session.objects.create(owner=owner, agent="demo").pk for _ in range(5)]
    for place, session_id in enumerate(ids):
        for _ in range(place):
            store.append(session_id, [NOTE])
    store.append(ids[0], [NOTE] * 100)
    known = dict.fromkeys(ids, 1) | {ids[0]: 0, uuid4(): 0}
    with django_assert_num_queries(2):
        news = {found.session_id: found for found in store.news(known)}
    assert set(news) == {ids[0], *ids[2:]}
    assert news[ids[0]] == (ids[0], 100, None)
    for place, session_id in list(enumerate(ids))[2:]:
        assert news[session_id].head == place
        assert [event.seq for event in news[session_id].events] == list(range(2, place + 1))


def test_news_with_a_pruned_event_are_a_head_alone():
    owner = get_user_model().objects.create_user("owner")
    session_id = Session.objects.create(owner=owner, agent="demo").pk
    store.append(session_id, [NOTE] * 3)
    store.Event.objects.filter(session_id=session_id, seq=2)._raw_delete("default")
    assert store.news({session_id: 0}) == [(session_id, 3, None)]
