"""The names of the credentials that agents would use: found without a start, never a value."""

from pathlib import Path

import pytest

from sessions.agents import credentials

SECRET = "sk-very-secret"
LOGGED_IN = {
    "claude": ".claude/.credentials.json",
    "claude-sdk": ".claude/.credentials.json",
    "codex": ".codex/auth.json",
    "opencode": ".local/share/opencode/auth.json",
    "gemini": ".gemini/oauth_creds.json",
    "qwen": ".qwen/oauth_creds.json",
}


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings) -> Path:
    """A home without a credential, and two agents of the agents' file."""
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "CODEX_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "agents.toml"
    file.write_text(
        '[agents.ours]\ncommand = ["ours"]\npass_env = ["OURS_TOKEN", "OURS_MONKEY"]\n'
        f'env = {{ OURS_KEY = "{SECRET}", MODE = "x" }}\n'
        '[agents.plain]\ncommand = ["plain"]\nenv = { MODE = "x" }\n'
        '[agents.model.endpoint]\nbase_url = "http://127.0.0.1:1/v1"\nmodel = "m"\n'
        '[agents.paid.endpoint]\nbase_url = "http://127.0.0.1:1/v1"\nmodel = "m"\n'
        'api_key_env = "PAID_KEY"\n'
    )
    settings.CHAT = {"AGENTS_FILE": str(file)}
    return tmp_path


@pytest.mark.parametrize("agent", LOGGED_IN)
def test_a_file_of_a_log_in_is_named_once_it_is_there(home: Path, agent: str) -> None:
    assert credentials.of(agent) == "none found"
    file = home / LOGGED_IN[agent]
    file.mkdir(parents=True)
    assert credentials.of(agent) == "none found"
    file.rmdir()
    file.write_text(SECRET)
    assert credentials.of(agent) == f"the log-in of {agent} on this server"


def test_a_variable_is_named_where_it_is_set_and_never_its_value(home: Path, monkeypatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "")
    assert credentials.of("claude") == "none found"
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    assert credentials.of("claude") == "ANTHROPIC_API_KEY of the server's environment"
    (home / ".claude").mkdir()
    (home / LOGGED_IN["claude"]).write_text(SECRET)
    assert credentials.of("claude") == (
        "ANTHROPIC_API_KEY of the server's environment or the log-in of claude on this server"
    )
    # A variable that is not handed on is none of codex.
    assert credentials.of("codex") == "none found"


def test_a_folder_that_a_variable_names_is_looked_into(home: Path, monkeypatch) -> None:
    (home / "elsewhere").mkdir()
    (home / "elsewhere/auth.json").write_text(SECRET)
    monkeypatch.setenv("CODEX_HOME", str(home / "elsewhere"))
    assert credentials.of("codex") == "the log-in of codex on this server"


def test_agents_of_the_file_name_theirs_or_are_unknown(home: Path, monkeypatch) -> None:
    assert credentials.of("ours") == "OURS_KEY of its definition"
    monkeypatch.setenv("OURS_TOKEN", SECRET)
    monkeypatch.setenv("OURS_MONKEY", SECRET)
    assert credentials.of("ours") == (
        "OURS_TOKEN of the server's environment or OURS_KEY of its definition"
    )
    assert credentials.of("plain") == "its own, which its definition does not name"


def test_an_agent_of_this_project_needs_none_but_for_a_key_of_its_endpoint(
    home: Path, monkeypatch
) -> None:
    told = {name: credentials.of(name) for name in ("demo", "local", "model", "paid")}
    needs_none = dict.fromkeys(("demo", "local", "model"), "none needed")
    assert told == {**needs_none, "paid": "none found"}
    monkeypatch.setenv("PAID_KEY", SECRET)
    assert credentials.of("paid") == "PAID_KEY of the server's environment"
