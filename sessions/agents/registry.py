"""The agents that a person can choose: built in, found on the PATH, or named in a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sessions.agents import agents_file
from sessions.agents.definitions import PRESETS, Definition
from sessions.agents.port import Agent
from sessions.agents.processes import accounts, confine, tree
from sessions.agents.processes.confine import UNCONFINED, Confinement, Unconfined
from sessions.agents.processes.environment import build as build_environment
from sessions.agents.programs.stdio import SESSION_ID, STATE_DIR
from sessions.core.conf import chat, data_dir
from sessions.core.errors import UnknownAgent

_ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One agent as the picker shows it. why_not: a sentence, empty when it can start.

    is_confined: whether the kernel keeps it in its place.
    """

    name: str
    label: str
    description: str
    can_start: bool
    why_not: str
    is_confined: bool


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

    return AcpAgent(
        definition.command,
        label=definition.label,
        memory_mb=chat.AGENT_MEMORY_MB,
        confinement=_confinement(definition),
    )


def environment(
    name: str, *, session_id: str, account: str = "", resume: str = ""
) -> dict[str, str]:
    """Return the whole environment for `start` of an agent. Blocking.

    account: the name of the session's owner. resume: the agent's own id of the session. Raises
    UnknownAgent, NoSystemUser.
    """
    definition = _definition(name)
    fixed = {**definition.env, **accounts.variables(account), tree.SESSION: session_id}
    if definition.is_ours:
        fixed["PYTHONPATH"] = str(_ROOT)
        fixed[STATE_DIR] = str(_state(name, session_id, resume))
    return build_environment(definition.pass_env, fixed)


def _state(name: str, session_id: str, resume: str) -> Path:
    """Return the folder in which an agent of ours keeps a session's conversation.

    Each session has one: agents of one kind do not read one another's conversations.
    """
    folder = data_dir() / "agents" / name / session_id
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Earlier versions had all conversations of an agent in one folder.
    shared = folder.parent / f"{resume}.json"
    if SESSION_ID.fullmatch(resume) and shared.is_file():
        shared.replace(folder / shared.name)
    return folder


def _confinement(definition: Definition) -> Confinement | Unconfined:
    if not definition.confine:
        return UNCONFINED
    return Confinement(definition.read, definition.write, own=(f"${STATE_DIR}",))


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
        is_confined=definition.confine and confine.status().kind is not confine.Kind.OFF,
    )
