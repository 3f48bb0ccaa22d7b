"""The agents that a person can choose: built in, found on the PATH, or named in a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sessions.agents import agents_file
from sessions.agents.definitions import PRESETS, Definition
from sessions.agents.port import Agent
from sessions.agents.processes import tree
from sessions.agents.processes.environment import build as build_environment
from sessions.agents.programs.stdio import STATE_DIR
from sessions.core.conf import chat, data_dir
from sessions.core.errors import UnknownAgent

_ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One agent as the picker shows it. why_not: a sentence, empty when it can start."""

    name: str
    label: str
    description: str
    can_start: bool
    why_not: str


def available() -> list[AgentSpec]:
    """Return every known agent, those that can start first. Raises InvalidSetting."""
    specs = [_spec(definition) for definition in _definitions().values()]
    return sorted(specs, key=lambda spec: not spec.can_start)


def default() -> str:
    """Return the agent of a session that names none: the first that can start."""
    return available()[0].name


def check(name: str) -> str:
    """Return name when there is such an agent. Raises UnknownAgent."""
    return _definition(name).name


def create(name: str) -> Agent:
    """Return a new agent, not started. Raises UnknownAgent."""
    definition = _definition(name)
    # The ACP library takes a second to import: only a process that runs agents pays for it.
    from sessions.agents.acp.agent import AcpAgent  # noqa: PLC0415

    return AcpAgent(definition.command, label=definition.label, memory_mb=chat.AGENT_MEMORY_MB)


def environment(name: str, *, session_id: str) -> dict[str, str]:
    """Return the whole environment for `start` of an agent. Raises UnknownAgent."""
    definition = _definition(name)
    fixed = {**definition.env, tree.SESSION: session_id}
    if definition.is_ours:
        fixed["PYTHONPATH"] = str(_ROOT)
        fixed[STATE_DIR] = str(data_dir() / "agents" / name)
    return build_environment(definition.pass_env, fixed)


def _definitions() -> dict[str, Definition]:
    if chat.AGENTS_FILE:
        return agents_file.read(Path(chat.AGENTS_FILE).expanduser(), PRESETS)
    return {preset.name: preset for preset in PRESETS}


def _definition(name: str) -> Definition:
    try:
        return _definitions()[name]
    except KeyError:
        raise UnknownAgent(f"There is no agent {name!r}.", agent=name) from None


def _spec(definition: Definition) -> AgentSpec:
    why_not = definition.why_not()
    return AgentSpec(
        name=definition.name,
        label=definition.label,
        description=definition.description,
        can_start=not why_not,
        why_not=why_not,
    )
