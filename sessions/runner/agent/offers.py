"""The facts that an agent tells of itself → drafts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sessions.agents.content import AgentCommand, ConfigOption, ToolServer
from sessions.agents.port import (
    AgentNotice,
    CommandsOffered,
    ContextFill,
    OptionsOffered,
    Started,
    TitleChanged,
    Update,
)
from sessions.eventlog import drafts, shapes
from sessions.eventlog.events import Draft

# The kind of the notice about MCP servers.
MCP: Final = "mcp_servers"


def draft_of(update: Update) -> Draft | None:
    """Return the draft of a fact; None for an update of a turn."""
    match update:
        case TitleChanged(title=title):
            return drafts.title_changed(title=title)
        case ContextFill(used=used, size=size):
            return drafts.context(used=used, size=size)
        case AgentNotice(kind=kind, text=text):
            return drafts.notice(kind=kind, text=text)
        case OptionsOffered(options=options):
            return offered(options)
        case CommandsOffered(commands=commands):
            return _commands(commands)
    return None


def of_start(started: Started) -> list[Draft]:
    """Return the drafts of the settings and commands that an agent has from its start."""
    found = [offered(started.options)] if started.options else []
    return found + ([_commands(started.commands)] if started.commands else [])


def tools(servers: Sequence[ToolServer], started: Started) -> list[Draft]:
    """Return the notice about the MCP servers of a chat, [] without any."""
    if not servers:
        return []
    left = [server.name for server in servers if server.name not in started.servers]
    given = f"MCP servers of this chat: {', '.join(started.servers)}." if started.servers else ""
    rest = f"Not taken by this agent: {', '.join(left)}." if left else ""
    return [drafts.notice(kind=MCP, text=" ".join(filter(None, (given, rest))))]


def _commands(commands: tuple[AgentCommand, ...]) -> Draft:
    told: list[shapes.AgentCommand] = [
        {"name": one.name, "description": one.description, "hint": one.hint} for one in commands
    ]
    return drafts.commands_offered(commands=told)


def offered(options: tuple[ConfigOption, ...]) -> Draft:
    """Return the draft of an agent's settings."""
    return drafts.options_offered(options=shapes_of(options))


def shapes_of(options: tuple[ConfigOption, ...]) -> list[shapes.ConfigOption]:
    """Return an agent's settings as JSON."""
    return [_option(option) for option in options]


def _option(option: ConfigOption) -> shapes.ConfigOption:
    choices: list[shapes.Choice] = []
    for one in option.choices:
        choice: shapes.Choice = {"id": one.id, "label": one.label}
        if one.group:
            choice["group"] = one.group
        choices.append(choice)
    return {
        "id": option.id,
        "category": option.category,
        "label": option.label,
        "kind": option.kind,
        "value": option.value,
        "choices": choices,
    }
