"""What real agents were seen to do wrong, one case each, over real pipes."""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from sessions.agents import port
from sessions.agents.acp.agent import AcpAgent
from sessions.agents.acp.announcements import AT_ONCE
from sessions.agents.acp.translation.labels import MAX_ID_CHARS, MAX_LABEL_CHARS
from sessions.agents.acp.translation.tools.action import MAX_INPUT_CHARS
from sessions.agents.content import ConfigOption
from sessions.agents.port import InterruptCode
from sessions.agents.processes import environment
from sessions.core import host
from tests.agents.contract import PATIENCE_S, Driver, until

ODD = Path(__file__).with_name("odd_agent.py")


@asynccontextmanager
async def odd(kind: str, folder: Path, **options: str) -> AsyncIterator[Driver]:
    driver = Driver(AcpAgent([sys.executable, str(ODD), kind], label="Odd"))
    try:
        await driver.start(folder, environment.build(), **options)
        yield driver
    finally:
        await driver.end()


async def start_error(command: list[str], folder: Path) -> str:
    agent = AcpAgent(command, label="Odd")
    with pytest.raises(port.AgentStartFailed) as raised:
        async with asyncio.timeout(PATIENCE_S):
            await agent.start(cwd=folder, env=environment.build(), resume=None, mode=None)
    assert agent.process is None or not await agent.process.remember()
    assert [type(update) async for update in agent.events()] in ([], [port.AgentExited])
    return str(raised.value)


async def test_a_greeting_on_stdout_is_forgiven(tmp_path):
    async with odd("Greets", tmp_path) as driver:
        assert (await driver.turn("hi")).text == "hello"


async def test_endless_text_on_stdout_ends_the_turn_and_shows_the_text(tmp_path):
    async with odd("Chatters", tmp_path) as driver:
        turn = await driver.turn("hi")
    assert turn.done.stop_reason == "error"
    assert "progress" in (turn.done.error or "")


async def test_a_command_that_does_not_exist_is_named(tmp_path):
    assert "no-such-agent" in await start_error(["no-such-agent"], tmp_path)


async def test_an_agent_that_wants_a_login_says_what_to_do(tmp_path):
    error = await start_error([sys.executable, str(ODD), "WantsLogin"], tmp_path)
    assert error == "Odd wants a log-in first."


async def test_an_agent_that_ends_at_once_shows_its_last_words(tmp_path):
    error = await start_error([sys.executable, str(ODD), "EndsAtOnce"], tmp_path)
    assert "cannot find the config file" in error


async def test_an_agent_that_never_answers_costs_the_start_timeout(tmp_path, settings):
    settings.CHAT = {"START_TIMEOUT_S": 0.3}
    error = await start_error([sys.executable, str(ODD), "Silent"], tmp_path)
    assert "no answer within 0.3 s" in error


async def test_a_cancelled_start_leaves_no_process(tmp_path):
    agent = AcpAgent([sys.executable, str(ODD), "Silent"], label="Odd")
    starting = asyncio.create_task(
        agent.start(cwd=tmp_path, env=environment.build(), resume=None, mode=None)
    )
    await until(lambda: agent.process is not None)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert await agent.process.remember() == set()


async def test_permission_without_a_tool_call_carries_the_tool(tmp_path):
    async with odd("AsksUnannounced", tmp_path) as driver:
        turn = await driver.turn("hi")
    (asked,) = turn.of(port.PermissionAsked)
    assert (asked.tool_id, asked.tool_name, asked.title) == ("c1", "execute", "rm -r x")
    assert asked.input == {"a": 1}
    assert turn.text == '{"optionId": "y", "outcome": "selected"}'


async def test_names_of_any_length_become_labels_and_ids_stay_apart(tmp_path):
    async with odd("NamesThingsAtLength", tmp_path) as driver:
        turn = await driver.turn("hi")
    assert max(len(mode.label) for mode in driver.started.modes) == MAX_LABEL_CHARS
    (asked,) = turn.of(port.PermissionAsked)
    tools = [*turn.of(port.ToolCall), asked]
    assert len({tool.tool_id for tool in tools}) == 3
    (plan,) = turn.of(port.PlanUpdate)
    texts = [plan.entries[0].text, *(o.label for o in asked.options)]
    texts += [text for call in turn.of(port.ToolCall) for text in (call.title, call.name)]
    assert max(map(len, texts)) == MAX_LABEL_CHARS
    ids = [*(tool.tool_id for tool in tools), *(option.id for option in asked.options)]
    assert max(map(len, ids)) <= MAX_ID_CHARS
    assert [len(c.input["truncated"]) for c in turn.of(port.ToolCall) if c.input] == [
        MAX_INPUT_CHARS
    ] * 2
    # A person sees what is to be permitted, and the agent hears which of its own options it was.
    assert asked.title.endswith("…")
    assert len(asked.input["title"]) == MAX_INPUT_CHARS
    assert turn.text == "allow_once"


