"""The contract of the port: the parts of an agent's work that are more than text."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sessions.agents import port
from sessions.agents.acp.agent import AcpAgent
from sessions.agents.acp.chats.reader import ChatReader, NoChats
from sessions.agents.content import ConfigOption, Diff, Shown, ToolServer
from tests.agents.backends import PRESET, confined
from tests.agents.cases import absences, backends
from tests.agents.contract import Backend, Driver, Turn, driven, until

TOOLS = Path(__file__).with_name("mcp_tools.py")
# Some agents lose the first lines of a command.
ENDLESS = "for i in 1 2 3 4 5 6 7 8 9; do echo out; sleep 0.3; done; touch begun; sleep 60"
PARENTS = (port.TextDelta, port.ThinkingDelta, port.ToolCall, port.PermissionAsked)


@asynccontextmanager
async def on_the_way(backend: Backend, need: str, folder: Path) -> AsyncIterator[Driver]:
    """Give an agent that is ready for the prompt of a way."""
    way = backend.ways[need]
    work = folder / "work"
    work.mkdir()
    way.prepare(work)
    tools = ToolServer("shown", "stdio", command=sys.executable, args=(str(TOOLS),))
    servers = [tools] if way.needs_servers else []
    async with driven(backend, folder, servers, mode=way.mode or backend.mode) as driver:
        for option, value in way.options:
            await driver.agent.set_option(option, value)
        yield driver


async def made(backend: Backend, need: str, folder: Path) -> Turn:
    """Let an agent do something, in a turn."""
    async with on_the_way(backend, need, folder) as driver:
        return await driver.turn(backend.ways[need].prompt(folder / "work"))


def shown(turn: Turn) -> list[Shown]:
    return [done.shown for done in turn.of(port.ToolDone)]


def diffs(turn: Turn) -> list[Diff]:
    return [diff for one in shown(turn) for diff in one.diffs]


def plans(turn: Turn) -> list[port.PermissionAsked]:
    return [asked for asked in turn.of(port.PermissionAsked) if asked.tool_kind == "switch_mode"]


def commands(driver: Driver) -> list[str]:
    told = [u.commands for u in driver.updates if isinstance(u, port.CommandsOffered)]
    return [one.name for offered in (driver.started.commands, *told) for one in offered]


def parents(driver: Driver) -> set[str]:
    return {u.parent for u in driver.updates if isinstance(u, PARENTS) and u.parent}


@backends("diff")
async def test_a_change_of_a_file_is_shown_before_and_after_the_decision(
    backend: Backend, tmp_path: Path
):
    turn = await made(backend, "diff", tmp_path)
    asked = [diff for request in turn.of(port.PermissionAsked) for diff in request.shown.diffs]
    for told in (asked, diffs(turn)) if backend.shows_done_diffs else (asked,):
        assert [Path(diff.path).suffix for diff in told] == [".txt"]
        assert not told[0].old
        assert told[0].new == next((tmp_path / "work").glob("*.txt")).read_text()


@backends("tools")
async def test_a_call_that_is_told_in_parts_is_known_whole(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path) as driver:
        turn = await driver.turn(backend.tool)
    (asked,) = turn.of(port.PermissionAsked)
    command = "echo out; echo $PWD > made"
    assert command in f"{asked.title} {json.dumps(asked.input)}"
    told = turn.of(port.ToolCall)
    assert {call.tool_id for call in told} <= {asked.tool_id}
    assert all(command in f"{call.title} {json.dumps(call.input)}" for call in told[-1:])
    assert all(asked.title and call.kind == "execute" for call in told[-1:])


@backends("tools", "growing output")
async def test_the_output_of_a_command_that_never_ends_is_kept(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path) as driver:
        first = await driver.begin(backend.run.format(ENDLESS), until=port.ToolOutput)
        await driver.interrupt()
        turn = await driver.end_of_turn(first)
    grown = "".join(piece.text for piece in turn.of(port.ToolOutput))
    (done,) = turn.of(port.ToolDone)
    assert "out" in grown
    assert "out" in done.content
    assert done.status in ("cancelled", "completed", "failed")


@backends("image")
async def test_an_image_of_a_tool_is_shown(backend: Backend, tmp_path: Path):
    turn = await made(backend, "image", tmp_path)
    (image,) = (image for one in shown(turn) for image in one.images)
    assert image.mime == "image/png"
    assert image.content.data.startswith(b"\x89PNG")
    assert "iVBOR" not in "".join(done.content for done in turn.of(port.ToolDone))


@backends("resource")
async def test_a_file_of_a_tool_is_named(backend: Backend, tmp_path: Path):
    turn = await made(backend, "resource", tmp_path)
    assert [Path(file.uri).name for one in shown(turn) for file in one.resources] == ["page.txt"]


@backends("question")
async def test_a_question_is_asked_and_its_answer_reaches_the_agent(
    backend: Backend, tmp_path: Path
):
    async with on_the_way(backend, "question", tmp_path) as driver:
        turn = await driver.turn(backend.ways["question"].prompt(tmp_path / "work"))
    (asked,) = turn.of(port.QuestionAsked)
    assert "Red" in json.dumps(asked.schema)
    said = turn.text + "".join(done.content for done in turn.of(port.ToolDone))
    assert backend.question_answer in said.lower()


@backends("plan")
async def test_a_plan_waits_for_its_approval(backend: Backend, tmp_path: Path):
    turn = await made(backend, "plan", tmp_path)
    (asked,) = plans(turn)
    assert "# Plan" in asked.input["plan"]
    assert {"allow_once", "reject_once"} <= {option.kind for option in asked.options}
    assert turn.done.stop_reason == "end_turn"


def other_value(options: tuple[ConfigOption, ...]) -> tuple[ConfigOption, str | bool]:
    """Return a setting and a value that it does not have."""
    free = [option for option in options if option.kind == "boolean" or len(option.choices) > 1]
    option = min(free, key=lambda one: one.category == "mode")
    if option.kind == "boolean":
        return option, not option.value
    return option, next(choice.id for choice in option.choices if choice.id != option.value)


@backends("options")
async def test_a_setting_is_changed(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path) as driver:
        option, value = other_value(driver.started.options)
        await driver.agent.set_option(option.id, value)
        assert {o.id: o.value for o in driver.agent.options}[option.id] == value
        # A change of the mode tells the setting that holds it.
        news = port.ModeChanged if option.category == "mode" else port.OptionsOffered
        await driver.until(lambda: any(isinstance(u, news) for u in driver.updates))
        with pytest.raises(port.AgentError, match="no such setting"):
            await driver.agent.set_option(option.id, "no such value")
        assert (await driver.turn(backend.short)).done.stop_reason in backend.ends


@backends("commands")
async def test_commands_are_offered(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path) as driver:
        await driver.turn(backend.short)
        await driver.until(lambda: bool(commands(driver)))
    assert all(name and not name.startswith("/") for name in commands(driver))


@backends("subagent")
async def test_the_work_of_a_subagent_names_its_call(backend: Backend, tmp_path: Path):
    async with on_the_way(backend, "subagent", tmp_path) as driver:
        await driver.turn(backend.ways["subagent"].prompt(tmp_path / "work"))
        await driver.until(lambda: bool(parents(driver)))
        calls = {u.tool_id for u in driver.updates if isinstance(u, port.ToolCall) and not u.parent}
        assert parents(driver) <= calls


@backends("own turn")
async def test_an_agent_that_continues_by_itself_has_a_turn_of_its_own(
    backend: Backend, tmp_path: Path
):
    async with on_the_way(backend, "own turn", tmp_path) as driver:
        await driver.turn(backend.ways["own turn"].prompt(tmp_path / "work"))
        await driver.until(lambda: any(isinstance(u, port.TurnBegan) for u in driver.updates))
        await driver.until(lambda: len(driver.ends()) > 1)
        begun = next(at for at, u in enumerate(driver.updates) if isinstance(u, port.TurnBegan))
        own = Turn(driver.updates[begun : driver.ends()[1] + 1])
        assert own.done.is_own
        assert own.text
        await driver.interrupt()


def reader(backend: Backend, folder: Path) -> ChatReader:
    agent = backend.make(folder)
    assert isinstance(agent, AcpAgent)
    held = confined(PRESET.get(backend.name, PRESET["demo"]))
    return ChatReader(backend.command(), backend.name, 0, held, {})


async def one_chat(backend: Backend, folder: Path) -> str:
    """Have a chat; return the agent's own id of it."""
    async with driven(backend, folder) as driver:
        await driver.turn(backend.short)
        assert isinstance(driver.agent, AcpAgent)
        return driver.agent._talk.session_id


