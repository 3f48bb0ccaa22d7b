"""The names of events, fields and codes, as other people's clients use them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.agents.talking import Talk, assert_closed
from tests.support.server import Server, server

__all__ = ["server"]

Json = dict[str, Any]

ENVELOPE = {"v", "type", "sessionId", "seq", "ts"}


def fields(event: Json) -> set[str]:
    """Return the fields of an event beside those that each event has."""
    return event.keys() - ENVELOPE


def refused(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and the code of an error of the documented shape."""
    body = answer.json()
    assert body["ok"] is False
    assert body["error"]
    return answer.status_code, body["code"]


def run(talk: Talk, text: str, session_id: str | None = None) -> list[Json]:
    """Run a prompt to its end; return the events since."""
    receipt = talk.send(text, session_id)
    assert talk.settled(receipt)["promptState"] == "answered"
    return [e for e in talk.events(receipt["sessionId"]) if e["seq"] > receipt["seq"]]


def one(events: list[Json], kind: str) -> Json:
    [found] = [event for event in events if event["type"] == kind]
    return found


@pytest.fixture
def talk(server: Server) -> Iterator[Talk]:
    with server.client("ada") as http:
        yield Talk(http)


def test_a_diff_is_in_the_request_and_in_the_result(talk: Talk) -> None:
    receipt = talk.send("/edit a line")
    session_id = receipt["sessionId"]
    [request] = talk.until(session_id, runState="requires_action")["permissions"]
    [diff], [location] = request["diffs"], request["locations"]
    assert (diff["oldText"], diff["newText"], location["line"]) == (None, "a line\n", 1)
    assert diff["path"] == location["path"]
    answer = {"sessionId": session_id, "permId": request["permId"], "digest": request["digest"]}
    denial = {**answer, "optionId": "reject_once", "message": "No"}
    stale = talk.http.post("/api/chat/permission", json={**denial, "digest": "0" * 64})
    assert refused(stale) == (409, "stale_request")
    allowing = {**denial, "optionId": "allow_once"}
    assert refused(talk.http.post("/api/chat/permission", json=allowing))[0] == 400
    del allowing["message"]
    assert talk.http.post("/api/chat/permission", json=allowing).json() == {"ok": True}
    late = talk.http.post("/api/chat/permission", json=denial)
    assert refused(late) == (409, "permission_resolved")
    talk.settled(receipt)
    events = talk.events(session_id)
    assert one(events, "permission_request")["diffs"] == [diff]
    result = one(events, "tool_result")
    assert (result["diffs"], result["locations"]) == ([diff], [location])
    start = one(events, "turn_start")
    assert (start["origin"], start["agent"]) == ("person", "demo")
    assert start["clientMsgId"] == receipt["clientMsgId"]
    assert_closed(events)


def test_output_images_and_subagents_have_their_fields(talk: Talk, server: Server) -> None:
    receipt = talk.send("/help")
    session_id = receipt["sessionId"]
    talk.settled(receipt)
    auto = {"sessionId": session_id, "mode": "auto"}
    assert talk.http.post("/api/chat/mode", json=auto).json() == {"ok": True}
    events = run(talk, "/run printf one; sleep 0.2; printf two", session_id)
    output = [event for event in events if event["type"] == "tool_output"]
    assert "".join(event["delta"] for event in output) == "onetwo"
    assert all(fields(event) == {"messageId", "toolId", "delta"} for event in output)
    [image] = one(run(talk, "/picture", session_id), "tool_result")["images"]
    assert image.keys() == {"blob", "mime"}
    blob = f"/api/blobs/{image['blob']}"
    assert talk.http.get(blob).headers["Content-Type"] == image["mime"] == "image/png"
    with server.client("bob") as bob:
        assert refused(bob.get(blob)) == (404, "unknown_blob")
    starts = [e for e in run(talk, "/subagent", session_id) if e["type"] == "block_start"]
    task = starts[0]["toolId"]
    assert [e.get("parentToolId") for e in starts] == [None, task, task, None]


def test_a_turn_of_the_agent_says_so_and_tells_the_context(talk: Talk) -> None:
    session_id = talk.send("/background")["sessionId"]
    snapshot = talk.until(session_id, context={"used": 1, "size": 1000}, runState="idle")
    events = talk.events(session_id)
    starts = [event for event in events if event["type"] == "turn_start"]
    answering = [(event["origin"], event["agent"]) for event in starts]
    assert answering == [("person", "demo"), ("agent", "demo")]
    assert "clientMsgId" not in starts[1]
    assert fields(one(events, "context")) == {"used", "size"}
    assert {"questions", "options", "commands", "context"} <= snapshot.keys()


