"""Wakes over the Channels layer, whose server may be away."""

import asyncio
from unittest.mock import AsyncMock
from uuid import uuid4

import pytest

from sessions.eventlog.wake import WORK_GROUP, HeadWatch

pytestmark = pytest.mark.django_db(transaction=True)


async def test_groups_are_joined_when_the_layer_is_back(settings):
    settings.CHAT_TAIL_INTERVAL_S = 0.01
    session_id = uuid4()
    away = ConnectionError("the layer is away")
    layer = AsyncMock()
    layer.new_channel.side_effect = [away, away, "channel", "another"]
    layer.group_add.side_effect = [away, None, away, None]
    layer.receive.side_effect = asyncio.Event().wait
    watch = HeadWatch()
    watch._layer = layer
    watch.subscribe(session_id, lambda *_: None)
    running = asyncio.create_task(watch.run())
    try:
        async with asyncio.timeout(30):
            while layer.group_add.await_count < 4:
                await asyncio.sleep(0.01)
        assert not running.done()
        groups = [call.args for call in layer.group_add.await_args_list]
        session = (f"chat.session.{session_id}", "another")
        assert groups == [(WORK_GROUP, "channel"), (WORK_GROUP, "another"), session, session]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
