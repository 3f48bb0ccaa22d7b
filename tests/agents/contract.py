"""What every backend must do, as data: how to make one, how to ask it for each case."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from sessions.agents import port
from sessions.agents.content import ToolServer
from sessions.agents.port import Agent
from sessions.agents.processes import tree
from sessions.agents.processes.confine import Kind
from sessions.core import metrics

U = TypeVar("U")

# How long something may take that must come, on a slow machine too.
PATIENCE_S = 60.0
# How long an agent may take to obey; less than the half minute of a long answer.
INTERRUPT_S = 15.0


async def at_once() -> None:
    """Wait for nothing."""


def nothing(folder: Path) -> None:
    """Leave a folder as it is."""


@dataclass(frozen=True)
class Way:
    """The way to bring an agent to do something, in a session of its own.

    prompt: for its folder. options: settings to choose before. needs_servers: of the tests' tools.
    prepare: puts files into the folder.
    """

    prompt: Callable[[Path], str]
    mode: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    needs_servers: bool = False
    prepare: Callable[[Path], None] = nothing


@dataclass(frozen=True)
class Backend:
    """A backend under test. not_offered: what cases need → why this agent has no such thing."""

    name: str
    make: Callable[..., Agent]
    environment: Callable[[Path], Mapping[str, str]]
    command: Callable[[], Sequence[str]]
    short: str
    long: str
    run: str = ""
    think: str = ""
    huge: str = ""
    huge_words: int = 0
    # The whole answer to `short`, where an agent is predictable.
    short_answer: str | None = None
    not_offered: Mapping[str, str] = field(default_factory=dict)
    # What an agent is made to do, by the name of the need; of some that it does not offer, too.
    ways: Mapping[str, Way] = field(default_factory=dict)
    # The mode that asks, where it begins in another one.
    mode: str | None = None
    # Whether the end of an edit shows it, too; the answer to its question as it tells it.
    shows_done_diffs: bool = True
    question_answer: str = "red"
    # What has to pass between the end of a session's process and its resumption.
    before_resume: Callable[[], Awaitable[None]] = at_once

    @property
    def tool(self) -> str:
        """A prompt that makes the agent run a command, after a permission."""
        return self.run.format("echo out; echo $PWD > made")

    # How its turns may end; a small model does not always find an end.
    ends: frozenset[str] = frozenset({"end_turn"})
    # Only `make test-agents` runs it: slow, or of a package that is not always there.
    is_extra: bool = False


@dataclass
class Turn:
    """The updates of one turn."""

    updates: list[port.Update]

    @property
    def text(self) -> str:
        return "".join(u.text for u in self.updates if isinstance(u, port.TextDelta))

    @property
    def done(self) -> port.TurnDone:
        (done,) = (u for u in self.updates if isinstance(u, port.TurnDone))
        return done

    def of(self, kind: type[U]) -> list[U]:
        return [u for u in self.updates if isinstance(u, kind)]


class Driver:
    """An agent with a reader that takes every update as the runner does."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.started = port.Started(None)
        self.updates: list[port.Update] = []
        self.answer_with: str | None = "allow_once"
        self.sent = 0
        self.seen: set[tree.ProcessRef] = set()
        self._changed = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None

    async def start(self, cwd: Path, env: Mapping[str, str], **kwargs: str | None) -> None:
        options = {"resume": None, "mode": None} | kwargs
        self.started = await self.agent.start(cwd=cwd, env=env, **options)
        self._reader = asyncio.create_task(self._read())

    async def send(self, text: str) -> None:
        await self.agent.send(text)
        self.sent += 1

    async def turn(self, text: str) -> Turn:
        """Run a whole turn; permissions are answered by the kind in answer_with."""
        first = len(self.updates)
        await self.send(text)
        return await self.end_of_turn(first)

    async def begin(self, text: str, until: type = port.TextDelta) -> int:
        """Send and wait for the first update of a kind; return where the turn begins."""
        first = len(self.updates)
        await self.send(text)
        await self.until(lambda: any(isinstance(u, until) for u in self.updates[first:]))
        return first

    async def interrupt(self) -> port.InterruptResult:
        return await self.agent.interrupt(timeout_s=INTERRUPT_S)

    async def end_of_turn(self, first: int) -> Turn:
        """Wait for the end of the turn whose updates begin at first."""
        await self.until(lambda: any(isinstance(u, port.TurnDone) for u in self.updates[first:]))
        length = next(
            at for at, u in enumerate(self.updates[first:]) if isinstance(u, port.TurnDone)
        )
        return Turn(self.updates[first : first + length + 1])

    def ends(self) -> list[int]:
        """Return where turns have ended."""
        return [at for at, u in enumerate(self.updates) if isinstance(u, port.TurnDone)]

    async def until(self, holds: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(holds)

    async def remember(self) -> set[tree.ProcessRef]:
        """Note the agent's processes, for `left_over`."""
        if self.agent.process is not None:
            self.seen |= await self.agent.process.remember()
        return self.seen

    def left_over(self) -> list[tree.ProcessRef]:
        return [ref for ref in self.seen if tree.is_alive(ref)]

    async def end(self) -> None:
        """Close the agent and check what holds for every backend, whatever happened."""
        await self.remember()
        async with asyncio.timeout(PATIENCE_S):
            await self.agent.close(grace_s=2)
            if self._reader is not None:
                await self._reader
        assert self.left_over() == []
        kinds = [type(u) for u in self.updates]
        ends = [u for u in self.updates if isinstance(u, port.TurnDone)]
        assert sum(not end.is_own for end in ends) == self.sent
        assert sum(end.is_own for end in ends) == kinds.count(port.TurnBegan)
        assert kinds.count(port.AgentExited) <= 1
        assert port.AgentExited not in kinds[:-1]

    async def _read(self) -> None:
        async for update in self.agent.events():
            if isinstance(update, port.PermissionAsked) and self.answer_with is not None:
                option = next(o.id for o in update.options if o.kind == self.answer_with)
                await self.agent.answer(update.perm_id, option)
            if isinstance(update, port.QuestionAsked):
                await self.agent.reply(update.question_id, "accept", first_choices(update.schema))
            async with self._changed:
                self.updates.append(update)
                self._changed.notify_all()


def first_choices(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first choice of each field that has choices."""
    fields = schema["properties"].items()
    titled = {name: field["oneOf"][0]["const"] for name, field in fields if field.get("oneOf")}
    return titled | {name: field["enum"][0] for name, field in fields if field.get("enum")}


@asynccontextmanager
async def driven(
    backend: Backend, folder: Path, servers: Sequence[ToolServer] = (), **kwargs: str | None
) -> AsyncIterator[Driver]:
    """Give a started agent in folder/work, confined; afterwards it is closed and checked."""
    unconfined = _unconfined()
    (folder / "work").mkdir(exist_ok=True)
    driver = Driver(backend.make(folder, servers))
    options = {"mode": backend.mode} | kwargs
    await driver.start(folder / "work", backend.environment(folder), **options)
    try:
        assert _unconfined() <= unconfined, "the agent runs unconfined"
        yield driver
    finally:
        await driver.end()


def _unconfined() -> float:
    """Return how many agents of this process run unconfined."""
    return float(metrics.AGENTS_RUNNING.labels(confinement=Kind.OFF)._value.get())


def is_running(pid: int) -> bool:
    """Return whether a process still runs; a zombie does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def until(holds: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
    """Poll until holds() is true, for what sends no word of itself."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def order(folder: Path, word: str) -> None:
    """Make the shim misbehave at the agent's next line."""
    new = folder / "shim" / "orders.new"
    new.write_text(word)
    new.rename(new.with_name("orders"))
