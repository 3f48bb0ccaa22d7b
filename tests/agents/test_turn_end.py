"""A turn whose end cannot be made is closed from the log, with the reason of its end."""

import pytest

from sessions.runner.leasing import recovery
from sessions.runner.turns.turn import TurnBuilder
from sessions.runner.turns.turn_run import FAILED
from tests.support.running import Chat, assert_well_formed, running_chat

pytestmark = pytest.mark.django_db(transaction=True)

CUT_OFF = "The server was stopped during this turn."


@pytest.fixture
async def chat(settings):
    settings.CHAT = {"SENDS_PER_MINUTE": 10_000, "INTERRUPT_TIMEOUT_S": 0.5, "STOP_GRACE_S": 0.0}
    async with running_chat() as chat:
        yield chat


@pytest.fixture
def breaks(monkeypatch):
    """Let the first end of a turn fail."""
    close, failures = TurnBuilder.close, []

    def fails_once(self, *args, **kwargs):
        if failures:
            return close(self, *args, **kwargs)
        failures.append(self)
        raise RuntimeError("a block that has no end")

    monkeypatch.setattr(TurnBuilder, "close", fails_once)
    return failures


async def the_end(chat: Chat, receipt) -> dict:
    """Return the one turn_end of a log that has everything in its place."""
    events = await chat.events(receipt.session_id)
    assert_well_formed(events)
    [end] = [event.payload for event in events if event.type == "turn_end"]
    return {"stopReason": end["stopReason"], "error": end.get("error")}


async def test_an_answered_turn_that_cannot_be_closed_is_failed(chat: Chat, breaks):
    receipt = await chat.send("/slow 3")
    message = await chat.settled(receipt)
    assert breaks
    assert await the_end(chat, receipt) == {"stopReason": "error", "error": FAILED}
    assert message["promptState"] == "failed"
    # The session and its agent take the next prompt.
    again = await chat.send("/slow 1", session_id=receipt.session_id)
    assert (await chat.settled(again))["promptState"] == "answered"


async def test_an_interrupted_turn_that_cannot_be_closed_is_interrupted(chat: Chat, breaks):
    receipt = await chat.send("/slow 4000")
    await chat.answering(receipt.session_id)
    await chat.interrupt(receipt.session_id)
    message = await chat.settled(receipt)
    assert breaks
    assert await the_end(chat, receipt) == {"stopReason": "interrupted", "error": None}
    assert message["promptState"] == "interrupted"


async def test_a_turn_that_the_server_cuts_off_says_so_though_it_cannot_be_closed(
    chat: Chat, breaks
):
    receipt = await chat.send("/slow 4000")
    await chat.answering(receipt.session_id)
    await chat.runner.stop()
    assert breaks
    assert await the_end(chat, receipt) == {"stopReason": "server_restart", "error": CUT_OFF}


async def test_a_turn_that_cannot_be_closed_by_the_log_either_is_recovered(
    chat: Chat, breaks, monkeypatch
):
    def fails(*_args):
        raise RuntimeError("nor by the log")

    monkeypatch.setattr(recovery, "close_turn", fails)
    receipt = await chat.send("/slow 3")
    message = await chat.settled(receipt)
    assert breaks
    ending = {"stopReason": "server_restart", "error": recovery.FAILED}
    assert await the_end(chat, receipt) == ending
    assert message["promptState"] == "interrupted"
    again = await chat.send("/slow 1", session_id=receipt.session_id)
    assert (await chat.settled(again))["promptState"] == "answered"