@backends("list")
async def test_chats_of_a_folder_are_listed(backend: Backend, tmp_path: Path):
    own, work = await one_chat(backend, tmp_path), tmp_path / "work"
    async with reader(backend, tmp_path).opened(work, backend.environment(tmp_path)) as opened:
        assert own in [found.agent_session_id for found in await opened.listed(work)]


@backends("load")
async def test_a_chat_is_told_once_more(backend: Backend, tmp_path: Path):
    own, work = await one_chat(backend, tmp_path), tmp_path / "work"
    await backend.before_resume()
    async with reader(backend, tmp_path).opened(work, backend.environment(tmp_path)) as opened:
        past = await opened.past(own, work)
    turn = next(turn for turn in past.turns if backend.short in turn.prompt)
    assert "word1 word2 word3" in "".join(
        said.text for said in turn.said if isinstance(said, port.TextDelta)
    )


SEEN: dict[str, Callable[[Turn], object]] = {
    "diff": diffs,
    "image": lambda turn: [image for one in shown(turn) for image in one.images],
    "resource": lambda turn: [file for one in shown(turn) for file in one.resources],
    "question": lambda turn: turn.of(port.QuestionAsked),
    "plan": plans,
    "own turn": lambda turn: turn.of(port.TurnBegan),
}


