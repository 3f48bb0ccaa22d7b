"""A fork by an agent that copies its session: it knows what was said, and the origin is left."""

from __future__ import annotations

from typing import Any

import pytest

from sessions.control.back.fork import fork
from sessions.core.db import in_thread
from sessions.models import Session
from tests.agents.test_odd_tools import Play, playing

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def play(settings, tmp_path):
    async with playing(settings, tmp_path, "Forks", START_TIMEOUT_S=60) as play:
        yield play


async def forked(play: Play, at: int) -> Play:
    """Fork the chat of a play; return the play of the fork."""
    made = await in_thread(fork, user=play.chat.user, session_id=play.session_id, at=at)
    other = Play(play.chat)
    other.session_id = made.session_id
    return other


async def said(play: Play, text: str) -> tuple[str, dict[str, Any]]:
    """Say something; return the answer, and the event of the agent's last start."""
    before = len(await play.texts()) if play.session_id else 0
    receipt = await play.chat.send(text, play.session_id, agent="odd")
    play.session_id = receipt.session_id
    assert (await play.chat.settled(receipt))["promptState"] == "answered"
    events = await play.chat.events(play.session_id)
    started = [event.payload for event in events if event.type == "agent_started"]
    return (await play.texts())[before:], started[-1]


async def kept(play: Play) -> str:
    row = await in_thread(Session.objects.get, pk=play.session_id)
    return row.agent_session_id


async def head(play: Play) -> int:
    return (await play.chat.snapshot(play.session_id))["cursor"]


async def restart(play: Play) -> None:
    await play.chat.interrupt(play.session_id, stop=True)
    await play.chat.until(play.session_id, lambda taken: taken["state"] == "ENDED")


async def test_the_agent_copies_its_session_at_the_end_of_what_it_knows(play: Play) -> None:
    assert (await said(play, "one"))[0] == "session-1: one"
    copy = await forked(play, await head(play))
    answer, started = await said(copy, "two")
    assert answer == "fork-of-session-1: two", "it is not told again"
    assert (started["resumed"], started["forked"]) == (True, True)
    assert (await kept(play), await kept(copy)) == ("session-1", "fork-of-session-1")
    assert await copy.notices() == []
    # The copy is resumed as any session, and the origin goes on in its own.
    await restart(copy)
    answer, started = await said(copy, "three")
    assert (answer, "forked" in started) == ("fork-of-session-1: three", False)
    assert (await said(play, "four"))[0] == "session-1: four"


async def test_a_fork_before_a_prompt_is_told_what_was_said(play: Play) -> None:
    await said(play, "one")
    at = await head(play)
    await said(play, "two")
    copy = await forked(play, at + 1)  # the second prompt
    answer, started = await said(copy, "three")
    assert "Person: one" in answer
    assert "two" not in answer
    assert (started["resumed"], "forked" in started) == (False, False)


@pytest.mark.parametrize("how", ["refuse", "exit"])
async def test_an_agent_that_does_not_copy_is_told_and_the_origin_is_left(
    play: Play, how: str
) -> None:
    await said(play, "one")
    (await play.folder() / "fork").write_text(how)
    copy = await forked(play, await head(play))
    answer, started = await said(copy, "two")
    assert answer.startswith("session-2: ")
    assert "Person: one" in answer
    assert started["resumed"] is False
    assert await kept(copy) == "session-2", "the session of the origin is never resumed here"
    assert await copy.notices() == []
    await restart(copy)
    assert (await said(copy, "three"))[0] == "session-2: three"
    assert (await said(play, "four"))[0] == "session-1: four"
