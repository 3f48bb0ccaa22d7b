"""The time that requests wait: of the server, of the chat, without an end; told once half-way."""

import asyncio

import pytest

from lab.rig.waiting import PATIENCE_S
from sessions.account_models import Project
from sessions.control.permissions import answer_permission
from sessions.control.questions import answer_question
from sessions.control.send import create_session
from sessions.control.waiting import UNTIL_ANSWERED, set_wait, wait_of
from sessions.core.db import in_thread
from sessions.models import Session
from sessions.runner.turns.turn_run import in_time
from tests.support.running import Chat

pytestmark = pytest.mark.django_db(transaction=True)


async def of_type(chat: Chat, session_id, kind: str) -> list[dict]:
    return [event.payload for event in await chat.events(session_id) if event.type == kind]


async def asked(chat: Chat, session_id) -> dict:
    taken = await chat.until(session_id, lambda s: s["permissions"], PATIENCE_S)
    return taken["permissions"][0]


async def answer(chat: Chat, session_id, request: dict) -> None:
    await in_thread(
        answer_permission,
        user=chat.user,
        session_id=session_id,
        perm_id=request["permId"],
        option_id="allow_once",
        digest=request["digest"],
    )


async def test_half_way_to_its_end_a_request_is_told_once_more(chat: Chat, settings) -> None:
    settings.CHAT = settings.CHAT | {"PERMISSION_TIMEOUT_S": 0.4}
    receipt = await chat.send("/run echo done")
    assert (await chat.settled(receipt))["promptState"] == "answered"
    events = await chat.events(receipt.session_id)
    types = [event.type for event in events]
    assert types.count("request_reminded") == 1
    order = ["permission_request", "request_reminded", "permission_resolved"]
    assert [kind for kind in types if kind in order] == order
    [request] = await of_type(chat, receipt.session_id, "permission_request")
    [reminded] = await of_type(chat, receipt.session_id, "request_reminded")
    assert reminded["requestId"] == request["permId"]
    assert reminded["expiresAt"] == request["expiresAt"]
    [resolved] = await of_type(chat, receipt.session_id, "permission_resolved")
    assert resolved["reason"] == "timeout"


async def test_a_question_is_told_once_more_too(chat: Chat, settings) -> None:
    settings.CHAT = settings.CHAT | {"PERMISSION_TIMEOUT_S": 0.4}
    receipt = await chat.send("/ask")
    await chat.settled(receipt)
    [question] = await of_type(chat, receipt.session_id, "question_asked")
    [reminded] = await of_type(chat, receipt.session_id, "request_reminded")
    assert reminded["requestId"] == question["questionId"]


async def test_a_chat_may_wait_until_a_person_answers(chat: Chat, settings) -> None:
    settings.CHAT = settings.CHAT | {"PERMISSION_TIMEOUT_S": 0.05}
    first = await chat.send("/slow 1")
    await chat.settled(first)
    session_id = first.session_id
    await in_thread(set_wait, user=chat.user, session_id=session_id, wait_s=UNTIL_ANSWERED)
    receipt = await chat.send("/run echo done", session_id)
    request = await asked(chat, session_id)
    assert request["expiresAt"] is None
    # A chat of the server's time is asked, denied and over while this one still waits.
    other = await chat.send("/run echo no")
    assert (await chat.settled(other))["promptState"] == "answered"
    assert (await chat.snapshot(session_id))["permissions"] == [request]
    await answer(chat, session_id, request)
    assert (await chat.settled(receipt))["promptState"] == "answered"
    assert await of_type(chat, session_id, "request_reminded") == []
    [notice] = await of_type(chat, session_id, "notice")
    assert notice == {"kind": "waiting", "text": "owner: requests wait until they are answered."}


async def test_a_chat_waits_as_its_project_says_or_as_it_says_itself(chat: Chat, settings) -> None:
    settings.CHAT = settings.CHAT | {"PERMISSION_TIMEOUT_S": 60}
    session = await in_thread(create_session, owner=chat.user, agent="demo")
    assert await in_thread(wait_of, session.pk) == 60
    project = await in_thread(Project.objects.create, owner=chat.user, folder="/p", name="p")
    await in_thread(Session.objects.filter(pk=session.pk).update, project=project)
    for said, expected in ((90, 90), ("until_answered", None), (None, 60)):
        await in_thread(Project.objects.filter(pk=project.pk).update, defaults={"waiting": said})
        assert await in_thread(wait_of, session.pk) == expected
    await in_thread(set_wait, user=chat.user, session_id=session.pk, wait_s=30)
    assert await in_thread(wait_of, session.pk) == 30


async def test_an_answered_question_is_not_told_again(chat: Chat, settings) -> None:
    settings.CHAT = settings.CHAT | {"PERMISSION_TIMEOUT_S": 600}
    receipt = await chat.send("/ask")
    taken = await chat.until(receipt.session_id, lambda s: s["questions"], PATIENCE_S)
    [question] = taken["questions"]
    await in_thread(
        answer_question,
        user=chat.user,
        session_id=receipt.session_id,
        question_id=question["questionId"],
        action="decline",
        values=None,
    )
    await chat.settled(receipt)
    assert await of_type(chat, receipt.session_id, "request_reminded") == []


class OpenUntil:
    """Requests of which one is open as often as told."""

    def __init__(self, answers) -> None:
        self._answers = answers

    @property
    def is_any_open(self) -> bool:
        return next(self._answers)


async def test_a_turn_has_its_time_once_more_while_a_person_is_asked(settings) -> None:
    settings.CHAT = settings.CHAT | {"TURN_TIMEOUT_S": 0.1}
    answers = iter([True, True, False])
    requests = OpenUntil(answers)
    done = asyncio.get_running_loop().create_future()
    await in_time(done, requests)
    assert not done.done()
    assert next(answers, "all were asked for") == "all were asked for"
