"""What agents tell besides text: changes, files, growing output, subagents, questions, settings."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from sessions.control import questions, settings
from sessions.core import errors
from sessions.core.db import in_thread
from sessions.eventlog import audit
from sessions.eventlog.blobs import files
from tests.agents.test_odd_tools import YES, Play, ask, call, playing, printed, say, update

pytestmark = pytest.mark.django_db(transaction=True)

PNG = b"\x89PNG\r\n\x1a\nnot much of a picture"
FORM = {
    "type": "object",
    "properties": {
        "colour": {"type": "string", "oneOf": [{"const": "red", "title": "Red"}]},
        "count": {"type": "integer", "minimum": 1, "maximum": 3, "default": 2},
        "tags": {"type": "array", "items": {"anyOf": [{"const": "a"}, {"const": "b"}]}},
        "ok": {"type": "boolean"},
    },
    "required": ["colour"],
}


def diff(path: str, old: str | None, new: str) -> dict[str, Any]:
    return {"type": "diff", "path": path, "oldText": old, "newText": new}


def image(data: bytes, mime: str = "image/png") -> dict[str, Any]:
    block = {"type": "image", "mimeType": mime, "data": base64.b64encode(data).decode()}
    return {"type": "content", "content": block}


def question(schema: Any = FORM, **fields: Any) -> dict[str, Any]:
    form = {"mode": "form", "message": "Which one?", "requestedSchema": schema}
    return {"question": form | fields}


@pytest.fixture
async def play(settings, tmp_path):
    async with playing(settings, tmp_path) as play:
        yield play


@pytest.fixture
async def large(settings, tmp_path):
    async with playing(settings, tmp_path, MAX_PROMPT_BYTES=2**25, BLOB_QUOTA_MB=1) as play:
        yield play


@pytest.fixture
async def offers(settings, tmp_path):
    async with playing(settings, tmp_path, "Offers") as play:
        yield play


async def audited(play: Play) -> None:
    """The stored messages are the fold of the log (I12)."""
    report = await in_thread(audit.check, play.session_id)
    assert report.problems == []


async def types(play: Play) -> list[str]:
    return [event.type for event in await play.chat.events(play.session_id)]


# --- Changes and files --------------------------------------------------------------------------


async def test_changes_and_places_are_in_the_result_and_in_the_request(play):
    content = [diff("a.py", "one\n", "two\n"), diff("b.py", None, "new\n")]
    places = [{"path": "a.py", "line": 3}, {"path": "b.py"}]
    await play.begin(
        call(kind="edit", title="Edit", rawInput={"f": "a"}, content=content, locations=places),
        ask(),
        update(status="completed"),
    )
    request = await play.request()
    told = [
        {"path": "a.py", "oldText": "one\n", "newText": "two\n"},
        {"path": "b.py", "oldText": None, "newText": "new\n"},
    ]
    assert (request["diffs"], request["locations"]) == (told, places)
    await play.decide(request, "y")
    await play.end()
    [tool] = await play.tools()
    assert (tool["diffs"], tool["locations"]) == (told, places)
    await audited(play)


async def test_a_diff_that_is_too_long_keeps_the_change_and_says_how_much_is_cut(large):
    lines = [f"line {number}\n" for number in range(40_000)]
    changed = [*lines[:20_000], "changed\n", *lines[20_001:]]
    content = [diff("big.txt", "".join(lines), "".join(changed))]
    await large.turn(call(kind="edit", status="completed", content=content))
    [tool] = await large.tools()
    [cut] = tool["diffs"]
    assert "changed\n" in cut["newText"]
    assert "line 20000\n" in cut["oldText"]
    assert cut["cut"] > 500_000
    assert len(cut["oldText"]) + len(cut["newText"]) < 1000


async def test_an_image_is_a_blob_that_the_event_names(play):
    resource = {"uri": "file:///notes.txt", "mimeType": "text/plain", "text": "some notes"}
    content = [
        image(PNG),
        {"type": "content", "content": {"type": "resource", "resource": resource}},
    ]
    await play.turn(call(kind="read", status="completed", content=content))
    [tool] = await play.tools()
    name = hashlib.sha256(PNG).hexdigest()
    assert tool["images"] == [{"blob": name, "mime": "image/png"}]
    told = {"uri": "file:///notes.txt", "mime": "text/plain", "text": "some notes"}
    assert tool["resources"] == [told]
    assert files.read(name) == PNG


async def test_images_over_the_quota_are_left_out_with_a_mark(large):
    await large.turn(call(kind="read", status="completed", content=[image(b"x" * 2**20 * 2)]))
    [tool] = await large.tools()
    assert "images" not in tool
    assert "1 of its images and files are left out" in tool["result"]


# --- Growing output -----------------------------------------------------------------------------


async def test_output_is_told_while_the_command_runs(play):
    await play.begin(
        call(kind="execute", title="make", rawInput={"command": "make"}, status="in_progress"),
        update(content=printed("one\n")),
        update(content=printed("one\ntwo\n")),
        ask(rawInput={"command": "make"}),
        update(status="completed"),
    )
    request = await play.request()
    taken = await play.chat.snapshot(play.session_id)
    [tool] = [b for b in taken["current"]["blocks"] if b["blockType"] == "tool_use"]
    assert (tool["status"], tool["result"]) == (None, "one\ntwo\n")
    await play.decide(request, "y")
    await play.end()
    [tool] = await play.tools()
    assert (tool["status"], tool["result"]) == ("completed", "one\ntwo\n")
    assert "tool_output" in await types(play)
    await audited(play)


@pytest.mark.parametrize("end", [{"exit": 3}, {"wait": True}])
async def test_the_output_of_a_command_that_is_cut_is_kept_whole(play, end):
    terminal = {"terminal_output_delta": {"terminal_id": "c1", "data": "half of "}}
    rest = {"terminal_output_delta": {"terminal_id": "c1", "data": "it"}}
    await play.begin(
        call(kind="execute", title="x"), update(_meta=terminal), update(_meta=rest), end
    )
    if "wait" in end:
        await play.chat.until(
            play.session_id, lambda s: s["current"] and "of it" in str(s["current"]["blocks"])
        )
        await play.chat.interrupt(play.session_id)
    await play.end()
    [tool] = await play.tools()
    assert (tool["status"], tool["result"]) == ("cancelled", "half of it")
    await audited(play)


# --- Subagents and plans ------------------------------------------------------------------------


async def test_blocks_of_a_subagent_name_its_call(play):
    child = {"_meta": {"claudeCode": {"parentToolUseId": "task"}}}
    await play.turn(
        call("task", kind="think", title="Explore", rawInput={"prompt": "look"}),
        say("I look.") | child,
        call("c2", kind="read", title="Read", rawInput={"path": "a"}, **child),
        update("c2", status="completed", **child),
        update("task", status="completed"),
        say("Done."),
    )
    taken = await play.chat.snapshot(play.session_id)
    [answer] = [m for m in taken["messages"] if m["role"] == "assistant"]
    parents = [(b["content"], b.get("parentToolId")) for b in answer["blocks"]]
    assert parents == [("Explore", None), ("I look.", "task"), ("Read", "task"), ("Done.", None)]


@pytest.mark.parametrize("name", ["TodoWrite", "todowrite", "write_todos"])
async def test_a_list_of_tasks_is_the_plan(play, name):
    todos = [{"content": "first", "status": "completed"}, {"description": "second"}]
    tool = {"rawInput": {"todos": todos}, "_meta": {"toolName": name}}
    await play.turn(call(**tool), update(status="completed"))
    taken = await play.chat.snapshot(play.session_id)
    blocks = [b for m in taken["messages"] for b in m.get("blocks", [])]
    [plan] = [b for b in blocks if b["blockType"] == "plan"]
    assert plan["content"] == "- [x] first\n- [ ] second"


# --- Questions ----------------------------------------------------------------------------------


async def asked(play: Play) -> dict[str, Any]:
    taken = await play.chat.until(play.session_id, lambda s: s["questions"])
    assert taken["runState"] == "requires_action"
    [question] = taken["questions"]
    return question


async def answer(play: Play, question: dict[str, Any], action: str, values: Any = None) -> None:
    await in_thread(
        questions.answer_question,
        user=play.chat.user,
        session_id=play.session_id,
        question_id=question["questionId"],
        action=action,
        values=values,
    )


async def test_a_question_is_asked_and_its_values_reach_the_agent(play):
    await play.begin(question())
    open_ = await asked(play)
    assert open_["title"] == "Which one?"
    values = {"colour": "red", "count": 3, "tags": ["b"], "ok": True}
    await answer(play, open_, "accept", values)
    await play.end()
    told = await play.texts()
    assert '"action": "accept"' in told
    assert '"tags": ["b"]' in told
    with pytest.raises(errors.QuestionAnswered):
        await answer(play, open_, "decline")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "colour"),
        ({"colour": "blue"}, "colour"),
        ({"colour": "red", "count": 4}, "count"),
        ({"colour": "red", "count": "2"}, "count"),
        ({"colour": "red", "tags": ["c"]}, "tags"),
        ({"colour": "red", "other": 1}, "other"),
    ],
)
async def test_values_that_do_not_fit_are_refused_and_the_question_stays(play, values, field):
    await play.begin(question())
    open_ = await asked(play)
    with pytest.raises(errors.InvalidRequest) as refused:
        await answer(play, open_, "accept", values)
    assert list(refused.value.fields["fields"]) == [field]
    await answer(play, open_, "decline")
    await play.end()
    assert '{"action": "decline"}' in await play.texts()


async def test_a_pattern_that_would_run_for_ever_does_not(play):
    slow = {"type": "object", "properties": {"x": {"type": "string", "pattern": "^(a+)+$"}}}
    await play.begin(question(slow))
    open_ = await asked(play)
    with pytest.raises(errors.InvalidRequest):
        await answer(play, open_, "accept", {"x": "a" * 5000 + "!"})
    await answer(play, open_, "cancel")
    await play.end()


@pytest.mark.parametrize("how", ["interrupt", "take back", "exit", "expire"])
async def test_a_question_is_closed_with_an_event_however_it_ends(settings, tmp_path, how):
    limit = 0.3 if how == "expire" else 600
    after = {"take back": [{"take back": True}], "exit": [{"pause": 1}, {"exit": 3}]}.get(how, [])
    steps = [question() | {"wait": not after}, *after]
    async with playing(settings, tmp_path, PERMISSION_TIMEOUT_S=limit) as play:
        await play.begin(*steps)
        if how == "interrupt":
            await asked(play)
            await play.chat.interrupt(play.session_id)
        await play.end()
        events = await play.chat.events(play.session_id)
        [closed] = [e.payload for e in events if e.type == "question_answered"]
        assert (closed["action"], closed["by"]) == ("cancel", "server")
        assert closed["reason"] == ("timeout" if how == "expire" else "interrupted")
        told = [e.payload["error"] for e in events if e.payload.get("code") == "question_expired"]
        sentence = "A question expired without an answer and was cancelled: Which one?"
        assert told == ([sentence] if how == "expire" else [])
        assert (await play.chat.snapshot(play.session_id))["questions"] == []


async def test_a_question_with_a_page_to_visit(play):
    await play.begin(question(None, mode="url", url="https://example.org/log-in"))
    open_ = await asked(play)
    assert open_["url"] == "https://example.org/log-in"
    await answer(play, open_, "accept")
    await play.end()


@pytest.mark.parametrize("fields", [{"mode": "url", "url": "javascript:1"}, {"requestedSchema": 3}])
async def test_a_question_that_cannot_be_shown_is_cancelled_and_that_is_told(play, fields):
    await play.turn(question(**fields))
    assert '{"action": "cancel"}' in await play.texts()
    [notice] = await play.notices()
    assert "a question that cannot be shown" in notice["text"]


# --- Settings and commands ----------------------------------------------------------------------


async def choose(play: Play, option_id: str, value: Any) -> None:
    await in_thread(
        settings.set_option,
        user=play.chat.user,
        session_id=play.session_id,
        option_id=option_id,
        value=value,
    )


def values(snapshot: dict[str, Any]) -> dict[str, Any]:
    return {option["id"]: option["value"] for option in snapshot["options"]}


async def test_settings_and_commands_are_offered_and_a_choice_brings_the_new_set(offers):
    await offers.turn(say("hello"))
    taken = await offers.chat.snapshot(offers.session_id)
    assert taken["commands"] == [{"name": "review", "description": "Look", "hint": "what"}]
    [model] = taken["options"]
    assert (model["category"], model["kind"], model["value"]) == ("model", "select", "small")
    await choose(offers, "model", "big")
    taken = await offers.chat.until(offers.session_id, lambda s: len(s["options"]) == 2)
    assert values(taken) == {"model": "big", "fast": False}
    await choose(offers, "fast", value=True)
    await offers.turn(say("again"))
    taken = await offers.chat.snapshot(offers.session_id)
    assert values(taken) == {"model": "big", "fast": True}
    begun = [
        e.payload for e in await offers.chat.events(offers.session_id) if e.type == "turn_start"
    ]
    assert [(e["origin"], e["model"]) for e in begun] == [("person", "small"), ("person", "big")]
    await audited(offers)


async def test_a_refused_setting_is_told_and_the_log_has_the_agents_own_value(offers):
    await offers.turn(say("hello"))
    await choose(offers, "model", "refused")
    taken = await offers.chat.until(
        offers.session_id, lambda s: values(s) == {"model": "small"} and s["messages"][2:]
    )
    assert taken["messages"][-1]["code"] == "option_refused"


@pytest.mark.parametrize(
    ("option", "value"), [("nothing", "x"), ("model", "huge"), ("model", True)]
)
async def test_an_unknown_setting_is_refused(offers, option, value):
    await offers.turn(say("hello"))
    with pytest.raises(errors.UnknownOption):
        await choose(offers, option, value)


# --- Turns of the agent's own -------------------------------------------------------------------


async def test_what_comes_while_no_prompt_runs_is_a_turn_of_the_agent(play):
    late = say("The build is done.") | {"_meta": {"_claude/origin": {"kind": "task"}}}
    await play.turn(say("hello"), {"done": True}, {"pause": 0.5}, late)
    taken = await play.chat.until(play.session_id, lambda s: len(s["messages"]) == 3)
    taken = await play.chat.until(play.session_id, lambda s: not s["turn"])
    assert taken["messages"][-1]["blocks"][0]["content"] == "The build is done."
    assert taken["runState"] == "idle"
    events = await play.chat.events(play.session_id)
    begun = [e.payload for e in events if e.type == "turn_start"]
    assert [e["origin"] for e in begun] == ["person", "agent"]
    assert "clientMsgId" not in begun[1]
    await audited(play)


async def test_a_request_while_no_prompt_runs_can_be_answered(play):
    await play.turn(
        say("hello"), {"done": True}, {"pause": 0.5}, ask("late", title="rm x", options=[YES])
    )
    request = await play.request()
    taken = await play.chat.snapshot(play.session_id)
    assert (taken["turn"]["origin"], taken["runState"]) == ("agent", "requires_action")
    await play.decide(request, "y")
    await play.chat.until(play.session_id, lambda s: "<y>" in str(s))
    await play.chat.interrupt(play.session_id)
    taken = await play.chat.until(play.session_id, lambda s: not s["turn"])
    assert taken["runState"] == "idle"


async def test_a_prompt_ends_a_turn_of_the_agent_and_runs(play):
    await play.turn(say("hello"), {"done": True}, {"pause": 0.5}, say("By the way"))
    await play.chat.until(play.session_id, lambda s: s["turn"])
    await play.turn(say("second answer"))
    assert "second answer" in await play.texts()
    events = await play.chat.events(play.session_id)
    ends = [e.payload["stopReason"] for e in events if e.type == "turn_end"]
    assert ends == ["end_turn"] * 3


async def test_late_pieces_of_a_cancelled_turn_begin_no_turn(play):
    late = say("too late") | {"messageId": "m1"}
    await play.begin(say("I begin") | {"messageId": "m1"}, {"wait": True})
    await play.chat.until(play.session_id, lambda s: s["current"])
    await play.chat.interrupt(play.session_id)
    await play.end()
    await play.turn({"raw": ""}, late, say("new"))
    assert "too late" not in await play.texts()
    assert [t for t in await types(play) if t == "turn_start"] == ["turn_start"] * 2


async def test_how_full_the_context_is_and_what_the_agent_notes(play):
    compaction = {"sessionUpdate": "compaction_update", "status": "completed", "summary": "Short."}
    await play.turn(
        {"sessionUpdate": "usage_update", "used": 10, "size": 100}, compaction, say("x")
    )
    taken = await play.chat.snapshot(play.session_id)
    assert taken["context"] == {"used": 10, "size": 100}
    [notice] = await play.notices()
    assert (notice["code"], notice["text"]) == ("compaction", "Short.: completed")
