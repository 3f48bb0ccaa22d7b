"""The demo agent's faults, each as a person would try it by hand."""

from __future__ import annotations

import asyncio
import random
import signal
import time

import psutil
import pytest

from sessions.agents import port
from sessions.agents.acp.pipe import mailbox
from sessions.agents.port import InterruptCode
from sessions.agents.processes.group import ladder
from sessions.agents.programs.demo import DemoAgent, _run_shell
from sessions.agents.programs.stdio import Chat
from tests.agents.backends import DEMO, PLAIN_DEMO
from tests.agents.contract import PATIENCE_S, driven, is_running, until


async def test_any_prompt_is_answered_honestly_after_a_thought(tmp_path):
    async with driven(DEMO, tmp_path) as driver:
        turn = await driver.turn("Fix my `bug` please")
    assert "no AI" in turn.text
    assert "Fix my 'bug' please" in turn.text
    assert isinstance(turn.updates[0], port.ThinkingDelta)
    assert len(turn.of(port.TextDelta)) > 20


async def test_help_names_every_command_and_an_unknown_one_is_told(tmp_path):
    async with driven(DEMO, tmp_path) as driver:
        text = (await driver.turn("/nonsense")).text
    assert "no command `/nonsense`" in text
    for command in ("/run", "/plan", "/slow", "/flood", "/crash", "/hang", "/refuse-interrupt"):
        assert command in text


async def test_crash_in_mid_answer_names_exit_code_and_last_words(tmp_path):
    async with driven(DEMO, tmp_path) as driver:
        turn = await driver.turn("/crash")
    assert turn.text.startswith("I shall end")
    assert turn.done.stop_reason == "agent_crashed"
    assert "exit code 3" in (turn.done.error or "")
    assert "told to crash" in (turn.done.error or "")


async def test_refused_interrupt_is_failed_with_the_agents_words_and_the_turn_goes_on(tmp_path):
    async with driven(DEMO, tmp_path) as driver:
        first = await driver.begin("/refuse-interrupt 20")
        result = await driver.interrupt()
        seen = len(driver.updates)
        turn = await driver.end_of_turn(first)
    assert result.code is InterruptCode.FAILED
    assert "refuse interrupts" in (result.error or "")
    assert len(driver.updates) > seen
    assert turn.done.stop_reason == "end_turn"


@pytest.mark.parametrize(
    ("prompt", "step_s", "last"),
    [("/hang", 30, signal.SIGINT), ("/hang hard", 1, signal.SIGKILL)],
)
async def test_a_hanging_agent_is_ended_by_the_ladder(tmp_path, prompt, step_s, last):
    async with driven(PLAIN_DEMO, tmp_path) as driver:
        first = len(driver.updates)
        await driver.send(prompt)
        await driver.until(lambda: "more …" in "".join(
            u.text for u in driver.updates if isinstance(u, port.TextDelta)
        ))  # fmt: skip
        result = await driver.agent.interrupt(timeout_s=0.3)
        steps = [signum async for signum in ladder(driver.agent.process, step_s=step_s)]
        turn = await driver.end_of_turn(first)
        assert await driver.agent.process.remember() == set()
    assert result.code is InterruptCode.TIMED_OUT
    assert steps[-1] is last
    assert turn.done.stop_reason == "interrupted"


async def test_allow_always_asks_once_in_a_session_and_auto_mode_never(tmp_path):
    async with driven(DEMO, tmp_path) as driver:
        driver.answer_with = "allow_always"
        asked = [len((await driver.turn("/run true")).of(port.PermissionAsked)) for _ in range(2)]
    async with driven(DEMO, tmp_path, mode="auto") as driver:
        assert driver.started.mode == "auto"
        asked.append(len((await driver.turn("/run true")).of(port.PermissionAsked)))
    assert asked == [1, 0, 0]


async def test_interrupt_ends_a_running_command_and_its_children(tmp_path):
    async with driven(DEMO, tmp_path) as driver:
        await driver.send("/run sleep 600 & echo $! > child; wait")
        child = tmp_path / "work/child"
        await driver.until(lambda: any(isinstance(u, port.PermissionAsked) for u in driver.updates))
        await until(lambda: child.exists() and child.read_text().strip())
        assert (await driver.interrupt()).code is InterruptCode.ACKNOWLEDGED
        # Killed before the answer to the interrupt; the kernel may take a moment to end it.
        await until(lambda: not is_running(int(child.read_text())))


