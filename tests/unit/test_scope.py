"""Control groups: found where the system has delegated one, and left alone elsewhere.

Their counters, and an agent's last words, tell the end of an agent for lack of memory.

The files of the kernel are a double here, except in the last test: few machines that run tests
delegate a group.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from sessions.agents.processes import memory, scope
from sessions.agents.processes.memory import MemoryWatch

FILES = (
    *("cgroup.procs", "cgroup.subtree_control", "cgroup.kill"),
    *("pids.max", "memory.max", "memory.events"),
)


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A system in a folder whose group of ours is /service."""
    mount = tmp_path / "cgroup"
    group = mount / "service"
    group.mkdir(parents=True)
    (mount / "cgroup.controllers").write_text("cpu memory pids")
    own = tmp_path / "own"
    own.write_text("0::/service\n")
    make = Path.mkdir

    def mkdir(path, *args, **kwargs):
        # The kernel fills a new group with its files.
        make(path, *args, **kwargs)
        for name in FILES:
            (path / name).touch()

    monkeypatch.setattr(Path, "mkdir", mkdir)
    for name in FILES:
        (group / name).touch()
    (group / "cgroup.controllers").write_text("memory pids")
    (group / "cgroup.procs").write_text("11\n12\n")
    monkeypatch.setattr(scope, "MOUNT", mount)
    monkeypatch.setattr(scope, "OWN", own)
    scope.delegated.cache_clear()
    yield group
    scope.delegated.cache_clear()


def test_a_scope_has_the_limits_of_the_settings(system, settings):
    settings.CHAT = {"AGENT_PROCESSES": 100, "AGENT_MEMORY_MB": 512}
    made = scope.make("s1")
    assert made is not None
    assert made.folder == system / "agent-s1"
    assert (made.folder / "pids.max").read_text() == "100"
    assert (made.folder / "memory.max").read_text() == str(512 * 1024 * 1024)
    made.add(4711)
    assert (made.folder / "cgroup.procs").read_text() == "4711"
    made.end()
    assert (made.folder / "cgroup.kill").read_text() == "1"


def test_the_server_moves_into_a_leaf_before_its_group_has_children(system):
    assert scope.delegated() == system
    assert (system / "server/cgroup.procs").read_text() in {"11", "12"}  # the last write
    assert (system / "cgroup.subtree_control").read_text() == "+memory +pids"


def test_without_a_limit_a_scope_only_ends_together(system, settings):
    settings.CHAT = {"AGENT_PROCESSES": 0, "AGENT_MEMORY_MB": 0}
    made = scope.make("s1")
    assert [(made.folder / name).read_text() for name in ("pids.max", "memory.max")] == ["max"] * 2


def test_a_group_without_the_controllers_is_left_alone(system):
    (system / "cgroup.controllers").write_text("cpu")
    assert scope.make("s1") is None
    assert not (system / "server").exists()


def test_version_one_is_left_alone(system, tmp_path):
    (tmp_path / "cgroup/cgroup.controllers").unlink()
    assert scope.make("s1") is None
    (tmp_path / "own").write_text("4:memory:/service\n1:name=systemd:/x\n")
    (tmp_path / "cgroup/cgroup.controllers").write_text("memory pids")
    scope.delegated.cache_clear()
    assert scope.make("s1") is None


def test_a_group_that_cannot_be_changed_costs_no_agent(system, settings):
    (system / "cgroup.subtree_control").rename(system / "gone")
    assert scope.make("s1") is None


def test_this_machine_is_asked_without_harm():
    scope.delegated.cache_clear()
    is_unified = Path("/sys/fs/cgroup/cgroup.controllers").is_file()
    group = scope.own_group()
    assert (group is not None) is is_unified or not Path("/proc/self/cgroup").exists()


def events(folder: Path, **counters: int) -> None:
    lines = [f"{name} {count}\n" for name, count in ({"low": 0, "max": 7} | counters).items()]
    (folder / "memory.events").write_text("".join(lines))


