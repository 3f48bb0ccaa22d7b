"""The TOML file in which a person names agents of their own (setting CHAT_AGENTS_FILE).

    [agents.reviewer]
    label = "Reviewer"
    description = "Our own agent"
    command = ["reviewer", "--acp"]
    pass_env = ["REVIEWER_TOKEN"]      # variables of the server that it may see
    env = { REVIEWER_MODE = "strict" } # variables set for it
    read = ["~/.reviewer.toml"]        # paths that it may read when it is confined,
    write = ["~/.local/share/reviewer"] # and such that it may change
    terminal = ["reviewer", "--resume", "{id}"] # continues a chat in a terminal
    log_in = ["reviewer", "login"]     # logs it in, in a terminal
    log_in_files = ["~/.reviewer/token"] # one is there once it is logged in

    [agents.codex]                     # a preset's fields can be replaced one by one
    command = ["/opt/codex/bin/codex-acp"]

    [agents.qwen]
    enabled = false                    # out of the picker

    [agents.ollama.endpoint]           # a model behind an OpenAI-compatible endpoint
    base_url = "http://127.0.0.1:11434/v1"
    model = "qwen3:8b"
    api_key_env = "OLLAMA_KEY"         # optional: the variable that holds the key

See docs/guide/your-own-agent.md.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sessions.agents import definitions
from sessions.agents.definitions import Definition
from sessions.agents.programs.openai import Endpoint
from sessions.core.errors import InvalidSetting

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class _Endpoint(BaseModel):
    """The table of an OpenAI-compatible endpoint; see programs.openai.Endpoint."""

    model_config = ConfigDict(extra="forbid")

    base_url: str = Field(pattern=r"^https?://")
    model: str = Field(min_length=1)
    api_key_env: str = ""
    system: str = "You are a helpful assistant."
    context_tokens: int = Field(8192, ge=256)
    max_tokens: int = Field(0, ge=0)
    stall_s: float = Field(120.0, gt=0)


class _Entry(BaseModel):
    """One table of the file; a field that is left out keeps the preset's value."""

    model_config = ConfigDict(extra="forbid")

    label: str | None = Field(None, min_length=1, max_length=80)
    description: str | None = Field(None, max_length=300)
    command: tuple[str, ...] | None = Field(None, min_length=1)
    pass_env: tuple[str, ...] | None = None
    env: dict[str, str] | None = None
    read: tuple[str, ...] | None = None
    write: tuple[str, ...] | None = None
    confine: bool | None = None
    terminal: tuple[str, ...] | None = None
    log_in: tuple[str, ...] | None = Field(None, min_length=1)
    log_in_files: tuple[str, ...] | None = None
    asks: str | None = Field(None, max_length=64)
    endpoint: _Endpoint | None = None
    enabled: bool = True


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    agents: dict[str, _Entry] = Field(default_factory=dict)


def read(path: Path, presets: Iterable[Definition]) -> dict[str, Definition]:
    """Return the presets as the file changes them, and its own agents. Raises InvalidSetting."""
    definitions = {preset.name: preset for preset in presets}
    for name, entry in _parse(path).agents.items():
        if not NAME.fullmatch(name):
            raise InvalidSetting(f"{path}: {name!r} is no name for an agent (a-z, 0-9, -, _).")
        definition = _merged(path, name, entry, definitions.pop(name, None))
        if entry.enabled:
            definitions[name] = definition
    return definitions


def _parse(path: Path) -> _File:
    try:
        raw: Mapping[str, Any] = tomllib.loads(path.read_text("utf-8"))
        return _File.model_validate(raw)
    except (OSError, ValueError, ValidationError) as exc:
        raise InvalidSetting(f"CHAT_AGENTS_FILE {path}: {_reason(exc)}") from exc


def _reason(exc: Exception) -> str:
    if isinstance(exc, ValidationError):
        first = exc.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(exc)


def _merged(path: Path, name: str, entry: _Entry, preset: Definition | None) -> Definition:
    given = entry.model_dump(exclude_none=True, exclude={"enabled", "endpoint"})
    if entry.endpoint is not None:
        preset = definitions.for_endpoint(name, Endpoint(**entry.endpoint.model_dump()))
    if preset is not None:
        return replace(preset, **given)
    if entry.command is None and entry.enabled:
        raise InvalidSetting(
            f"CHAT_AGENTS_FILE {path}: agents.{name} needs a command or an endpoint."
        )
    return Definition(**{"name": name, "label": name, "description": "", "command": (), **given})
