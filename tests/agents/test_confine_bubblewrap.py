"""Bubblewrap in the place of Landlock: the same paths, by another program."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sessions.agents.processes import bubblewrap, confine, environment, tree
from sessions.agents.processes.group import AgentProcess, ladder

Run = Callable[..., str]


@pytest.fixture
def held(settings, monkeypatch, tmp_path) -> confine.Confinement:
    """Return the confinement of an agent on a kernel without Landlock."""
    settings.DATA_DIR = tmp_path / "data"
    settings.CHAT = settings.CHAT | {"AGENT_CONFINE": "strict"}
    (tmp_path / "data/workspaces/own").mkdir(parents=True)
    (tmp_path / "data/secret_key").write_text("hush-hush")
    monkeypatch.setattr(confine.landlock, "version", lambda: 0)
    confine._possible.cache_clear()
    yield confine.Confinement(write=(str(tmp_path / "state"),))
    confine._possible.cache_clear()


@pytest.fixture
def run(held, tmp_path) -> Run:
    """Return a function that runs a shell command inside and returns what it prints."""

    def inside(command: str) -> str:
        cwd = tmp_path / "data/workspaces/own"
        launch = held.prepare(["sh", "-c", command], cwd=cwd, env=variables())
        done = subprocess.run(
            launch.command,
            env=launch.env,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout

    return inside


def variables() -> dict[str, str]:
    return environment.build(fixed={tree.SESSION: "own"})


def test_bubblewrap_stands_in_where_the_kernel_has_no_landlock(held):
    assert bubblewrap.works()
    assert confine.status().kind is confine.Kind.BUBBLEWRAP
    assert "but for the server's ports" in confine.status().sentence


def test_the_servers_files_are_not_there(run, tmp_path):
    said = run(f"cat {tmp_path}/data/secret_key; ls {tmp_path}/data; cat /etc/shadow")
    assert "hush-hush" not in said
    assert said.count("No such file") == 2
    assert "secret_key" not in said.replace("secret_key: No", "")


def test_its_own_folders_can_be_changed_and_the_system_not(run, tmp_path):
    said = run(f"echo a > file && echo b > {tmp_path}/state/file && echo c > /tmp/x && cat /tmp/x")
    assert said == "c\n"
    assert (tmp_path / "data/workspaces/own/file").read_text() == "a\n"
    assert (tmp_path / "state/file").read_text() == "b\n"
    assert "Read-only" in run("echo x > /usr/backstay") + run("touch /usr/backstay")
    assert not Path("/usr/backstay").exists()


def test_other_processes_are_not_there(run):
    said = run(f"kill -0 {os.getpid()}; cat /proc/{os.getpid()}/environ; ls /proc")
    assert "No such process" in said
    assert "No such file" in said
    assert str(os.getpid()) not in said.split("\n")


def test_it_does_its_work(run):
    said = run("git init -q . && python3 -c 'print(6 * 7)' && node -e 'console.log(7 * 6)'; pwd")
    assert said.split("\n")[:2] == ["42", "42"]


async def test_the_ladder_ends_all_of_it(held, tmp_path):
    deaf = "trap '' INT TERM; (trap '' INT TERM; exec setsid sleep 600) & while :; do sleep 1; done"
    process = await AgentProcess.spawn(
        ["sh", "-c", deaf],
        cwd=tmp_path / "data/workspaces/own",
        env=variables(),
        confinement=held,
    )
    assert not await process.is_gone(timeout_s=0.5)
    sent = [signum async for signum in ladder(process, step_s=1)]
    assert sent[0] == signal.SIGINT
    assert await process.remember() == set()
    await process.close(grace_s=0)