async def test_of_many_titles_and_modes_a_few_are_told_and_the_last(tmp_path):
    async with odd("RenamesItself", tmp_path) as driver:
        turn = await driver.turn("hi")
        await driver.turn("hi")
    titles, modes = turn.of(port.TitleChanged), turn.of(port.ModeChanged)
    assert len(titles) == len(modes) == AT_ONCE + 1
    assert titles[-1].title == "in the turn"
    assert titles[0].title == "title 0"
    # Nothing is lost between two turns either.
    told = [u.title for u in driver.updates if isinstance(u, port.TitleChanged)]
    assert len(told) <= 4 * (AT_ONCE + 1)
    assert "after the turn" in told
    assert told[-1] == "after the turn"


async def test_late_text_of_an_interrupted_turn_is_in_no_turn(tmp_path):
    async with odd("TalksLate", tmp_path) as driver:
        first = await driver.begin("one")
        await driver.interrupt()
        interrupted = await driver.end_of_turn(first)
        turn = await driver.turn("two")
    assert interrupted.text == "first"
    assert turn.text == "second"
    assert turn.of(port.ToolDone) == []


async def test_an_error_as_the_answer_to_a_cancelled_prompt_is_an_interrupted_turn(tmp_path):
    async with odd("FailsWhenCancelled", tmp_path) as driver:
        first = await driver.begin("one")
        result = await driver.interrupt()
        turn = await driver.end_of_turn(first)
    assert result.code is InterruptCode.ACKNOWLEDGED
    assert turn.done == port.TurnDone("interrupted")


async def test_a_cancel_that_the_agent_missed_is_sent_again(tmp_path):
    async with odd("MissesTheFirstCancel", tmp_path) as driver:
        await driver.begin("one")
        result = await driver.interrupt()
    assert result.code is InterruptCode.ACKNOWLEDGED


async def test_a_flood_of_requests_ends_the_agent_and_not_the_server(tmp_path):
    async with odd("AsksTooMuch", tmp_path) as driver:
        driver.answer_with = None
        turn = await driver.turn("hi")
    assert turn.done.stop_reason == "error"
    assert "open requests" in (turn.done.error or "")


async def test_unknown_notifications_are_ignored(tmp_path):
    async with odd("FloodsNotifications", tmp_path) as driver:
        before = psutil.Process().memory_info().rss
        turn = await driver.turn("hi")
        assert psutil.Process().memory_info().rss - before < 20 * 1024 * 1024
    assert [type(u) for u in turn.updates] == [port.TextDelta, port.Notice, port.TurnDone]
    assert "20000 messages of Odd: no_such_update (20000)" in turn.of(port.Notice)[0].text


async def test_a_request_for_what_we_do_not_offer_is_refused(tmp_path):
    async with odd("AsksForAFile", tmp_path) as driver:
        assert (await driver.turn("hi")).text == "refused"


async def test_an_unknown_stop_reason_is_an_error_that_names_it(tmp_path):
    async with odd("StopsOddly", tmp_path) as driver:
        turn = await driver.turn("hi")
    assert turn.done.stop_reason == "error"
    assert "tired" in (turn.done.error or "")


async def test_a_child_that_holds_the_pipe_does_not_hide_the_death(tmp_path):
    async with odd("LeavesAChildInThePipe", tmp_path) as driver:
        turn = await driver.turn("hi")
    assert turn.text == "before"
    assert turn.done.stop_reason == "agent_crashed"
    assert driver.updates[-1].exit_code == 4


async def test_an_agent_that_closes_its_output_is_ended(tmp_path):
    async with odd("ClosesStdout", tmp_path) as driver:
        turn = await driver.turn("hi")
    assert turn.done.stop_reason == "agent_crashed"


async def test_an_agent_that_closes_its_input_is_ended(tmp_path):
    async with odd("ClosesStdin", tmp_path) as driver:
        turn = await driver.turn("x" * 200_000)
    assert turn.done.stop_reason in ("error", "agent_crashed")
    assert turn.done.error


async def test_usage_is_an_increment_of_each_turn(tmp_path):
    async with odd("ReportsUsage", tmp_path) as driver:
        turns = [await driver.turn("hi") for _ in range(2)]
    for turn in turns:
        assert turn.of(port.Usage) == [port.Usage(8, 7, 0.25, 1000)]
        assert turn.done.stop_reason == "max_tokens"


async def test_usage_beside_the_text_is_the_sum_of_all_requests(tmp_path):
    async with odd("CountsBesideItsText", tmp_path) as driver:
        turns = [await driver.turn("hi") for _ in range(2)]
    for turn in turns:
        assert turn.of(port.Usage) == [port.Usage(40, 6)]
        assert turn.of(port.TextDelta) == [port.TextDelta("done")]


