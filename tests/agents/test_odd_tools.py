"""A tool call is a state that updates change: what the person reads, and what the log keeps."""

from __future__ import annotations

import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sessions.control import permissions as decisions
from sessions.core.db import in_thread
from sessions.models import Session
from sessions.workspace import folders
from tests.agents.test_odd_agents import ODD
from tests.support.running import Chat, assert_well_formed, running_chat

pytestmark = pytest.mark.django_db(transaction=True)

YES = {"optionId": "y", "name": "Yes", "kind": "allow_once"}
NO = {"optionId": "n", "name": "No", "kind": "reject_once"}


def call(tool_id: str = "c1", **fields: Any) -> dict[str, Any]:
    return {"sessionUpdate": "tool_call", "toolCallId": tool_id, **fields}


def update(tool_id: str = "c1", **fields: Any) -> dict[str, Any]:
    return {"sessionUpdate": "tool_call_update", "toolCallId": tool_id, **fields}


def ask(tool_id: str = "c1", *, options: Any = (YES, NO), **fields: Any) -> dict[str, Any]:
    return {"ask": {"toolCall": {"toolCallId": tool_id, **fields}, "options": options}}


def say(text: str) -> dict[str, Any]:
    return {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}


def printed(text: str) -> list[dict[str, Any]]:
    return [{"type": "content", "content": {"type": "text", "text": text}}]


