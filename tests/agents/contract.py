"""What every backend must do, as data: how to make one, how to ask it for each case."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from sessions.agents import allowlist, base, tree
from sessions.agents.acp import AcpAgent
from sessions.agents.base import Agent
from sessions.agents.definitions import PRESETS, Definition, for_endpoint
from sessions.agents.local_agent import MAX_TOKENS
from sessions.agents.openai_agent import Endpoint
from sessions.agents.stdio_agent import STATE_DIR
from tests.agents import endpoint, model_server

U = TypeVar("U")

ROOT = Path(__file__).resolve().parents[2]
NPM = Path(__file__).with_name("npm")
SHIM = Path(__file__).with_name("shim.py")
PATIENCE_S = 30.0


class Services:
    """Servers that backends talk to, one of each per test process, started on first use."""

    def __init__(self) -> None:
        self.stack = ExitStack()
        self._urls: dict[str, str] = {}

    def url(self, name: str, serving: Callable[[], AbstractContextManager[str]]) -> str:
        if name not in self._urls:
            self._urls[name] = self.stack.enter_context(serving())
        return self._urls[name]

    def scripted(self) -> str:
        return self.url("scripted", endpoint.serving)

    def model(self) -> str:
        return self.url("model", model_server.serving)


SERVICES = Services()


@dataclass(frozen=True)
class Backend:
    """A backend under test. not_offered: case → why this agent has no such thing."""

    name: str
    make: Callable[[Path], Agent]
    environment: Callable[[Path], Mapping[str, str]]
    short: str
    long: str
    run: str = ""
    think: str = ""
    huge: str = ""
    huge_words: int = 0
    # The whole answer to `short`, where an agent is predictable.
    short_answer: str | None = None
    not_offered: Mapping[str, str] = field(default_factory=dict)

    @property
    def tool(self) -> str:
        """A prompt that makes the agent run a command, after a permission."""
        return self.run.format("echo out; echo $PWD > made")

    # How its turns may end; a small model does not always find an end.
    ends: frozenset[str] = frozenset({"end_turn"})
    # Fault cases stand in the pipes by shim.py.
    has_pipes: bool = True
    # Only `make test-agents` runs it: slow, or of a package that is not always there.
    is_extra: bool = False


@dataclass
class Turn:
    """The updates of one turn."""

    updates: list[base.Update]

    @property
    def text(self) -> str:
        return "".join(u.text for u in self.updates if isinstance(u, base.TextDelta))

    @property
    def done(self) -> base.TurnDone:
        (done,) = (u for u in self.updates if isinstance(u, base.TurnDone))
        return done

    def of(self, kind: type[U]) -> list[U]:
        return [u for u in self.updates if isinstance(u, kind)]


class Driver:
    """An agent with a reader that takes every update as the runner does."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.started = base.Started(None)
        self.updates: list[base.Update] = []
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

    async def begin(self, text: str, until: type = base.TextDelta) -> int:
        """Send and wait for the first update of a kind; return where the turn begins."""
        first = len(self.updates)
        await self.send(text)
        await self.until(lambda: any(isinstance(u, until) for u in self.updates[first:]))
        return first

    async def end_of_turn(self, first: int) -> Turn:
        """Wait for the end of the turn whose updates begin at first."""
        await self.until(lambda: any(isinstance(u, base.TurnDone) for u in self.updates[first:]))
        length = next(
            at for at, u in enumerate(self.updates[first:]) if isinstance(u, base.TurnDone)
        )
        return Turn(self.updates[first : first + length + 1])

    def ends(self) -> list[int]:
        """Return where turns have ended."""
        return [at for at, u in enumerate(self.updates) if isinstance(u, base.TurnDone)]

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
        began = time.monotonic()
        await self.agent.close(grace_s=2)
        assert time.monotonic() - began < 15
        if self._reader is not None:
            async with asyncio.timeout(5):
                await self._reader
        assert self.left_over() == []
        kinds = [type(u) for u in self.updates]
        assert kinds.count(base.TurnDone) == self.sent
        assert kinds.count(base.AgentExited) <= 1
        assert base.AgentExited not in kinds[:-1]

    async def _read(self) -> None:
        async for update in self.agent.events():
            if isinstance(update, base.PermissionAsked) and self.answer_with is not None:
                option = next(o.id for o in update.options if o.kind == self.answer_with)
                await self.agent.answer(update.perm_id, option)
            async with self._changed:
                self.updates.append(update)
                self._changed.notify_all()


@asynccontextmanager
async def driven(backend: Backend, folder: Path, **kwargs: str | None) -> AsyncIterator[Driver]:
    """Give a started agent in folder/work; afterwards it is closed and checked."""
    (folder / "work").mkdir(exist_ok=True)
    driver = Driver(backend.make(folder))
    await driver.start(folder / "work", backend.environment(folder), **kwargs)
    try:
        yield driver
    finally:
        await driver.end()


