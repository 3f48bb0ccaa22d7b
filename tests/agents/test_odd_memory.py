"""A session that an agent cannot load: the person is told, and the chat works all the same."""

from __future__ import annotations

import pytest

from sessions.agents.acp.memory import MAX_CHARS, Memory
from tests.agents.test_odd_tools import Play, playing, say

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def play(settings, tmp_path):
    async with playing(settings, tmp_path, "LoadsOddly", START_TIMEOUT_S=16) as play:
        yield play


async def restarted(play: Play, load: str) -> tuple[str, list[str]]:
    """End the agent, then run a turn whose start does what `load` says.

    Return the agent's session of that turn, and what the person was told with it.
    """
    await play.chat.interrupt(play.session_id, stop=True)
    await play.chat.until(play.session_id, lambda taken: taken["state"] == "ENDED")
    (await play.folder() / "load").write_text(load)
    before, told = len(await play.texts()), len(await play.notices())
    await play.begin()
    assert (await play.end())["promptState"] == "answered"
    notices = (await play.notices())[told:]
    assert {notice["code"] for notice in notices} <= {"memory_lost"}
    return (await play.texts())[before:], [notice["text"] for notice in notices]


async def begun(play: Play) -> None:
    await play.begin()
    await play.end()
    [created] = [e for e in await play.chat.events(play.session_id) if e.type == "agent_started"]
    assert created.payload["resumed"] is False
    assert await play.notices() == []


async def test_a_session_that_is_loaded_needs_no_words(play):
    await begun(play)
    assert await restarted(play, "") == ("session-1", [])


async def test_a_refusal_is_told_and_the_session_is_tried_again_next_time(play):
    await begun(play)
    assert await restarted(play, "refuse") == ("session-2", [forgotten("the disk is busy")])
    assert await restarted(play, "") == (
        "session-1",
        ["odd has resumed an earlier session and forgotten what came after it."],
    )
    assert await restarted(play, "") == ("session-1", [])


async def test_of_two_sessions_the_one_that_is_taken_goes_on(play):
    await begun(play)
    await restarted(play, "refuse")
    assert await restarted(play, "refuse the first") == ("session-2", [])
    assert await restarted(play, "refuse") == ("session-3", [forgotten("the disk is busy")])


@pytest.mark.parametrize(
    ("load", "why"),
    [("hang", "no answer within 8 s"), ("exit", "it ended")],
)
async def test_a_load_that_breaks_the_agent_is_tried_once_and_told(play, load, why):
    await begun(play)
    session, [told] = await restarted(play, load)
    assert session == "session-2"
    assert "has forgotten what was said before" in told
    assert why in told
    # The session that broke it is not tried again.
    assert await restarted(play, "") == ("session-2", [])


async def test_an_agent_that_can_resume_nothing_says_so(settings, tmp_path):
    async with playing(settings, tmp_path, "Plays") as play:
        await play.turn(say("a"))
        assert await restarted(play, "") == (
            "",
            ["The agent has forgotten what was said before: it cannot resume a session."],
        )


def forgotten(why: str) -> str:
    return f"odd has forgotten what was said before: it did not resume its session ({why})."


def test_a_memory_fits_its_column_and_survives_it():
    memory = Memory().after("a" * 200, resumed=False).after("b" * 200, resumed=False)
    assert Memory.read(memory.kept()) == Memory(("b" * 200,))
    assert Memory(("a", "b")).kept() == "a\nb"
    assert Memory.read("a\nb").after("a", resumed=True) == Memory(("a",))
    assert Memory.read("a\nb").after("b", resumed=True) == Memory(("a", "b"))
    for unfit in ("a\nb", "x" * (MAX_CHARS + 1), "\ud800", ""):
        assert Memory((unfit,)).kept() is None