async def test_a_cancel_while_a_command_starts_ends_its_children_too(tmp_path):
    chat = Chat(agent=DemoAgent(), session_id="s1", cwd=tmp_path, mode="auto")
    command = asyncio.create_task(_run_shell("sleep 600 & echo $! > child; wait", chat, chat.text))
    child = tmp_path / "child"
    for _ in range(3):
        await asyncio.sleep(0)
    # From here on the loop stands still: the command runs, its pipes are not connected yet.
    deadline = time.monotonic() + PATIENCE_S
    while not child.exists() or not child.read_text().strip():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # noqa: ASYNC251 (the loop has to stand still)
    command.cancel()
    with pytest.raises(asyncio.CancelledError):
        await command
    await until(lambda: not is_running(int(child.read_text())))


async def test_a_stray_without_parent_group_session_or_mark_is_ended_since_it_was_seen(tmp_path):
    command = "env -i setsid sleep 600 >out 2>&1 & echo $! > stray; sleep 2.2"
    async with driven(DEMO, tmp_path, mode="auto") as driver:
        await driver.turn(f"/run {command}")
        stray = int((tmp_path / "work/stray").read_text())
        assert is_running(stray)
    assert not is_running(stray)


async def test_a_failing_command_is_a_failed_tool(tmp_path):
    async with driven(DEMO, tmp_path) as driver:
        (done,) = (await driver.turn("/run echo oh; exit 3")).of(port.ToolDone)
    assert (done.status, done.content) == ("failed", "oh\n")


async def test_commands_see_no_secret_of_the_server(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "hush")
    monkeypatch.setenv("DATABASE_URL", "postgres://u:hush@h/d")
    async with driven(DEMO, tmp_path, mode="auto") as driver:
        (done,) = (await driver.turn("/run env")).of(port.ToolDone)
    assert "PATH=" in done.content
    assert "hush" not in done.content
    assert "PYTHONPATH" not in done.content


async def test_plan_is_updated_step_by_step(tmp_path):
    async with driven(DEMO, tmp_path) as driver:
        plans = (await driver.turn("/plan")).of(port.PlanUpdate)
    assert [entry.status for entry in plans[0].entries] == ["in_progress"] + ["pending"] * 3
    assert {entry.status for entry in plans[-1].entries} == {"completed"}


async def test_a_folder_with_a_module_of_the_standard_librarys_name_is_harmless(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work/json.py").write_text("raise SystemExit('imported')")
    async with driven(DEMO, tmp_path) as driver:
        assert (await driver.turn("/slow 1")).done.stop_reason == "end_turn"


async def test_the_loop_turns_while_an_agent_floods(tmp_path):
    """Between two turns of the loop a flood gets in no more than one mailbox holds."""
    async with driven(DEMO, tmp_path) as driver:
        await driver.begin("/flood 300000")
        most, seen = 0, len(driver.updates)
        for _ in range(500):
            await asyncio.sleep(0)
            most, seen = max(most, len(driver.updates) - seen), len(driver.updates)
        result = await driver.interrupt()
    assert result.code is InterruptCode.ACKNOWLEDGED
    assert most <= mailbox.MAX_ITEMS


async def test_an_agent_that_nobody_reads_waits_instead_of_filling_memory(tmp_path):
    (tmp_path / "work").mkdir()
    agent = DEMO.make(tmp_path)
    await agent.start(cwd=tmp_path / "work", env=DEMO.environment(tmp_path), resume=None, mode=None)
    before = psutil.Process().memory_info().rss
    await agent.send("/flood 2000000")
    await _until_it_stands_still(agent.process.pid)
    grown = psutil.Process().memory_info().rss - before
    await agent.close(grace_s=1)
    assert grown < 20 * 1024 * 1024


async def test_interrupts_at_random_moments_leave_every_turn_ended_once(tmp_path):
    chance = random.Random(4)
    async with driven(DEMO, tmp_path) as driver:
        for _ in range(60):
            first = len(driver.updates)
            await driver.send(chance.choice(["/slow 50", "/flood 20000", "/run sleep 9", "hello"]))
            await asyncio.sleep(chance.random() * 0.08)
            result = await driver.interrupt()
            assert result.code in (InterruptCode.ACKNOWLEDGED, InterruptCode.NOT_RUNNING)
            await driver.end_of_turn(first)
        assert len(driver.ends()) == 60
        assert (await driver.turn("/slow 2")).text == "word1 word2 "


async def _until_it_stands_still(pid: int) -> None:
    """Wait until a process has used no CPU for a while: its pipe is full."""
    agent = psutil.Process(pid).children()[0]
    async with asyncio.timeout(PATIENCE_S):
        used = -1.0
        while (now := sum(agent.cpu_times()[:2])) != used:
            used = now
            await asyncio.sleep(0.3)
