"""What one process does for all its streams together."""

import asyncio
import threading
import uuid

from transport import presence
from transport.node import Node


async def test_watchers_of_clients_that_come_at_once_are_counted_together(monkeypatch):
    counted = []
    all_are_here = threading.Event()

    def count(ids):
        counted.append(set(ids))
        all_are_here.wait(10)

    monkeypatch.setattr(presence, "refresh", count)
    node = Node()
    sessions = [uuid.uuid4() for _ in range(100)]
    for session_id in sessions:
        node.refresh_presence([session_id])
        await asyncio.sleep(0)
    all_are_here.set()
    async with asyncio.timeout(30):
        while set().union(*counted) != set(sessions):
            await asyncio.sleep(0.001)
    # The first to come is counted at once, the others while that count runs.
    assert len(counted) == 2


async def test_a_count_that_fails_does_not_end_the_counting(monkeypatch):
    counted = []

    def refuse_first(ids):
        counted.append(ids)
        if len(counted) == 1:
            raise OSError("the database is away")

    monkeypatch.setattr(presence, "refresh", refuse_first)
    node = Node()
    async with asyncio.timeout(30):
        while len(counted) < 2:
            node.refresh_presence([uuid.uuid4()])
            await asyncio.sleep(0.001)
