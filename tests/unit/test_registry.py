"""Which agents there are, why one cannot start, and what of the environment they see."""

from __future__ import annotations

import json
import sys
import tomllib
from functools import partial
from pathlib import Path

import pytest

from sessions.agents import definitions, registry
from sessions.agents.processes import confine, environment
from sessions.agents.programs.openai import Endpoint
from sessions.core.errors import InvalidSetting, UnknownAgent

GUIDE = Path(__file__).resolve().parents[2] / "docs/guide"


@pytest.fixture
def agents_file(settings, tmp_path):
    path = tmp_path / "agents.toml"
    settings.CHAT = {**settings.CHAT, "AGENTS_FILE": str(path)}
    return path


@pytest.fixture
def path_folder(monkeypatch, tmp_path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def spec(name: str) -> registry.AgentSpec:
    return next(spec for spec in registry.available() if spec.name == name)


def test_the_description_of_an_endpoint_holds_no_password() -> None:
    endpoint = Endpoint(base_url="https://ada:secret@model.example:8443/v1?key=k", model="m")
    description = definitions.for_endpoint("mine", endpoint).description
    assert description == "m at https://model.example:8443/v1."


def test_the_demo_agent_can_always_start_and_is_the_default():
    assert spec("demo").can_start
    assert registry.default() == "demo"


def test_a_preset_appears_when_its_command_is_on_the_path(path_folder):
    assert spec("codex").why_not == "The command codex-acp is not on the PATH."
    command = path_folder / "codex-acp"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    assert spec("codex").can_start


def test_those_that_can_start_come_first(path_folder):
    can_start = [spec.can_start for spec in registry.available()]
    assert can_start == sorted(can_start, reverse=True)
    assert not all(can_start)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(definitions.importlib.util, "find_spec", lambda _name: None)
    assert "xllamacpp" in spec("local").why_not
    told = [agent.why_not for agent in registry.available() if not agent.can_start]
    assert "The extra claude is not installed." in told
    assert not any("`" in sentence for sentence in told)  # the page shows them as they are


@pytest.mark.parametrize("ask", [registry.check, partial(registry.create, cwd=Path("/work"))])
def test_an_unknown_agent_is_refused(ask):
    with pytest.raises(UnknownAgent, match="nobody"):
        ask("nobody")


def test_a_file_adds_an_agent_changes_a_preset_and_takes_one_out(agents_file, monkeypatch):
    agents_file.write_text(f"""
        [agents.reviewer]
        label = "Reviewer"
        command = ["{sys.executable}", "--acp"]
        pass_env = ["REVIEWER_TOKEN"]
        env = {{ STRICT = "1" }}

        [agents.demo]
        label = "Practice"

        [agents.qwen]
        enabled = false
    """)
    monkeypatch.setenv("REVIEWER_TOKEN", "t0")
    names = {spec.name for spec in registry.available()}
    assert "reviewer" in names
    assert "qwen" not in names
    assert spec("demo").label == "Practice"
    assert spec("demo").can_start
    environment = registry.environment("reviewer", session_id="s1", cwd=Path("/work"))
    assert environment["REVIEWER_TOKEN"] == "t0"
    assert environment["STRICT"] == "1"
    assert environment["BACKSTAY_SESSION"] == "s1"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("agents = 3", "agents"),
        ("[agents.x]\nlabel = 'X'", "needs a command"),
        ("[agents.x]\ncommand = []", "command"),
        ("[agents.x]\ncommand = ['x']\ncolour = 'red'", "colour"),
        ("[agents.'X Y']\ncommand = ['x']", "no name for an agent"),
        ("[agents", "agents.toml"),
    ],
)
def test_a_wrong_file_says_where_and_what(agents_file, text, reason):
    agents_file.write_text(text)
    with pytest.raises(InvalidSetting, match=reason):
        registry.available()


def test_a_file_that_is_not_there_is_told(agents_file):
    with pytest.raises(InvalidSetting, match=r"agents\.toml"):
        registry.available()


def test_no_secret_of_the_server_reaches_an_agent(monkeypatch):
    for name in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "CHAT_LEASE_S", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("LANG", "C.UTF-8")
    for name in ("demo", "codex"):
        environment = registry.environment(name, session_id="s1", cwd=Path("/work"))
        assert "secret" not in environment.values()
        assert environment["LANG"] == "C.UTF-8"
    assert (
        registry.environment("claude", session_id="s1", cwd=Path("/work"))["ANTHROPIC_API_KEY"]
        == "secret"
    )


def test_fixed_variables_win_over_inherited_ones(monkeypatch):
    monkeypatch.setenv("TERM", "vt100")
    assert environment.build(fixed={"TERM": "dumb"})["TERM"] == "dumb"


def test_the_documented_file_is_a_valid_one(agents_file):
    page = (GUIDE / "your-own-agent.md").read_text("utf-8")
    agents_file.write_text(page.split("```toml\n")[1].split("```")[0])
    specs = {spec.name: spec for spec in registry.available()}
    assert specs["reviewer"].label == "Reviewer"
    assert "qwen3:8b" in specs["ollama"].description
    assert "qwen" not in specs


def test_every_preset_is_documented():
    page = (GUIDE / "agents.md").read_text("utf-8")
    assert all(spec.name in page for spec in registry.available())


def test_an_agent_that_cannot_be_kept_from_a_folders_code_says_so(agents_file, monkeypatch):
    agents_file.write_text(f'[agents.reviewer]\ncommand = ["{sys.executable}"]\n')
    words = "hooks, plugins and MCP servers of the chat's folder"
    assert words in spec("reviewer").description
    for view in (True, False):
        held = confine.Status(confine.Kind.LANDLOCK, view=view)
        monkeypatch.setattr(confine, "status", lambda held=held: held)
        # Only what is hidden from them keeps these two from a folder's plugins and servers.
        for name in ("codex", "opencode"):
            assert (words in spec(name).description) is not view
        for name in ("demo", "local", "claude", "claude-sdk", "gemini", "qwen"):
            assert words not in spec(name).description


def test_trust_changes_the_start_of_every_agent_that_reads_a_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    for name in ("claude", "claude-sdk", "codex", "opencode", "gemini", "qwen"):
        definition = registry.find(name)
        assert definition.words(trust=True) != definition.words(trust=False), name
    given = [
        registry.environment("claude-sdk", session_id="s1", cwd=tmp_path, trust=trust)
        for trust in (False, True)
    ]
    told = [env.get("BACKSTAY_SETTING_SOURCES") for env in given]
    assert told == [None, "user,project,local"]


def test_a_folder_is_untrusted_by_its_exact_name(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    folder = tmp_path / 'a "folder"={trust_level="trusted"}'
    given = registry.environment("qwen", session_id="s1", cwd=folder)
    told = json.loads(Path(given["QWEN_CODE_TRUSTED_FOLDERS_PATH"]).read_text())
    assert told == {str(folder): "DO_NOT_TRUST"}
    [_, words] = definitions.PRESETS[4].words(trust=False).arguments_in(folder)
    assert tomllib.loads(words) == {"projects": {str(folder): {"trust_level": "untrusted"}}}
    assert "GIT_CONFIG_KEY_0" in given
    trusted = registry.environment("qwen", session_id="s1", cwd=folder, trust=True)
    assert not {"QWEN_CODE_TRUSTED_FOLDERS_PATH", "GIT_CONFIG_KEY_0"} & trusted.keys()