async def until(holds: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Poll until holds() is true, for what sends no word of itself."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def order(folder: Path, word: str) -> None:
    """Make the shim misbehave at the agent's next line."""
    new = folder / "orders.new"
    new.write_text(word)
    new.rename(folder / "orders")


def shimmed(folder: Path, command: Sequence[str]) -> tuple[str, ...]:
    return (sys.executable, str(SHIM), str(folder / "orders"), *command)


def without_shim(backend: Backend, command: Sequence[str]) -> Backend:
    """Return the backend with the agent itself as the server's child."""
    return replace(backend, make=lambda _folder: AcpAgent(command, label=backend.name))


def own(definition: Definition, env: Callable[[], Mapping[str, str]] = dict) -> dict[str, Callable]:
    """Return how an agent of this project is made."""

    def environment(folder: Path) -> dict[str, str]:
        (folder / "state").mkdir(exist_ok=True)
        fixed = {"PYTHONPATH": str(ROOT), STATE_DIR: str(folder / "state")}
        return allowlist.build(fixed=fixed | dict(env()))

    return {
        "make": lambda folder: AcpAgent(
            shimmed(folder, definition.command), label=definition.label
        ),
        "environment": environment,
    }


_OURS = {preset.name: preset for preset in PRESETS if preset.is_ours}

DEMO = Backend(
    name="demo",
    **own(_OURS["demo"]),
    short="/slow 3",
    short_answer="word1 word2 word3 ",
    long="/slow 300",
    run="/run {}",
    think="What do you think?",
    huge="/flood 100000",
    huge_words=100_000,
)
PLAIN_DEMO = without_shim(DEMO, _OURS["demo"].command)
LOCAL = Backend(
    name="local",
    **own(_OURS["local"], lambda: {MAX_TOKENS: "80"}),
    ends=frozenset({"end_turn", "max_tokens"}),
    short="Say hi.",
    long="Tell me a very long story about a ship, its crew and a storm.",
    not_offered={
        "thinking": "the model has no reasoning",
        "tools": "the model calls no tools, so it asks no permission",
        "modes": "there is nothing to allow or forbid",
        "huge output": "its context ends an answer after a few hundred tokens",
    },
)
NO_TOOLS = {
    "tools": "it is a model without tools, so it asks no permission",
    "modes": "there is nothing to allow or forbid",
}


def _endpoint(url: Callable[[], str], **options: float) -> dict[str, Callable]:
    def env() -> Mapping[str, str]:
        return for_endpoint("x", Endpoint(f"{url()}/v1", "scripted", **options)).env

    return own(for_endpoint("endpoint", Endpoint("http://127.0.0.1:9/v1", "scripted")), env)


ENDPOINT = Backend(
    name="openai",
    **_endpoint(SERVICES.scripted, stall_s=1.5),
    short="SCRIPT: say 3",
    short_answer="word1 word2 word3 ",
    long="SCRIPT: slow 300",
    think="SCRIPT: think 5",
    huge="SCRIPT: long 3",
    huge_words=3000,
    not_offered=NO_TOOLS,
)
ENDPOINT_LOCAL = Backend(
    name="openai-local",
    is_extra=True,
    **_endpoint(SERVICES.model, max_tokens=150),
    ends=frozenset({"end_turn", "max_tokens"}),
    short="Say hi.",
    long="Tell me a very long story about a ship, its crew and a storm.",
    not_offered=NO_TOOLS
    | {
        "thinking": "the model has no reasoning",
        "huge output": "its context ends an answer long before",
    },
)


def _codex_binary() -> str:
    """Return the native program: the npm package's own script hides it from a stop."""
    found = sorted(NPM.glob("node_modules/@zed-industries/codex-acp-*/bin/codex-acp"))
    assert found, "codex-acp is not there: `make test-agents` installs it"
    return str(found[0])


def _codex_environment(folder: Path) -> dict[str, str]:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    config = CODEX_CONFIG.format(base_url=f"{SERVICES.scripted()}/v1")
    (home / "config.toml").write_text(config)
    own = {"HOME": str(home), "CODEX_HOME": str(home), "SCRIPTED_KEY": "dummy"}
    return allowlist.build(fixed=own)


CODEX_CONFIG = """
model = "gpt-5.3-codex"
model_provider = "scripted"
approval_policy = "on-request"
sandbox_mode = "workspace-write"
[model_providers.scripted]
name = "scripted"
base_url = "{base_url}"
wire_api = "responses"
env_key = "SCRIPTED_KEY"
request_max_retries = 0
stream_max_retries = 0
"""
SCRIPTED = {
    "short": "SCRIPT: say 3",
    "short_answer": "word1 word2 word3 ",
    "long": "SCRIPT: slow 300",
    "think": "SCRIPT: think 5",
    "run": "SCRIPT: run {}",
    "huge": "SCRIPT: long 3",
    "huge_words": 3000,
}
CODEX = Backend(
    name="codex-acp",
    make=lambda folder: AcpAgent(shimmed(folder, [_codex_binary()]), label="Codex"),
    environment=_codex_environment,
    **SCRIPTED,
    is_extra=True,
)


def _claude_environment(folder: Path) -> dict[str, str]:
    (folder / "home").mkdir(exist_ok=True)
    return {
        "HOME": str(folder / "home"),
        "CLAUDE_CONFIG_DIR": str(folder / "home"),
        "ANTHROPIC_BASE_URL": SERVICES.scripted(),
        "ANTHROPIC_API_KEY": "dummy",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }


CLAUDE = Backend(
    name="claude-sdk",
    make=lambda folder: AcpAgent(
        shimmed(folder, _OURS["claude-sdk"].command), label="Claude (Agent SDK)"
    ),
    environment=lambda folder: (
        own(_OURS["claude-sdk"])["environment"](folder) | _claude_environment(folder)
    ),
    **SCRIPTED,
    is_extra=True,
)
BACKENDS = [DEMO, LOCAL, ENDPOINT, ENDPOINT_LOCAL, CODEX, CLAUDE]