async def test_usage_in_the_answers_meta_is_found(tmp_path):
    async with odd("CountsInItsMeta", tmp_path) as driver:
        turn = await driver.turn("hi")
    assert turn.of(port.Usage) == [port.Usage(20, 3)]


async def test_raw_output_is_shown_before_content_that_is_no_diff(tmp_path):
    async with odd("DressesItsOutput", tmp_path) as driver:
        turn = await driver.turn("hi")
    assert [done.content for done in turn.of(port.ToolDone)] == ["out", "a.txt\nnew"]


async def test_a_session_is_loaded_when_resume_was_an_empty_promise(tmp_path):
    async with odd("PromisesToResume", tmp_path, resume="s1") as driver:
        assert driver.started.resumed
        assert (await driver.turn("hi")).text == "hello"


async def test_what_a_loaded_session_tells_late_is_no_answer(tmp_path):
    async with odd("AnswersBeforeItsReplay", tmp_path, resume="s1") as driver:
        assert driver.started.resumed
        assert (await driver.turn("hi")).text == "hello"


async def test_modes_that_are_an_option_are_offered_changed_and_heard_of(tmp_path):
    async with odd("HasItsModesAsAnOption", tmp_path, mode="plan") as driver:
        assert [mode.id for mode in driver.started.modes] == ["build", "plan"]
        assert driver.started.mode == "plan"
        turn = await driver.turn("hi")
        await driver.agent.set_mode("plan")
        again = await driver.turn("hi")
    # The agent's own change each time, and no echo of ours.
    assert turn.of(port.ModeChanged) == again.of(port.ModeChanged) == [port.ModeChanged("build")]


@pytest.mark.parametrize("kind", ["HasItsModesAsAnOption", "HasItsModesTwice"])
async def test_the_setting_of_the_mode_agrees_with_the_mode(tmp_path, kind: str):
    async with odd(kind, tmp_path, mode="plan") as driver:
        assert option_of_mode(driver.started.options) == driver.started.mode == "plan"
        await driver.agent.set_mode("build")
        assert option_of_mode(driver.agent.options) == driver.agent.mode == "build"
        await driver.agent.set_mode("plan")
        assert option_of_mode(driver.agent.options) == driver.agent.mode == "plan"


def option_of_mode(options: Iterable[ConfigOption]) -> str | bool:
    return next(option.value for option in options if option.category == "mode")


async def test_an_agent_may_open_as_many_files_as_the_server_before_it_asked_for_more(
    tmp_path, monkeypatch
):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.setattr(host, "_USUAL_FILES", (400, hard))
    async with odd("TellsItsLimit", tmp_path) as driver:
        assert (await driver.turn("hi")).text == "400 400"


async def test_interrupt_keeps_its_deadline_when_the_prompt_cannot_be_written(tmp_path):
    async with odd("ReadsNothing", tmp_path) as driver:
        await driver.send("x" * 2_000_000)
        async with asyncio.timeout(PATIENCE_S):
            result = await driver.agent.interrupt(timeout_s=0.3)
        assert result.code is InterruptCode.TIMED_OUT


@pytest.mark.parametrize("words", ["plain", "early"])
async def test_a_prompt_that_is_only_taken_ends_when_the_agent_is_idle(tmp_path, words):
    async with odd("SpeaksTheDraft", tmp_path) as driver:
        turns = [await driver.turn(words) for _ in range(2)]
        assert (await driver.turn("refuse")).done.stop_reason == "refusal"
    for turn in turns:
        assert turn.done.stop_reason == "end_turn"
        assert turn.text == f"after the answer to {words}"
        assert [done.status for done in turn.of(port.ToolDone)] == ["completed"]
        assert turn.of(port.Usage) == [port.Usage(5, 7)]
        assert not turn.of(port.Notice)


async def test_a_turn_that_was_only_taken_can_be_interrupted(tmp_path):
    async with odd("SpeaksTheDraft", tmp_path) as driver:
        first = await driver.begin("wait")
        with pytest.raises(port.AgentBusy):
            await driver.agent.send("no")
        assert (await driver.interrupt()).code is InterruptCode.ACKNOWLEDGED
        assert (await driver.end_of_turn(first)).done.stop_reason == "interrupted"
        assert (await driver.turn("plain")).text == "after the answer to plain"


async def test_an_idle_agent_that_runs_again_has_a_turn_of_its_own(tmp_path):
    async with odd("SpeaksTheDraft", tmp_path) as driver:
        assert (await driver.turn("twice")).text == "after the answer to twice"
        await driver.until(lambda: len(driver.ends()) == 2)
    own = driver.updates[driver.ends()[0] + 1 :]
    assert [type(u) for u in own[:2]] == [port.TurnBegan, port.TextDelta]
    assert own[1].text == "by myself"