def test_a_question_is_answered_once_and_by_its_schema(talk: Talk) -> None:
    receipt = talk.send("/ask")
    session_id = receipt["sessionId"]
    [question] = talk.until(session_id, runState="requires_action")["questions"]
    assert {"questionId", "title", "schema", "expiresAt"} <= question.keys()
    answer = {"sessionId": session_id, "questionId": question["questionId"], "action": "accept"}
    wrong = talk.http.post("/api/chat/answer", json={**answer, "values": {"colour": "green"}})
    assert refused(wrong) == (400, "invalid_request")
    assert wrong.json()["fields"].keys() == {"colour"}
    given = {"colour": "red", "count": 3.0}
    right = {**answer, "values": given}
    assert talk.http.post("/api/chat/answer", json=right).json() == {"ok": True}
    again = talk.http.post("/api/chat/answer", json={**answer, "action": "cancel"})
    assert refused(again) == (409, "question_answered")
    talk.settled(receipt)
    told = one(talk.events(session_id), "question_answered")
    assert {"questionId", "action", "values", "by", "reason"} <= fields(told)
    assert (told["action"], told["by"], told["reason"]) == ("accept", "ada", "answered")
    assert str(told["values"]) == "{'colour': 'red', 'count': 3}"


def test_settings_and_commands_are_offered_and_changed(talk: Talk) -> None:
    events = run(talk, "/help")
    session_id = events[0]["sessionId"]
    offered = one(events, "options_offered")["options"]
    assert all({"id", "category", "label", "kind", "value", "choices"} <= o.keys() for o in offered)
    pace = next(option for option in offered if option["id"] == "pace")
    assert {"id": "fast", "label": "Fast"} in pace["choices"]
    commands = one(events, "commands_offered")["commands"]
    assert all(command.keys() == {"name", "description", "hint"} for command in commands)
    change = {"sessionId": session_id, "optionId": "pace", "value": "fast"}
    assert talk.http.post("/api/chat/option", json=change).json() == {"ok": True}
    for unknown in ({"optionId": "none"}, {"value": "none"}, {"value": True}):
        answer = talk.http.post("/api/chat/option", json={**change, **unknown})
        assert refused(answer) == (409, "unknown_option")
    told = next(e for e in talk.events(session_id) if e["type"] == "option_changed")
    assert fields(told) == {"optionId", "value", "by"}
    assert (told["optionId"], told["value"], told["by"]) == ("pace", "fast", "ada")
    snapshot = talk.snapshot(session_id)
    assert snapshot["commands"] == commands
    assert next(o for o in snapshot["options"] if o["id"] == "pace")["value"] == "fast"


def test_the_queue_is_in_hand_until_a_prompt_is_handed_over(talk: Talk) -> None:
    running = talk.send("/slow 600")
    session_id = running["sessionId"]
    talk.until(session_id, runState="running")
    first, second = (talk.send(f"/help {n}", session_id)["clientMsgId"] for n in (1, 2))

    def post(name: str, **body: Any) -> httpx.Response:
        return talk.http.post(f"/api/chat/{name}", json={"sessionId": session_id, **body})

    edit = {"clientMsgId": first, "text": "/help 3", "version": 1}
    assert post("edit", **edit).json() == {"ok": True, "version": 2}
    assert refused(post("edit", **edit)) == (409, "version_conflict")
    assert post("reorder", clientMsgIds=[second, first]).json() == {"ok": True}
    assert [each["clientMsgId"] for each in talk.snapshot(session_id)["queue"]] == [second, first]
    for _ in range(2):
        assert post("unqueue", clientMsgId=second).json() == {"ok": True}
    taken = running["clientMsgId"]
    for name, body in (
        ("unqueue", {"clientMsgId": taken}),
        ("edit", {**edit, "clientMsgId": taken}),
        ("reorder", {"clientMsgIds": [taken]}),
    ):
        answer = post(name, **body)
        assert refused(answer) == (409, "dispatched")
        assert answer.json()["promptState"] == "dispatched"
    talk.interrupt(session_id)
    snapshot = talk.until(session_id, runState="idle", queue=[])
    late = post("edit", **{**edit, "version": 2})
    assert refused(late) == (409, "dispatched")
    told = {m["clientMsgId"]: m["promptState"] for m in snapshot["messages"] if m["role"] == "user"}
    assert told == {taken: "interrupted", first: "answered", second: "withdrawn"}
    assert late.json()["promptState"] == told[first]
    events = talk.events(session_id)
    assert fields(one(events, "prompt_withdrawn")) == {"clientMsgId", "by"}
    assert fields(one(events, "prompt_edited")) == {"clientMsgId", "text", "version", "by"}
    assert fields(one(events, "queue_reordered")) == {"clientMsgIds", "by"}
    assert_closed(events)
