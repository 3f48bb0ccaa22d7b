"""Rules at work: a runner with the demo agent answers requests by them, once, and says so."""

import pytest
from django.contrib.auth.models import User

from sessions.control.permissions import answer_permission
from sessions.core.db import in_thread
from sessions.models import AuditEntry, Rule
from sessions.rules import rows
from sessions.rules.rows import Wanted
from tests.agents.talking import assert_closed
from tests.agents.test_kills import kill, make_server, world
from tests.support.running import Chat, assert_well_formed, prompt_state

__all__ = ["make_server", "world"]

pytestmark = pytest.mark.django_db(transaction=True)


def make(user, effect: str, pattern: str, kind: str = "command", **more) -> Rule:
    return rows.make(user, Wanted("everywhere", effect, kind, pattern, **more))


def _seq_of(events: list, kind: str) -> int:
    return next(event.seq for event in events if event.type == kind)


async def resolutions(chat: Chat, session_id) -> list[dict]:
    events = await chat.events(session_id)
    assert_well_formed(events)
    return [event.payload for event in events if event.type == "permission_resolved"]


async def asking(chat: Chat, session_id) -> dict:
    taken = await chat.until(session_id, lambda s: s["permissions"])
    return taken["permissions"][0]


async def test_a_rule_allows_and_its_decision_is_an_event(chat: Chat) -> None:
    rule = await in_thread(make, chat.user, "allow", "echo")
    receipt = await chat.send("/run echo done")
    assert (await chat.settled(receipt))["promptState"] == "answered"
    [resolved] = await resolutions(chat, receipt.session_id)
    assert resolved["by"] == f"rule:{rule.pk}"
    assert (resolved["decision"], resolved["reason"]) == ("allow_once", "answered")
    events = await chat.events(receipt.session_id)
    told = next(e.payload for e in events if e.seq == 1 + _seq_of(events, "permission_resolved"))
    assert told["kind"] == "rule"
    assert told["text"].startswith(f"Allowed by a rule (rule:{rule.pk}, command echo): ")
    [asked] = [e for e in events if e.type == "permission_request"]
    assert resolved["digest"] == asked.payload["digest"]
    [result] = [e.payload for e in events if e.type == "tool_result"]
    assert (result["status"], result["content"].strip()) == ("completed", "done")
    [entry] = await in_thread(list, AuditEntry.objects.filter(act="decision"))
    assert (entry.who, entry.credential) == (chat.user.get_username(), f"rule:{rule.pk}")
    assert entry.facts["decision"] == "allow_once"


async def test_a_rule_denies_and_the_agent_hears_of_it(chat: Chat) -> None:
    rule = await in_thread(make, chat.user, "deny", "rm")
    await in_thread(make, chat.user, "allow", "echo")
    receipt = await chat.send("/run echo x; rm -rf nothing-there")
    assert (await chat.settled(receipt))["promptState"] == "answered"
    [resolved] = await resolutions(chat, receipt.session_id)
    assert (resolved["by"], resolved["decision"]) == (f"rule:{rule.pk}", "reject_once")
    events = await chat.events(receipt.session_id)
    assert [e.payload["status"] for e in events if e.type == "tool_result"] == ["rejected"]


@pytest.mark.parametrize("rules", [[], [("allow", "echo"), ("ask", "echo")], [("allow", "ls")]])
async def test_without_a_rule_that_decides_a_person_is_asked(chat: Chat, rules) -> None:
    for effect, pattern in rules:
        await in_thread(make, chat.user, effect, pattern)
    receipt = await chat.send("/run echo done")
    request = await asking(chat, receipt.session_id)
    await in_thread(
        answer_permission,
        user=chat.user,
        session_id=receipt.session_id,
        perm_id=request["permId"],
        option_id="reject_once",
        digest=request["digest"],
    )
    await chat.settled(receipt)
    [resolved] = await resolutions(chat, receipt.session_id)
    assert resolved["by"] == chat.user.get_username()


async def test_a_rule_of_another_user_answers_nothing(chat: Chat) -> None:
    stranger = await in_thread(User.objects.create_user, "stranger")
    await in_thread(make, stranger, "allow", "echo")
    receipt = await chat.send("/run echo done")
    await asking(chat, receipt.session_id)
    await chat.interrupt(receipt.session_id)
    await chat.settled(receipt)
    [resolved] = await resolutions(chat, receipt.session_id)
    assert resolved["by"] == "server"


async def test_a_path_rule_allows_an_edit_in_the_folder(chat: Chat) -> None:
    rule = await in_thread(make, chat.user, "allow", "*.txt", "path")
    receipt = await chat.send("/edit a line")
    assert (await chat.settled(receipt))["promptState"] == "answered"
    [resolved] = await resolutions(chat, receipt.session_id)
    assert resolved["by"] == f"rule:{rule.pk}"


async def test_a_sentence_beside_a_denial_is_the_next_prompt(chat: Chat) -> None:
    receipt = await chat.send("/run echo done")
    request = await asking(chat, receipt.session_id)
    answer = {
        "user": chat.user,
        "session_id": receipt.session_id,
        "perm_id": request["permId"],
        "option_id": "reject_once",
        "digest": request["digest"],
        "message": " Use printf. ",
    }
    await in_thread(answer_permission, **answer)
    taken = await chat.until(
        receipt.session_id,
        lambda s: (
            [m["promptState"] for m in s["messages"] if m["role"] == "user"]
            == ["answered", "answered"]
        ),
    )
    assert prompt_state(taken, receipt) == "answered"
    assert [m["text"] for m in taken["messages"] if m["role"] == "user"][1] == "Use printf."
    [resolved] = await resolutions(chat, receipt.session_id)
    assert resolved["message"] == "Use printf."


@pytest.mark.parametrize("victim", ["runner", "server"])
def test_i10_kill_9_around_the_answer_of_a_rule(world, victim) -> None:
    """The request that a rule has answered stays answered, once; the turn has one outcome."""
    chat, runner = world.chat, world.start_runner()
    rule = {"scope": "agent", "agent": "demo", "effect": "allow", "kind": "command"}
    made = chat.http.post("/api/rules", json=rule | {"pattern": "sleep"})
    assert made.status_code == 201, made.text
    by = f"rule:{made.json()['rule']['id']}"
    receipt = chat.send("/run sleep 300")
    chat.reaches(receipt, "tool")
    kill(victim, world, runner, receipt["sessionId"])
    if victim == "server":
        chat.stop(receipt["sessionId"])
    chat.settled(receipt)
    again = chat.send("/run sleep 0", receipt["sessionId"])
    assert chat.settled(again)["promptState"] == "answered"
    events = chat.events(receipt["sessionId"])
    assert_closed(events)
    assert [e["by"] for e in events if e["type"] == "permission_resolved"] == [by, by]