@pytest.fixture
def machine(tmp_path, monkeypatch):
    file = tmp_path / "vmstat"
    file.write_text("nr_free_pages 1\noom_kill 3\n")
    monkeypatch.setattr(memory, "MACHINE", file)
    return file


@pytest.mark.parametrize("code", [-signal.SIGKILL, 1])
def test_an_agent_that_its_scope_kills_ran_out_of_its_memory(system, machine, settings, code):
    """A process that the agent started can be the one that is killed: the agent ends by itself."""
    settings.CHAT = {"AGENT_MEMORY_MB": 2048}
    own = scope.make("s1")
    events(own.folder, oom=4, oom_kill=2)  # of the agent before
    watch = MemoryWatch(own, memory_mb=2048)
    assert watch.reason(code, "") == ""
    events(own.folder, oom=5, oom_kill=3)
    said = "It ran out of the memory that it may use: 2,048 MB (CHAT_AGENT_MEMORY_MB)."
    assert watch.reason(code, "") == said


def test_the_groups_around_are_named_where_theirs_is_the_limit(system, machine, settings):
    settings.CHAT = {"AGENT_MEMORY_MB": 2048}
    (system / "memory.max").write_text(f"{512 * 1024 * 1024}\n")
    own = scope.make("s1")
    for folder in (system, own.folder):
        events(folder, oom=0, oom_kill=0)
    watch = MemoryWatch(own, memory_mb=2048)
    events(own.folder, oom=0, oom_kill=1)
    events(system, oom=1, oom_kill=1)
    assert watch.reason(-signal.SIGKILL, "") == (
        "The server and its agents ran out of the memory that they may use:"
        " 512 MB (memory.max of the control group)."
    )
    assert watch.reason(1, "") == ""  # an end of its own


def test_a_limit_of_a_group_below_is_not_that_of_the_group(system, machine, settings):
    (system / "memory.max").write_text(f"{512 * 1024 * 1024}\n")
    events(system, oom=0, oom_kill=0)
    (system / "memory.events.local").write_text("oom 0\noom_kill 0\n")
    watch = MemoryWatch(None, memory_mb=0)
    events(system, oom=1, oom_kill=1)  # another agent, at its own limit
    assert watch.reason(-signal.SIGKILL, "") == ""


def test_without_groups_the_counter_of_the_machine_tells(system, machine):
    (system.parent / "cgroup.controllers").unlink()
    watch = MemoryWatch(None, memory_mb=100)
    assert watch.reason(-signal.SIGKILL, "") == ""
    machine.write_text("oom_kill 4\n")
    ended = "The system ended it, because the machine ran out of memory."
    assert [watch.reason(code, "") for code in (-9, 137, -15, 0, 1, None)] == [
        *(ended, ended),
        *("", "", "", ""),
    ]


@pytest.mark.parametrize(
    "words",
    [
        "Traceback (most recent call last):\n  x = y\nMemoryError",
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "memory allocation of 1073741824 bytes failed",
        "fatal error: runtime: out of memory",
        "java.lang.OutOfMemoryError: Java heap space",
        "mmap: Cannot allocate memory",
        "Error: spawn ENOMEM",
    ],
)
def test_the_last_words_tell_a_limit_of_each_process(system, machine, words):
    limited = "It ran out of memory: each of its processes may use 100 MB (CHAT_AGENT_MEMORY_MB)."
    assert MemoryWatch(None, memory_mb=100).reason(1, words) == limited
    assert MemoryWatch(None, memory_mb=0).reason(-6, words) == "It ran out of memory."
    assert MemoryWatch(None, memory_mb=100).reason(0, words) == ""


def test_other_last_words_tell_no_lack_of_memory(system, machine):
    watch = MemoryWatch(None, memory_mb=100)
    for words in ("", "no memory of this session", "ran out of credit", "SyntaxError: x"):
        assert watch.reason(1, words) == ""
