"""The settings that persons choose: given at each start, remembered for the next chat, verified."""

from typing import Any
from uuid import UUID

import pytest

from lab.rig.waiting import PATIENCE_S
from sessions.account_models import Project
from sessions.choices import options as choices
from sessions.control import settings
from sessions.control.send import Receipt, create_session, send_message
from sessions.core.db import in_thread
from sessions.models import Session
from tests.agents.test_odd_offers import choose, values
from tests.agents.test_odd_tools import Play, playing, say

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def offers(settings, tmp_path):
    async with playing(settings, tmp_path, "Offers") as play:
        yield play


async def refusals(play: Play, session_id: UUID) -> list[str]:
    events = await play.chat.events(session_id)
    return [e.payload["error"] for e in events if e.payload.get("code") == "option_refused"]


async def sent(play: Play, **more: Any) -> Receipt:
    """A prompt in a new chat of the same agent."""
    agent = (await in_thread(Session.objects.get, pk=play.session_id)).agent
    count = await in_thread(Session.objects.count)
    return await in_thread(
        send_message,
        user=play.chat.user,
        client_msg_id=f"new-{count}",
        session_id=None,
        text="[]",
        agent=agent,
        **more,
    )


async def test_an_agent_that_forgets_its_settings_gets_them_at_its_next_start(offers: Play) -> None:
    await offers.turn(say("hello"))
    await choose(offers, "model", "big")
    await offers.chat.until(offers.session_id, lambda s: len(s["options"]) == 2, PATIENCE_S)
    await choose(offers, "fast", value=True)
    await offers.chat.until(offers.session_id, lambda s: values(s)["fast"] is True, PATIENCE_S)
    await in_thread(settings.close, user=offers.chat.user, session_id=offers.session_id)
    await offers.chat.until(offers.session_id, lambda s: s["state"] == "ENDED", PATIENCE_S)
    await offers.turn(say("again"))
    taken = await offers.chat.snapshot(offers.session_id)
    assert values(taken) == {"model": "big", "fast": True}
    begun = [e for e in await offers.chat.events(offers.session_id) if e.type == "turn_start"]
    assert begun[-1].payload["model"] == "big"
    assert await refusals(offers, offers.session_id) == []


async def test_a_choice_is_remembered_for_the_next_chat_and_the_offer_before_its_start(
    offers: Play,
) -> None:
    await offers.turn(say("hello"))
    await choose(offers, "model", "big")
    receipt = await sent(offers)
    await offers.chat.settled(receipt)
    taken = await offers.chat.until(receipt.session_id, lambda s: s["options"], PATIENCE_S)
    assert values(taken) == {"model": "big", "fast": False}
    last = await in_thread(choices.last_offer, taken["agent"])
    assert [option["id"] for option in last.options] == ["model"]
    # A choice in the send itself comes before a remembered one.
    other = await sent(offers, options={"model": "small"})
    await offers.chat.settled(other)
    assert values(await offers.chat.snapshot(other.session_id)) == {"model": "small"}


async def test_settings_that_an_agent_does_not_take_are_told_once(offers: Play) -> None:
    await offers.turn(say("hello"))
    receipt = await sent(offers, options={"model": "refused", "gone": "x"})
    await offers.chat.settled(receipt)
    told = await refusals(offers, receipt.session_id)
    assert len(told) == 2
    assert "no such model" in told[0]
    assert told[1] == "The agent has no setting 'gone' now."
    assert values(await offers.chat.snapshot(receipt.session_id)) == {"model": "small"}
    assert await in_thread(choices.chosen_in, receipt.session_id) == {}


async def test_a_project_remembers_by_itself(offers: Play) -> None:
    await offers.turn(say("hello"))
    session = await in_thread(Session.objects.get, pk=offers.session_id)
    project = await in_thread(
        Project.objects.create,
        owner=offers.chat.user,
        folder=session.cwd,
        name="p",
        defaults={"options": {session.agent: {"model": "big"}}, "waiting": 9},
    )
    await in_thread(Session.objects.filter(pk=session.pk).update, project=project)
    await choose(offers, "model", "refused")
    await in_thread(project.refresh_from_db)
    assert project.defaults == {"options": {session.agent: {"model": "refused"}}, "waiting": 9}
    outside = await in_thread(create_session, owner=offers.chat.user, agent=session.agent)
    assert outside.chosen == {}
