"""The Python client against a real server that is cut off and killed."""

from __future__ import annotations

import asyncio

from tests.client.waiting import until
from transport.client import Client, PromptState


async def test_a_new_session_is_followed_to_its_end(server):
    frames = []
    async with Client(server.url, server.token("alice"), on_frame=frames.append) as chat:
        prompt = chat.send("/slow 3", agent="demo")
        assert await asyncio.wait_for(prompt.settled(), 20) is PromptState.ACCEPTED
        await until(lambda: any(f["type"] == "turn_end" for f in frames))
    head = server.data.call("session", session=prompt.session_id)["head"]
    [snapshot] = [f for f in frames if f["type"] == "session_snapshot"]
    seqs = [f["seq"] for f in frames if "seq" in f]
    assert seqs[0] == snapshot["cursor"] + 1
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert chat.stream.cursor(prompt.session_id) <= head


async def test_a_killed_server_costs_no_event_and_no_prompt(server):
    session = server.data.call("create_session", name="alice", agent="demo")
    frames = []
    async with Client(server.url, server.token("alice"), on_frame=frames.append) as chat:
        chat.watch(session, 0)
        await until(lambda: any(f["type"] == "session_snapshot" for f in frames))
        server.kill()
        prompt = chat.send("hello", session_id=session)
        server.data.call("append", session=session, count=50)
        await asyncio.to_thread(server.start)
        chat.stream.hurry()
        assert await asyncio.wait_for(prompt.settled(), 30) is PromptState.ACCEPTED
        await until(lambda: any(f["type"] == "user_message" for f in frames))
    seqs = [f["seq"] for f in frames if "seq" in f]
    assert seqs == list(range(1, len(seqs) + 1))
    sent = [e for e in server.data.call("events", session=session) if e["type"] == "user_message"]
    assert [event["clientMsgId"] for event in sent] == [prompt.client_msg_id]


async def test_an_old_unwatch_that_comes_late_does_not_silence_a_session(server):
    session = server.data.call("create_session", name="alice", agent="demo")
    frames = []
    async with Client(server.url, server.token("alice"), on_frame=frames.append) as chat:
        chat.watch(session, 0)
        await until(lambda: any(f["type"] == "session_snapshot" for f in frames))
        # As a line delivers it that had held it back: the client knows nothing of it.
        answer = await chat.command("unwatch", sessionId=session)
        assert answer.status == 200
        server.data.call("append", session=session, count=20)
        await until(lambda: chat.stream.cursor(session) == 21)
    assert [f["seq"] for f in frames if "seq" in f] == list(range(1, 22))
