"""The contract of the port, the same cases for every backend."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from sessions.agents import port
from sessions.agents.port import InterruptCode
from sessions.agents.processes.group import ladder
from tests.agents.cases import absences, backends
from tests.agents.contract import (
    INTERRUPT_S,
    PATIENCE_S,
    Backend,
    Driver,
    Turn,
    driven,
    is_running,
    order,
)

MEGABYTE = 1024 * 1024
# Of the shortest huge answer that is asked for.
HUGE_WORDS = 3000


def group_of(driver: Driver) -> int:
    assert driver.agent.process is not None
    return driver.agent.process.pid


@backends()
async def test_a_turn_gives_its_answer_and_ends_once(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path) as driver:
        turn = await driver.turn(backend.short)
    assert turn.done.stop_reason in backend.ends
    assert turn.text
    assert backend.short_answer in (None, turn.text)
    (usage,) = turn.of(port.Usage)
    assert usage.input_tokens > 0


@backends()
async def test_a_long_answer_arrives_in_pieces(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path) as driver:
        await driver.begin(backend.long)
        # An agent that keeps its answer until the end sends one piece, after all patience.
        await driver.until(lambda: sum(isinstance(u, port.TextDelta) for u in driver.updates) > 1)
        await driver.interrupt()


@backends()
async def test_many_turns_one_after_the_other(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path) as driver:
        turns = [await driver.turn(backend.short) for _ in range(3)]
    assert {turn.done.stop_reason for turn in turns} <= backend.ends
    assert all(turn.text for turn in turns)


@backends("thinking")
async def test_thinking_comes_before_the_answer(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path) as driver:
        await driver.begin(backend.think, until=port.ThinkingDelta)
        await driver.until(lambda: any(isinstance(u, port.TextDelta) for u in driver.updates))
        await driver.interrupt()
    kinds = [type(u) for u in driver.updates]
    assert kinds.index(port.ThinkingDelta) < kinds.index(port.TextDelta)


@backends("tools")
async def test_a_tool_runs_after_its_permission(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path) as driver:
        turn = await driver.turn(backend.tool)
    (asked,) = turn.of(port.PermissionAsked)
    calls = turn.of(port.ToolCall)
    (done,) = turn.of(port.ToolDone)
    assert {call.tool_id for call in calls} | {done.tool_id} == {asked.tool_id}
    assert done.status == "completed"
    assert Path((tmp_path / "work/made").read_text().strip()) == (tmp_path / "work").resolve()


@backends("tools", "tool output")
async def test_a_tool_shows_its_output(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path) as driver:
        turn = await driver.turn(backend.tool)
    assert [done.content.strip() for done in turn.of(port.ToolDone)] == ["out"]


@backends("tools")
async def test_a_denied_tool_does_not_run(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path) as driver:
        driver.answer_with = "reject_once"
        turn = await driver.turn(backend.tool)
    assert turn.of(port.PermissionAsked)
    assert not (tmp_path / "work/made").exists()


@backends("tools")
async def test_an_answer_is_taken_once(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path) as driver:
        driver.answer_with = None
        first = await driver.begin(backend.tool, until=port.PermissionAsked)
        asked = next(u for u in driver.updates if isinstance(u, port.PermissionAsked))
        option = next(o.id for o in asked.options if o.kind == "allow_once")
        answers = [await driver.agent.answer(asked.perm_id, option) for _ in range(2)]
        await driver.end_of_turn(first)
        assert await driver.agent.answer(asked.perm_id, option) is False
        assert await driver.agent.answer("never asked", option) is False
    assert answers == [True, False]


@backends()
async def test_interrupt_in_mid_answer_ends_the_turn(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path) as driver:
        first = await driver.begin(backend.long)
        result = await driver.interrupt()
        turn = await driver.end_of_turn(first)
    assert result.code is InterruptCode.ACKNOWLEDGED
    assert turn.done.stop_reason == "interrupted"


@backends("tools")
async def test_interrupt_while_a_permission_is_open_does_not_run_the_tool(
    backend: Backend, tmp_path: Path
):
    async with driven(backend, tmp_path) as driver:
        driver.answer_with = None
        first = await driver.begin(backend.tool, until=port.PermissionAsked)
        result = await driver.interrupt()
        turn = await driver.end_of_turn(first)
        (asked,) = turn.of(port.PermissionAsked)
        assert await driver.agent.answer(asked.perm_id, asked.options[0].id) is False
    assert result.code is InterruptCode.ACKNOWLEDGED
    assert turn.done.stop_reason == "interrupted"
    assert not (tmp_path / "work/made").exists()


@backends()
async def test_interrupt_of_an_idle_agent_says_so_and_harms_nothing(
    backend: Backend, tmp_path: Path
):
    async with driven(backend, tmp_path) as driver:
        assert (await driver.interrupt()).code is InterruptCode.NOT_RUNNING
        await driver.turn(backend.short)
        assert (await driver.interrupt()).code is InterruptCode.NOT_RUNNING
        assert (await driver.turn(backend.short)).done.stop_reason in backend.ends


@backends()
async def test_two_interrupts_at_once_are_both_answered_and_end_one_turn(
    backend: Backend, tmp_path: Path
):
    async with driven(backend, tmp_path) as driver:
        first = await driver.begin(backend.long)
        results = await asyncio.gather(*(driver.interrupt() for _ in range(2)))
        await driver.end_of_turn(first)
    assert [result.code for result in results] == [InterruptCode.ACKNOWLEDGED] * 2


@backends()
async def test_interrupt_at_once_after_the_prompt_is_not_lost(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path) as driver:
        first = len(driver.updates)
        await driver.send(backend.long)
        result = await driver.interrupt()
        turn = await driver.end_of_turn(first)
    assert result.code is InterruptCode.ACKNOWLEDGED
    assert turn.done.stop_reason == "interrupted"


@backends()
async def test_a_prompt_right_after_an_interrupt_gets_its_own_answer_alone(
    backend: Backend, tmp_path: Path
):
    async with driven(backend, tmp_path) as driver:
        await driver.begin(backend.long)
        await driver.interrupt()
        await driver.send(backend.short)
        await driver.until(lambda: len(driver.ends()) == 2)
        second = Turn(driver.updates[driver.ends()[0] + 1 :])
        text = second.text
    assert text
    assert backend.short_answer in (None, text)


@backends()
async def test_a_second_prompt_during_a_turn_is_refused(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path) as driver:
        await driver.begin(backend.long)
        with pytest.raises(port.AgentBusy):
            await driver.agent.send(backend.short)
        await driver.interrupt()


@backends()
async def test_a_killed_agent_ends_its_turn_as_crashed(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path) as driver:
        first = await driver.begin(backend.long)
        os.killpg(group_of(driver), signal.SIGKILL)
        turn = await driver.end_of_turn(first)
        await driver.until(lambda: isinstance(driver.updates[-1], port.AgentExited))
        assert (await driver.interrupt()).code is InterruptCode.DEAD
        with pytest.raises(port.AgentGone):
            await driver.agent.send(backend.short)
    assert turn.done.stop_reason == "agent_crashed"
    assert turn.done.error


@backends()
async def test_interrupt_of_an_agent_killed_a_moment_ago_says_dead(
    backend: Backend, tmp_path: Path
):
    async with driven(backend, tmp_path) as driver:
        first = await driver.begin(backend.long)
        os.killpg(group_of(driver), signal.SIGKILL)
        assert (await driver.interrupt()).code is InterruptCode.DEAD
        await driver.end_of_turn(first)


@backends()
async def test_a_hanging_agent_costs_the_interrupt_its_deadline_and_the_ladder_ends_it(
    backend: Backend, tmp_path: Path
):
    async with driven(backend, tmp_path) as driver:
        first = await driver.begin(backend.long)
        await driver.remember()
        os.killpg(group_of(driver), signal.SIGSTOP)
        began = time.monotonic()
        async with asyncio.timeout(PATIENCE_S):
            result = await driver.agent.interrupt(timeout_s=0.5)
        took_s = time.monotonic() - began
        assert driver.agent.process is not None
        steps = [signum async for signum in ladder(driver.agent.process, step_s=0.3)]
        turn = await driver.end_of_turn(first)
        assert driver.left_over() == []
    assert result.code is InterruptCode.TIMED_OUT
    assert took_s > 0.4
    assert steps == [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]
    assert turn.done.stop_reason == "interrupted"


@backends()
async def test_interrupt_works_though_no_client_reads_the_updates(backend: Backend, tmp_path: Path):
    (tmp_path / "work").mkdir()
    agent = backend.make(tmp_path)
    await agent.start(
        cwd=tmp_path / "work", env=backend.environment(tmp_path), resume=None, mode=None
    )
    try:
        await agent.send(backend.huge or backend.long)
        result = await agent.interrupt(timeout_s=INTERRUPT_S)
    finally:
        await agent.close(grace_s=2)
    updates = [update async for update in agent.events()]
    assert result.code is InterruptCode.ACKNOWLEDGED
    assert sum(isinstance(update, port.TurnDone) for update in updates) == 1


@backends()
async def test_a_new_process_resumes_the_conversation(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path) as driver:
        first = await driver.turn(backend.short)
        assert driver.agent.capabilities.can_resume
        started_id = driver.started.agent_session_id
    await backend.before_resume()
    async with driven(backend, tmp_path, resume=started_id) as driver:
        assert driver.started.resumed
        second = await driver.turn(backend.short)
    assert second.done.stop_reason in backend.ends
    # What was said before is read again, and none of it is shown as an answer.
    assert second.of(port.Usage)[0].input_tokens > first.of(port.Usage)[0].input_tokens
    assert backend.short_answer in (None, second.text)


@backends("unknown session")
async def test_a_session_unknown_to_the_agent_begins_again(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path, resume="0" * 32) as driver:
        assert driver.started.resumed is False
        assert (await driver.turn(backend.short)).done.stop_reason in backend.ends


# In a folder that is not trusted, Gemini refuses the modes that ask less.
OTHER_MODES = {"gemini": "plan"}


@backends("modes")
async def test_modes_are_offered_and_changed(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path) as driver:
        offered = [mode.id for mode in driver.started.modes]
        if backend.name in OTHER_MODES:
            with pytest.raises(port.AgentError, match="untrusted folder"):
                await driver.agent.set_mode(offered[1])
        await driver.agent.set_mode(OTHER_MODES.get(backend.name, offered[1]))
        assert (await driver.turn(backend.short)).done.stop_reason in backend.ends
        assert not any(isinstance(u, port.ModeChanged) for u in driver.updates)  # no echo
        with pytest.raises(port.AgentError, match="no such mode"):
            await driver.agent.set_mode("no such mode")


@backends("huge output")
async def test_huge_output_arrives_whole_in_order_and_in_bounded_memory(
    backend: Backend, tmp_path: Path
):
    async with driven(backend, tmp_path) as driver:
        turn = await driver.turn(backend.huge)
    numbers = [word.removeprefix("word") for word in turn.text.split()]
    assert numbers == [str(number) for number in range(1, backend.huge_words + 1)]


@backends()
async def test_binary_garbage_on_stdout_ends_the_turn_with_a_clear_error(
    backend: Backend, tmp_path: Path
):
    async with driven(backend, tmp_path) as driver:
        first = await driver.begin(backend.long)
        order(tmp_path, "garbage")
        turn = await driver.end_of_turn(first)
        await driver.until(lambda: isinstance(driver.updates[-1], port.AgentExited))
    assert turn.done.stop_reason == "error"
    assert "not its protocol" in (turn.done.error or "")


@backends()
async def test_a_line_of_17_megabytes_ends_the_turn_with_a_clear_error(
    backend: Backend, tmp_path: Path
):
    async with driven(backend, tmp_path) as driver:
        first = await driver.begin(backend.long)
        order(tmp_path, "long")
        turn = await driver.end_of_turn(first)
    assert turn.done.stop_reason == "error"
    assert "one line" in (turn.done.error or "")


@backends()
async def test_100_megabytes_on_stderr_are_harmless(backend: Backend, tmp_path: Path):
    async with driven(backend, tmp_path) as driver:
        before = psutil.Process().memory_info().rss
        order(tmp_path, "stderr")
        turn = await driver.turn(backend.short)
        grown = psutil.Process().memory_info().rss - before
    assert turn.done.stop_reason in backend.ends
    assert grown < 20 * MEGABYTE


@backends("tools")
async def test_no_process_survives_not_even_a_stray_that_ignores_sigterm(
    backend: Backend, tmp_path: Path
):
    (tmp_path / "work").mkdir()
    stray = tmp_path / "work/stray.sh"
    stray.write_text("trap '' TERM INT HUP\necho $$ > stray\nwhile :; do sleep 1; done\n")
    command = backend.run.format(
        "setsid sh stray.sh > out 2>&1 & until [ -s stray ]; do sleep 0.05; done"
    )
    async with driven(backend, tmp_path) as driver:
        await driver.turn(command)
        pid = int((tmp_path / "work/stray").read_text())
        assert is_running(pid)
    assert not is_running(pid)


@absences("thinking", "tools", "tool output", "modes", "huge output", "unknown session")
async def test_what_is_not_offered_is_not_there(
    backend: Backend, what: str, tmp_path: Path, record_property: Callable[[str, object], None]
):
    """Fail when an agent has learned something: then its cases can be run."""
    record_property("reason", backend.not_offered[what])
    prompt = backend.long if what == "huge output" else backend.short
    if backend.run:
        prompt = backend.tool
    resume = "0" * 32 if what == "unknown session" else None
    async with driven(backend, tmp_path, resume=resume) as driver:
        turn = await driver.turn(prompt)
    match what:
        case "thinking":
            assert not turn.of(port.ThinkingDelta)
        case "tools":
            assert not turn.of(port.ToolCall) + turn.of(port.PermissionAsked)
        case "tool output":
            assert [done.content for done in turn.of(port.ToolDone)] == [""]
        case "modes":
            assert not driver.started.modes
        case "huge output":
            assert len(turn.text.split()) < HUGE_WORDS
        case "unknown session":
            assert driver.started.resumed
        case _:
            raise AssertionError(f"nothing tells whether there is {what}")
