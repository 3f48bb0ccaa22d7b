"""The agents that a person can choose: built in, found on the PATH, named in a file, or added."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sessions.agents import added, agents_file
from sessions.agents.content import ToolServer
from sessions.agents.definitions import NO_WORDS, PRESETS, Definition, Words
from sessions.agents.port import Agent
from sessions.agents.processes import accounts, confine, tree
from sessions.agents.processes.confine import UNCONFINED, Confinement, Unconfined
from sessions.agents.processes.environment import build as build_environment
from sessions.agents.processes.environment import without_git_helpers
from sessions.agents.programs.stdio import SESSION_ID, STATE_DIR
from sessions.core.conf import chat, data_dir
from sessions.core.errors import UnknownAgent

if TYPE_CHECKING:
    from sessions.agents.acp.chats.reader import ChatReader

_ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, slots=True)
class Shared:
    """Paths outside of a session's folder that an agent may use, such as a repository's objects."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()


ALONE: Final = Shared()


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
    return find(name).name


def asking_mode(name: str) -> str:
    """Return the mode of an agent that asks a person, "" where it is the agent's own or unknown."""
    definition = _definitions().get(name)
    return definition.asks if definition is not None else ""


def takes_messages(name: str) -> bool:
    """Return whether an agent takes a person's sentence with a denial; False for an unknown one."""
    definition = _definitions().get(name)
    return definition is not None and definition.takes_messages


def has_log_in(name: str) -> bool:
    """Return whether an agent may have ways to log in. Raises UnknownAgent."""
    definition = find(name)
    return bool(definition.log_in) or not definition.is_ours


def create(
    name: str,
    *,
    cwd: Path,
    trust: bool = False,
    shared: Shared = ALONE,
    servers: Sequence[ToolServer] = (),
) -> Agent:
    """Return a new agent, not started. Raises UnknownAgent.

    cwd: the session's folder. trust: its hooks, plugins and MCP servers may run unasked. shared:
    paths outside of its folder that its work needs. servers: of tools, for an agent that takes
    them.
    """
    definition = find(name)
    words = definition.words(trust=trust)
    # The ACP library takes a second to import: only a process that runs agents pays for it.
    from sessions.agents.acp.agent import AcpAgent  # noqa: PLC0415

    return AcpAgent(
        (*definition.command, *words.arguments_in(cwd)),
        label=definition.label,
        meta=words.meta,
        memory_mb=chat.AGENT_MEMORY_MB,
        confinement=_confinement(definition, words, shared),
        servers=servers if definition.takes_servers else (),
    )


def reader(name: str, *, cwd: Path) -> ChatReader:
    """Return a way to ask an agent for its chats of a folder. Raises UnknownAgent."""
    definition = find(name)
    words = definition.words(trust=False)
    # As of `create`: the library is imported late.
    from sessions.agents.acp.chats.reader import ChatReader  # noqa: PLC0415

    return ChatReader(
        (*definition.command, *words.arguments_in(cwd)),
        definition.label,
        chat.AGENT_MEMORY_MB,
        _confinement(definition, words, ALONE),
        words.meta,
    )


def forget(name: str, session_id: str) -> None:
    """Remove the folder that an agent had for a session that never was one."""
    shutil.rmtree(state_folder(name, session_id), ignore_errors=True)


def state_folder(name: str, session_id: str) -> Path:
    """Return the folder that an agent has for a session, made where it needs one."""
    return data_dir() / "agents" / name / session_id


def confinement_of_script(name: str, *, shared: Shared) -> Confinement | Unconfined:
    """Return the confinement of a script beside an agent: that of the agent."""
    definition = find(name)
    made = _confinement(definition, NO_WORDS, shared)
    if isinstance(made, Confinement):
        made.part = "-set-up"
    return made


def environment(
    name: str,
    *,
    session_id: str,
    cwd: Path,
    account: str = "",
    resume: str = "",
    trust: bool = False,
) -> dict[str, str]:
    """Return the whole environment for `start` of an agent. Blocking.

    cwd: the session's folder. account: the name of the session's owner. resume: the agent's own id
    of the session. trust: as of `create`. Raises UnknownAgent, NoSystemUser.
    """
    definition = find(name)
    words = definition.words(trust=trust)
    fixed = {**words.env, **definition.env, **accounts.variables(account)}
    fixed |= {tree.SESSION: session_id, **without_git_helpers(trust=trust)}
    if words.files:
        fixed |= words.write_files(_folder(name, session_id), cwd)
    if definition.is_ours:
        fixed["PYTHONPATH"] = str(_ROOT)
        fixed[STATE_DIR] = str(_state(name, session_id, resume))
    return build_environment(definition.pass_env, fixed)


def _state(name: str, session_id: str, resume: str) -> Path:
    """Return the folder in which an agent of ours keeps a session's conversation.

    Each session has one: agents of one kind do not read one another's conversations.
    """
    folder = _folder(name, session_id)
    # Earlier versions had all conversations of an agent in one folder.
    shared = folder.parent / f"{resume}.json"
    if SESSION_ID.fullmatch(resume) and shared.is_file():
        shared.replace(folder / shared.name)
    return folder


def _folder(name: str, session_id: str) -> Path:
    folder = state_folder(name, session_id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _confinement(definition: Definition, words: Words, shared: Shared) -> Confinement | Unconfined:
    if not definition.confine:
        return UNCONFINED
    own = (f"${STATE_DIR}", *(f"${variable}" for variable in words.files))
    read, write = (*definition.read, *shared.read), (*definition.write, *shared.write)
    return Confinement(
        read, write, own=own, hidden=words.hidden, open_to_others=(*shared.read, *shared.write)
    )


def _definitions() -> dict[str, Definition]:
    return {**added.read(), **configured()}


def configured() -> dict[str, Definition]:
    """Return the presets and the agents of the agents' file. Raises InvalidSetting."""
    if chat.AGENTS_FILE:
        return agents_file.read(Path(chat.AGENTS_FILE).expanduser(), PRESETS)
    return {preset.name: preset for preset in PRESETS}


def find(name: str) -> Definition:
    """Return the definition of an agent. Raises UnknownAgent."""
    try:
        return _definitions()[name]
    except KeyError:
        raise UnknownAgent(f"There is no agent {name!r}.", agent=name) from None


def _spec(definition: Definition) -> AgentSpec:
    why_not = definition.why_not()
    held = confine.status() if definition.confine else confine.UNHELD
    warning = definition.warning(can_hide=held.view)
    return AgentSpec(
        name=definition.name,
        label=definition.label,
        description=" ".join(filter(None, (definition.description, warning))),
        can_start=not why_not,
        why_not=why_not,
        is_confined=held.kind is not confine.Kind.OFF,
    )