class Play:
    """A chat with the agent that does what its prompt says."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.session_id: Any = None
        self.receipt: Any = None

    async def begin(self, *steps: dict[str, Any]) -> None:
        text = json.dumps(steps)
        self.receipt = await self.chat.send(text, self.session_id, agent="odd")
        self.session_id = self.receipt.session_id

    async def end(self) -> dict[str, Any]:
        return await self.chat.settled(self.receipt)

    async def turn(self, *steps: dict[str, Any]) -> dict[str, Any]:
        await self.begin(*steps)
        return await self.end()

    async def request(self) -> dict[str, Any]:
        """The one request that is open."""
        taken = await self.chat.until(self.session_id, lambda s: s["permissions"])
        [request] = taken["permissions"]
        return request

    async def decide(self, request: dict[str, Any], option_id: str) -> None:
        await in_thread(
            decisions.answer_permission,
            user=self.chat.user,
            session_id=self.session_id,
            perm_id=request["permId"],
            option_id=option_id,
            digest=request["digest"],
        )
        perm_id = request["permId"]
        await self.chat.until(
            self.session_id, lambda s: perm_id not in {p["permId"] for p in s["permissions"]}
        )

    async def tools(self) -> list[dict[str, Any]]:
        """The tool calls of the transcript, in order."""
        taken = await self.chat.snapshot(self.session_id)
        blocks = [b for m in taken["messages"] for b in m.get("blocks", [])]
        return [block for block in blocks if block["blockType"] == "tool_use"]

    async def texts(self) -> str:
        taken = await self.chat.snapshot(self.session_id)
        blocks = [b for m in taken["messages"] for b in m.get("blocks", [])]
        return "".join(b["content"] for b in blocks if b["blockType"] == "text")

    async def folder(self) -> Path:
        """The folder in which the agent works."""
        session = await in_thread(Session.objects.get, pk=self.session_id)
        return await in_thread(folders.prepare, self.session_id, session.cwd)

    async def notices(self) -> list[dict[str, Any]]:
        taken = await self.chat.snapshot(self.session_id)
        return [m for m in taken["messages"] if m["role"] == "notice"]


@asynccontextmanager
async def playing(settings: Any, tmp_path: Any, kind: str = "Plays", **chat_settings: Any):
    path = tmp_path / "agents.toml"
    command = json.dumps([sys.executable, str(ODD), kind])
    path.write_text(f"[agents.odd]\ncommand = {command}\n")
    quick = {"SENDS_PER_MINUTE": 10_000, "INTERRUPT_TIMEOUT_S": 2, "STOP_GRACE_S": 0.5}
    settings.CHAT = quick | chat_settings | {"AGENTS_FILE": str(path)}
    async with running_chat() as chat:
        play = Play(chat)
        yield play
        if play.session_id is not None:
            # An agent may have begun a turn of its own, by a word behind the end of the prompt's.
            await chat.until(play.session_id, lambda s: s["turn"] is None)
            assert_well_formed(await chat.events(play.session_id))


@pytest.fixture
async def play(settings, tmp_path):
    async with playing(settings, tmp_path) as play:
        yield play


@pytest.mark.parametrize("request_fields", [{}, {"rawInput": {}}, {"rawInput": None, "title": ""}])
async def test_a_request_that_says_nothing_shows_the_call_that_it_names(play, request_fields):
    known = {"title": "Remove", "kind": "execute", "rawInput": {"command": "rm -rf x"}}
    await play.begin(call(**known), ask(**request_fields))
    request = await play.request()
    assert (request["title"], request["toolName"]) == ("Remove", "execute")
    assert request["input"] == {"command": "rm -rf x"}
    await play.decide(request, "y")
    await play.end()
    assert await play.texts() == "<y>"
    [tool] = await play.tools()
    assert (tool["toolId"], tool["input"]) == (request["toolId"], {"command": "rm -rf x"})


async def test_an_input_told_in_parts_is_asked_and_logged_whole(play):
    await play.begin(
        call(title="Terminal", rawInput={}, status="pending"),
        update(rawInput={"command": "rm"}),
        update(title="rm -rf x", rawInput={"command": "rm -rf x"}),
        ask(),
    )
    request = await play.request()
    assert (request["title"], request["input"]) == ("rm -rf x", {"command": "rm -rf x"})
    await play.decide(request, "y")
    await play.end()
    [tool] = await play.tools()
    assert (tool["content"], tool["input"]) == ("rm -rf x", {"command": "rm -rf x"})


async def test_a_request_shows_diffs_and_paths_of_its_call(play):
    diff = {"type": "diff", "path": "/w/a.txt", "oldText": "old", "newText": "new"}
    await play.begin(
        call(
            title="Edit files", kind="edit", content=[diff], locations=[{"path": "/w/b", "line": 3}]
        ),
        ask(),
    )
    request = await play.request()
    assert request["input"] == {
        "changes": [{"path": "/w/a.txt", "oldText": "old", "newText": "new"}],
        "paths": ["/w/b:3"],
    }
    await play.decide(request, "n")
    await play.end()


async def test_what_the_input_holds_is_not_shown_twice(play):
    diff = {"type": "diff", "path": "/w/a.txt", "oldText": None, "newText": "new text"}
    held = {"file": "/w/a.txt", "content": "new text\n"}
    await play.begin(
        call(title="Write", rawInput=held, content=[diff], locations=[{"path": "/w/a.txt"}]), ask()
    )
    assert (await play.request())["input"] == held
    await play.chat.interrupt(play.session_id)
    await play.end()


async def test_a_request_shows_arguments_deletions_and_a_long_title(play):
    deletion = {"type": "diff", "path": "/w/a.py", "oldText": "x", "newText": None}
    title = "Tidy " + "x" * 400 + " and /etc"
    raw = {"source": "/w/b.py"}
    await play.begin(ask(title=title, kind="delete", rawInput=raw, content=[deletion]))
    request = await play.request()
    assert request["input"] == {
        "source": "/w/b.py",
        "title": title,
        "changes": [{"path": "/w/a.py", "oldText": "x"}],
    }
    await play.decide(request, "n")
    await play.end()


async def test_a_request_that_tells_no_action_has_no_input(play):
    await play.begin(ask("c9", title="Something"))
    request = await play.request()
    assert (request["title"], request["input"]) == ("Something", None)
    await play.decide(request, "n")
    await play.end()


async def test_content_replaces_content_and_a_bare_end_keeps_the_output(play):
    await play.turn(
        call(title="make", status="in_progress", content=printed("one")),
        update(content=printed("one\ntwo")),
        update(status="completed"),
    )
    [tool] = await play.tools()
    assert (tool["status"], tool["result"]) == ("completed", "one\ntwo")


@pytest.mark.parametrize(
    ("last", "state", "status"),
    [
        ([{"exit": 3}], "failed", "cancelled"),
        ([{"fail": "sorry"}], "failed", "cancelled"),
        ([], "answered", "cancelled"),
    ],
)
async def test_the_output_of_a_tool_that_never_ends_is_in_the_log(play, last, state, status):
    prompt = await play.turn(call(title="make", content=printed("so far")), *last)
    assert prompt["promptState"] == state
    [tool] = await play.tools()
    assert (tool["status"], tool["result"], tool["done"]) == (status, "so far", True)


async def test_the_output_of_an_interrupted_tool_is_in_the_log(play):
    await play.begin(call(title="make", content=printed("so far")), say("x"), {"wait": True})
    await play.chat.answering(play.session_id)
    await play.chat.interrupt(play.session_id)
    assert (await play.end())["promptState"] == "interrupted"
    [tool] = await play.tools()
    assert (tool["status"], tool["result"]) == ("cancelled", "so far")


async def test_an_id_used_twice_in_a_turn_is_two_calls(play):
    await play.turn(
        call(title="first", rawInput={"command": "first"}),
        update(status="completed", rawOutput="out of the first"),
        call(title="second", rawInput={"command": "second"}),
        update(status="failed", rawOutput="out of the second"),
    )
    tools = await play.tools()
    assert [(t["input"]["command"], t["status"], t["result"]) for t in tools] == [
        ("first", "completed", "out of the first"),
        ("second", "failed", "out of the second"),
    ]
    assert len({tool["toolId"] for tool in tools}) == 2


async def test_an_id_used_again_after_an_interrupt_is_another_call(play):
    await play.begin(call(rawInput={"command": "first"}), say("x"), {"wait": True})
    await play.chat.answering(play.session_id)
    await play.chat.interrupt(play.session_id)
    await play.end()
    await play.turn(
        call(rawInput={"command": "second"}), update(status="completed", rawOutput="out")
    )
    first, second = await play.tools()
    assert (first["status"], second["status"], second["result"]) == (
        "cancelled",
        "completed",
        "out",
    )
    assert second["input"] == {"command": "second"}
    assert first["toolId"] != second["toolId"]


async def test_two_requests_under_one_id_are_two_commands_in_the_transcript(play):
    await play.begin(
        ask(title="one", rawInput={"command": "one"}), ask(title="two", rawInput={"command": "two"})
    )
    first = await play.request()
    await play.decide(first, "y")
    second = await play.request()
    assert (first["input"], second["input"]) == ({"command": "one"}, {"command": "two"})
    assert first["toolId"] != second["toolId"]
    await play.decide(second, "n")
    await play.end()
    assert [tool["input"]["command"] for tool in await play.tools()] == ["one", "two"]
    assert await play.texts() == "<y><n>"


async def test_a_call_that_is_asked_for_twice_is_one_call(play):
    same = {"title": "one", "rawInput": {"command": "one"}}
    await play.begin(call(**same), ask(), ask(**same))
    for _ in range(2):
        await play.decide(await play.request(), "y")
    await play.end()
    assert len(await play.tools()) == 1


@pytest.mark.parametrize("word", ["paused", 7, None, ["completed"], {}])
async def test_an_unknown_status_or_kind_loses_nothing(play, word):
    await play.turn(
        call(title="make", kind=word, status=word, rawInput={"a": 1}, content=printed("out")),
        update(status=word, priority=word),
        update(status="completed"),
    )
    [tool] = await play.tools()
    assert (tool["content"], tool["input"], tool["result"]) == ("make", {"a": 1}, "out")
    assert await play.notices() == []


@pytest.mark.parametrize("kind", ["allow_for_a_week", None, 7, ["allow_once"]])
async def test_an_unknown_kind_of_option_is_offered(play, kind):
    odd = {"optionId": "week", "name": "For a week", "kind": kind}
    await play.begin(ask(title="t", rawInput={"command": "ls"}, options=[YES, odd, NO]))
    request = await play.request()
    assert [(o["id"], o["kind"], o["label"]) for o in request["options"]] == [
        ("y", "allow_once", "Yes"),
        ("week", "other", "For a week"),
        ("n", "reject_once", "No"),
    ]
    await play.decide(request, "week")
    await play.end()
    assert await play.texts() == "<week>"


@pytest.mark.parametrize("options", [[], None, "none", [7], [{}], [YES]])
async def test_every_request_can_be_rejected(play, options):
    await play.begin(ask(title="t", options=options))
    request = await play.request()
    [reject] = [o for o in request["options"] if o["kind"] == "reject_once"]
    await play.decide(request, reject["id"])
    await play.end()
    assert await play.texts() == "<cancelled>"


async def test_an_option_id_that_repeats_never_turns_a_no_into_a_yes(play):
    twice = [YES | {"optionId": "ok"}, NO | {"optionId": "ok"}, YES | {"optionId": "ok"}]
    for position, said in ((0, "<ok>"), (1, "<cancelled>"), (2, "<ok>")):
        await play.begin(ask(title="t", options=twice))
        request = await play.request()
        assert len({option["id"] for option in request["options"]}) == 3
        await play.decide(request, request["options"][position]["id"])
        await play.end()
        assert (await play.texts()).endswith(said)


async def test_resources_and_links_are_shown_as_address_and_text(play):
    resource = {"type": "resource", "resource": {"uri": "file:///a.md", "text": "inside"}}
    blob = {
        "type": "resource",
        "resource": {"uri": "file:///b", "mimeType": "image/png", "blob": "e"},
    }
    link = {"type": "resource_link", "uri": "/w/c.png", "name": "c"}
    items = [{"type": "content", "content": block} for block in (resource, blob, link)]
    chunk = {"sessionUpdate": "agent_message_chunk", "content": resource}
    await play.turn(call(title="read"), update(status="completed", content=items), chunk)
    [tool] = await play.tools()
    assert tool["result"] == "file:///a.md\ninside\nfile:///b\n[image/png]\nc: /w/c.png"
    assert await play.texts() == "file:///a.md\ninside"


async def test_the_output_that_codex_tells_in_its_meta_is_taken(play):
    def told(**meta: Any) -> dict[str, Any]:
        return update(_meta={name: {"terminal_id": "c1", **value} for name, value in meta.items()})

    terminal = [{"type": "terminal", "terminalId": "c1"}]
    await play.turn(
        call(title="make", status="in_progress", content=terminal),
        told(terminal_output_delta={"data": "one\n"}),
        told(terminal_output_delta={"data": "two\n"}),
        told(terminal_exit={"exit_code": 2, "signal": None}) | {"status": "failed"},
    )
    [tool] = await play.tools()
    assert (tool["status"], tool["result"]) == ("failed", "one\ntwo\n[exit code 2]")


@pytest.mark.parametrize(
    ("step", "named"),
    [
        ({"sessionUpdate": "no_such_update"}, "no_such_update"),
        ({"sessionUpdate": ["tool_call"]}, "without a kind"),
        (update(5), "tool_call_update without an id"),
        ({"sessionUpdate": "plan", "entries": "none"}, "plan without entries"),
        (
            {"sessionUpdate": "agent_message_chunk", "content": 5},
            "agent_message_chunk without text",
        ),
        ({"raw": '{"jsonrpc": "2.0", "method": "session/update", "params": {'}, "not JSON"),
        ({"raw": '{"a":' + "[" * 100_000}, "not JSON"),
    ],
)
async def test_the_log_says_that_a_message_was_left_out(play, step, named):
    assert (await play.turn(step, say("after")))["promptState"] == "answered"
    [notice] = await play.notices()
    assert notice["code"] == "messages_left_out"
    assert named in notice["text"]
    assert await play.texts() == "after"


async def test_words_of_an_interrupted_answer_are_left_out_and_that_is_told(play):
    late = say("late") | {"messageId": "m1"}
    await play.begin(say("x") | {"messageId": "m1"}, {"wait": True})
    await play.chat.answering(play.session_id)
    await play.chat.interrupt(play.session_id)
    await play.end()
    await play.turn(late, say("now") | {"messageId": "m2"})
    assert await play.texts() == "xnow"
    [notice] = await play.notices()
    assert "interrupted" in notice["text"]


async def test_a_plan_with_unknown_words_is_shown(play):
    entries = [{"content": "step", "status": "blocked", "priority": 9}, {"content": 5}, "x"]
    await play.turn({"sessionUpdate": "plan", "entries": entries})
    taken = await play.chat.snapshot(play.session_id)
    [block] = [b for m in taken["messages"] for b in m.get("blocks", [])]
    assert block["content"] == "- [ ] step"


HALF, REST = "half \ud83d", "\ude00 whole"


@pytest.mark.parametrize(
    ("steps", "texts"),
    [
        ([say(HALF), say(REST)], ["half 😀 whole"]),
        ([say(HALF), update("c0", status="x"), say(REST)], ["half \ufffd", "\ufffd whole"]),
        (
            [say(HALF), {"sessionUpdate": "usage_update", "used": 1, "size": 2}, say(REST)],
            ["half 😀 whole"],
        ),
        ([call("c0"), say(HALF), update("c0"), say(REST)], ["half 😀 whole"]),
        ([say(HALF), call("c0"), say(REST)], ["half \ufffd", "\ufffd whole"]),
        ([say(HALF)], ["half \ufffd"]),
        ([say(HALF), say("\ud83d"), say(REST)], ["half \ufffd😀 whole"]),
        ([say("\ud83d"), say("\ude00")], ["😀"]),
        ([say("\ude00\ud83d a\x00b")], ["\ufffd\ufffd a\ufffdb"]),
    ],
)
async def test_half_an_emoji_ends_nothing(play, steps, texts):
    assert (await play.turn(*steps))["promptState"] == "answered"
    assert (await play.turn(say("next")))["promptState"] == "answered"
    taken = await play.chat.snapshot(play.session_id)
    first = next(m for m in taken["messages"] if m["role"] == "assistant")
    found = [b for b in first["blocks"] if b["blockType"] == "text"]
    assert [block["content"] for block in found] == texts
    assert all(block["html"] for block in found)


@pytest.mark.parametrize("bad", ["\ud83d", "a\x00b", "\udc00\ud800"])
async def test_half_an_emoji_anywhere_ends_nothing(play, bad):
    await play.begin(
        {"sessionUpdate": "agent_thought_chunk", "content": {"type": "text", "text": bad}},
        {"sessionUpdate": "session_info_update", "title": bad},
        {"sessionUpdate": "plan", "entries": [{"content": bad}]},
        call(bad, title=bad, kind=bad, rawInput={bad: bad}, content=printed(bad)),
        update(bad, status="completed", rawOutput={bad: [bad]}),
        ask(bad + "2", title=bad, rawInput=bad, options=[YES | {"optionId": bad, "name": bad}]),
    )
    request = await play.request()
    await play.decide(request, request["options"][0]["id"])
    assert (await play.end())["promptState"] == "answered"
    json.dumps(await play.chat.snapshot(play.session_id), ensure_ascii=False).encode()


async def test_noise_between_messages_ends_nothing(play):
    noise = ["\x1b]0;title\x07", "\x08", "\x1b[2K\r", "plain words", "caf\xe9", "[1, 2]", "{}"]
    steps = [step for text in noise for step in ({"raw": text}, say("x"))]
    assert (await play.turn(*steps))["promptState"] == "answered"
    assert await play.texts() == "x" * len(noise)


async def test_one_stray_line_in_each_of_many_turns_ends_nothing(play):
    lines = [{"raw": "debug: a line"}] * 60
    for _ in range(3):
        assert (await play.turn(*lines, say("x")))["promptState"] == "answered"
