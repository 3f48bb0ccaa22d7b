"""Work of an agent in the background keeps the agent; its report is a turn of its own."""

from __future__ import annotations

from typing import Any

import pytest

from sessions.agents.acp import own_turn
from sessions.agents.acp.own_turn import Background
from sessions.agents.acp.translation.labels import Ids
from sessions.agents.acp.translation.tools.calls import Tools
from sessions.agents.acp.turn import Turn
from tests.agents.test_odd_tools import Play, call, playing, say

pytestmark = pytest.mark.django_db(transaction=True)

# The word of claude behind a report on its work.
TOLD = {"sessionUpdate": "usage_update", "used": 1, "size": 1000} | {
    "_meta": {"_claude/origin": {"kind": "task-notification"}}
}


def sent_away(tool_id: str = "c1", field: str = "run_in_background") -> dict[str, Any]:
    """Return a call that ends at once, whose command continues."""
    command = {"command": "make", field: True}
    return call(tool_id, kind="execute", title="make", rawInput=command, status="completed")


def late(text: str, after_s: float) -> list[dict[str, Any]]:
    """Return the steps of an agent that speaks when its turn is over."""
    return [{"done": True}, {"pause": after_s}, say(text), TOLD]


async def origins(play: Play) -> list[str]:
    """Return whose turns the session has had."""
    events = await play.chat.events(play.session_id)
    return [event.payload["origin"] for event in events if event.type == "turn_start"]


async def closed(play: Play) -> str:
    """Return the reason for which the session has ended, once it has."""
    await play.chat.until(play.session_id, lambda s: s["state"] == "ENDED")
    events = await play.chat.events(play.session_id)
    return str([e.payload["reason"] for e in events if e.type == "session_state_changed"][-1])


@pytest.mark.parametrize("field", ["run_in_background", "is_background"])
async def test_an_agent_with_work_in_the_background_is_not_closed_as_idle(
    settings, tmp_path, field
):
    async with playing(settings, tmp_path, IDLE_TTL_S=0.2) as play:
        await play.turn(sent_away(field=field), say("It is begun."), *late("It is done.", 2))
        taken = await play.chat.until(play.session_id, lambda s: "It is done." in str(s))
        assert taken["state"] != "ENDED"
        # The report was the last of it.
        assert await closed(play) == "idle"
        assert await origins(play) == ["person", "agent"]


async def test_an_agent_without_such_work_is_closed_before_it_speaks(settings, tmp_path):
    async with playing(settings, tmp_path, IDLE_TTL_S=0.2) as play:
        await play.turn(say("That is all."), *late("By the way.", 60))
        assert await closed(play) == "idle"
        assert await origins(play) == ["person"]


async def test_a_prompt_in_between_does_not_end_the_work(settings, tmp_path):
    async with playing(settings, tmp_path, IDLE_TTL_S=0.2) as play:
        await play.turn(sent_away(), say("It is begun."))
        await play.turn(say("Hello."), *late("It is done.", 2))
        await play.chat.until(play.session_id, lambda s: "It is done." in str(s))
        assert await closed(play) == "idle"
        assert await origins(play) == ["person", "person", "agent"]


async def test_the_report_on_one_of_two_works_does_not_end_the_other(settings, tmp_path):
    async with playing(settings, tmp_path, IDLE_TTL_S=0.2) as play:
        second = [{"pause": 2}, say("The second is done."), TOLD]
        first = late("The first is done.", 0.5)
        await play.turn(sent_away("c1"), sent_away("c2"), *first, *second)
        await play.chat.until(play.session_id, lambda s: "The second is done." in str(s))
        assert await closed(play) == "idle"
        assert await origins(play) == ["person", "agent", "agent"]


async def test_at_the_limit_of_agents_one_with_work_in_the_background_goes_last(settings, tmp_path):
    async with playing(settings, tmp_path, MAX_AGENTS=2) as play:
        await play.turn(sent_away(), say("It is begun."))
        other, third = Play(play.chat), Play(play.chat)
        await other.turn(say("That is all."))
        await third.turn(say("There is room."))
        assert await closed(other) == "capacity"
        assert (await play.chat.snapshot(play.session_id))["state"] != "ENDED"
        # With nothing but work in the background, one of them makes room all the same.
        await third.turn(sent_away(), say("It is begun."))
        await other.turn(say("There is room again."))


def turn(*calls: dict[str, Any], **facts: Any) -> Turn:
    """Return a turn that has ended with these calls."""
    tools = Tools(Ids())
    for one in calls:
        tools.change("tool_call", one)
    return Turn(tools, **facts)


async def test_the_work_ends_by_a_report_an_interrupt_or_time(monkeypatch):
    background = Background()
    assert not background.is_going
    background.note(turn(sent_away("c1"), sent_away("c2")))
    assert background.is_going
    # A request of the work is no report on it.
    for ended in (turn(is_own=True), turn(), turn(is_own=True, is_told_over=True)):
        background.note(ended)
        assert background.is_going
    background.note(turn(is_own=True, is_told_over=True))
    assert not background.is_going
    background.note(turn(sent_away(), is_own=True, is_told_over=True))
    assert background.is_going
    background.note(turn(is_interrupted=True))
    assert not background.is_going
    monkeypatch.setattr(own_turn, "BACKGROUND_S", 0.0)
    background.note(turn(sent_away()))
    assert not background.is_going