@absences("diff", "image", "resource", "question", "plan", "own turn", "subagent", is_extra=True)
async def test_what_is_not_offered_is_not_there(
    backend: Backend, what: str, tmp_path: Path, record_property: Callable[[str, object], None]
):
    """Fail when an agent has learned something: then its cases can be run."""
    record_property("reason", backend.not_offered[what])
    if what not in backend.ways:
        async with driven(backend, tmp_path) as driver:
            await driver.turn(backend.short)
    else:
        async with on_the_way(backend, what, tmp_path) as driver:
            await driver.turn(backend.ways[what].prompt(tmp_path / "work"))
            await driver.turn(backend.short)  # time for late words
    told = [u for u in driver.updates if not isinstance(u, port.TurnDone)]
    assert not parents(driver) if what == "subagent" else not SEEN[what](Turn(told))


@absences("options", "commands", "list", "load", "growing output", is_extra=True)
async def test_offers_that_are_not_made(
    backend: Backend, what: str, tmp_path: Path, record_property: Callable[[str, object], None]
):
    """Fail when an agent has learned something: then its cases can be run."""
    record_property("reason", backend.not_offered[what])
    work, env = tmp_path / "work", backend.environment(tmp_path)
    match what:
        case "list" | "load":
            own = await one_chat(backend, tmp_path)
            async with reader(backend, tmp_path).opened(work, env) as opened:
                asked = opened.listed(work) if what == "list" else opened.past(own, work)
                with pytest.raises(NoChats):
                    await asked
        case "growing output":
            async with driven(backend, tmp_path) as driver:
                first = len(driver.updates)
                await driver.send(backend.run.format(ENDLESS))
                await until((work / "begun").exists)
                await driver.interrupt()
                turn = await driver.end_of_turn(first)
            assert not turn.of(port.ToolOutput)
        case _:
            async with driven(backend, tmp_path) as driver:
                await driver.turn(backend.short)
            offered = [u for u in driver.updates if isinstance(u, port.OptionsOffered)]
            found = offered or driver.started.options if what == "options" else commands(driver)
            assert not found
