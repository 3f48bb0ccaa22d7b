"""An agent that runs out of memory: the transcript says so, and names the limit."""

from __future__ import annotations

import os
import signal

import pytest

from sessions.agents.processes import scope
from tests.agents.test_odd_tools import Play, playing, say

pytestmark = pytest.mark.django_db(transaction=True)


async def crash(play: Play) -> str:
    """Return the words of the transcript for a prompt whose agent has ended."""
    prompt = await play.end()
    assert prompt["stopReason"] == "agent_crashed"
    return prompt["error"]


async def test_an_agent_without_memory_is_told_with_the_limit(settings, tmp_path):
    async with playing(settings, tmp_path, "Hungers", AGENT_MEMORY_MB=512) as play:
        await play.begin()
        told = await crash(play)
    assert told.startswith(
        "odd ended unexpectedly (exit code 1). It ran out of memory:"
        " each of its processes may use 512 MB (CHAT_AGENT_MEMORY_MB).\n"
    )
    assert "MemoryError" in told


async def test_an_agent_that_its_group_kills_is_told_with_the_limit(
    settings, tmp_path, monkeypatch
):
    """The files of the kernel are a double: few machines that run tests delegate a group."""
    folder = tmp_path / "agent-1"
    folder.mkdir()
    for name in ("cgroup.procs", "cgroup.kill"):
        (folder / name).touch()
    (folder / "memory.events").write_text("oom 0\noom_kill 0\n")
    monkeypatch.setattr(scope, "make", lambda _name: scope.Scope(folder))
    async with playing(settings, tmp_path, "Hungers", AGENT_MEMORY_MB=2048) as play:
        await play.begin(say("wait"))
        await play.chat.answering(play.session_id)
        (folder / "memory.events").write_text("oom 1\noom_kill 1\n")
        os.kill(int((folder / "cgroup.procs").read_text()), signal.SIGKILL)
        assert await crash(play) == (
            "odd ended unexpectedly (signal 9)."
            " It ran out of the memory that it may use: 2,048 MB (CHAT_AGENT_MEMORY_MB)."
        )
