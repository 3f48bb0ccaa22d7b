"""`manage.py agents` in the terminal, with the demo agent as a real process."""

from __future__ import annotations

import io
import json
import sys

import pytest
from django.core.management import CommandError, call_command

from sessions.agents.processes import accounts
from sessions.agents.ways import of_agent
from sessions.log_ins import needs
from tests.agents.test_odd_agents import ODD

pytestmark = pytest.mark.django_db


def run(*args: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("agents", *args, stdout=out, stderr=err, no_color=True)
    return out.getvalue(), err.getvalue()


def test_the_list_says_what_is_ready_and_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    out, _ = run()
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert "ready" in lines["demo"]
    assert "missing" in lines["codex"]
    assert "codex-acp is not on the PATH" in lines["codex"]


def test_the_list_tells_a_log_in_that_an_agent_wants(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    ways = of_agent([{"id": "a", "name": "By a\x1b[31m page"}, {"id": "b", "name": "By hand"}])
    needs.note("codex", "backstay", ways, at_prompt=False)
    lines = run()[0].splitlines()
    [at] = [number for number, line in enumerate(lines) if line.startswith("codex")]
    assert lines[at + 1].strip() == "Credential: none found."
    assert lines[at + 2].strip().startswith("Log-in needed since 20")
    assert lines[at + 2].endswith(" UTC, as backstay. It offers: By a⟨U+001B⟩[31m page; By hand.")


def test_try_runs_one_turn(tmp_path):
    out, err = run("--try", "demo", "--prompt", "/slow 3", "--cwd", str(tmp_path))
    assert out == "word1 word2 word3 \n"
    assert "turn ended: end_turn" in err
    assert "mode ask of ask, auto" in err


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("at", ["new", "prompt"])
def test_try_reports_a_log_in_that_is_needed_and_keeps_it_until_an_answer(settings, tmp_path, at):
    command = json.dumps([sys.executable, str(ODD.with_name("log_in_agent.py"))])
    path = tmp_path / "agents.toml"
    path.write_text(
        f'[agents.ours]\ncommand = {command}\nwrite = ["{tmp_path}"]\n'
        f'env = {{ LOG_IN_HOME = "{tmp_path}", LOG_IN_AT = "{at}" }}\n'
    )
    settings.CHAT = {"AGENTS_FILE": str(path)}
    with pytest.raises(CommandError) as failed:
        run("--try", "ours", "--cwd", str(tmp_path))
    assert str(failed.value) == (
        "Log-in needed. ours wants a log-in first. "
        "It offers: In a terminal; By a page; By a key; Flood."
    )
    [row] = needs.everywhere()
    assert (row.agent, row.account, row.at_prompt) == ("ours", accounts.name_of(""), at == "prompt")
    (tmp_path / "credentials").write_text("of ada")
    assert run("--try", "ours", "--cwd", str(tmp_path))[0] == "hello\n"
    assert not needs.everywhere().exists()


def test_a_permission_without_a_terminal_is_cancelled(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    out, _ = run("--try", "demo", "--prompt", "/run touch made", "--cwd", str(tmp_path))
    assert "  command: touch made\n" in out
    assert not (tmp_path / "made").exists()


def test_the_whole_command_is_shown_and_no_escape_reaches_the_terminal(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    long = "x" * 2000
    prompt = f"/run echo \x1b]52;c;cm0=\x07 \u202e {long}"
    out, err = run("--try", "demo", "--prompt", prompt, "--cwd", str(tmp_path))
    assert f"  command: echo ⟨U+001B⟩]52;c;cm0=⟨U+0007⟩ ⟨U+202E⟩ {long}\n" in out
    assert not {"\x1b", "\x07", "\u202e"} & set(out + err)


@pytest.fixture
def plays(settings, tmp_path):
    """The agent `odd`, which does what its prompt says."""
    path = tmp_path / "agents.toml"
    command = json.dumps([sys.executable, str(ODD), "Plays"])
    path.write_text(f"[agents.odd]\ncommand = {command}\n")
    settings.CHAT = {"AGENTS_FILE": str(path)}


def try_odd(folder, *steps):
    return run("--try", "odd", "--prompt", json.dumps(steps), "--cwd", str(folder))


HOSTILE = "ls\x1b[2J\x1b]52;c;cm0=\x07 \u202egnp\r" + "x" * 5000 + "\nrm -rf ~"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_whole_action_is_shown_before_it_is_allowed(tmp_path, monkeypatch, plays):
    monkeypatch.setattr("sys.stdin", Terminal("2\n"))
    call = {"sessionUpdate": "tool_call", "toolCallId": "c", "title": "List"}
    call |= {"kind": "execute", "rawInput": {"command": HOSTILE, "env": {"A": "1"}}}
    options = [
        {"optionId": "always", "name": "Reject", "kind": "allow_always"},
        {"optionId": "no", "name": "No", "kind": "reject_once"},
    ]
    out, _ = try_odd(tmp_path, call, {"ask": {"toolCall": {"toolCallId": "c"}, "options": options}})
    assert "? [runs a command] execute: List" in out
    assert "  command: ls⟨U+001B⟩[2J⟨U+001B⟩]52;c;cm0=⟨U+0007⟩ ⟨U+202E⟩gnp⟨U+000D⟩xxx" in out
    assert "x" * 5000 + "\n  | rm -rf ~\n  env:" in out
    assert "  1  Reject (allows always)\n  2  No (rejects once)\n" in out
    assert "<no>" in out


def test_a_line_that_was_typed_too_early_allows_no_later_request(tmp_path, monkeypatch, plays):
    monkeypatch.setattr("sys.stdin", Terminal("1\n1\n"))
    yes = [{"optionId": "yes", "name": "Yes", "kind": "allow_once"}]
    asks = [
        {"ask": {"toolCall": {"toolCallId": name, "rawInput": {"command": name}}, "options": yes}}
        for name in ("ls", "rm -rf x")
    ]
    out, _ = try_odd(tmp_path, *asks)
    assert "  1  Yes (allows once)\n  2  Reject (rejects once)\n" in out
    assert "  3  Yes (allows once)\n  4  Reject (rejects once)\n" in out
    assert "<yes>" in out
    assert "<cancelled>" in out


@pytest.mark.parametrize("typed", ["9" * 5000, "\u0661", "\u00b2", "+1", "1.0", "0", "", "yes"])
def test_a_line_that_is_no_number_of_the_list_allows_nothing(tmp_path, monkeypatch, plays, typed):
    monkeypatch.setattr("sys.stdin", Terminal(f"{typed}\n"))
    yes = [{"optionId": "yes", "name": "Yes", "kind": "allow_once"}]
    call = {"toolCallId": "c", "rawInput": {"command": "ls"}}
    out, _ = try_odd(tmp_path, {"ask": {"toolCall": call, "options": yes}})
    assert "<cancelled>" in out


def test_a_question_is_told_and_cancelled(tmp_path, plays):
    asked = {"mode": "form", "message": "Which\x1b one?", "requestedSchema": {"type": "object"}}
    out, err = try_odd(tmp_path, {"question": asked})
    assert "question, cancelled: Which⟨U+001B⟩ one?" in err
    assert "cancel" in out


def test_an_action_that_is_not_told_is_never_allowed_always(tmp_path, monkeypatch, plays):
    monkeypatch.setattr("sys.stdin", Terminal("1\n"))
    options = [{"optionId": "always", "name": "Reject", "kind": "allow_always"}]
    asked = {"toolCall": {"toolCallId": "c", "title": "Go"}, "options": options}
    out, _ = try_odd(tmp_path, {"ask": asked})
    assert "allows always" not in out
    assert "  1  Reject (rejects once)\n" in out
    assert "<always>" not in out


def test_an_action_that_is_not_told_is_said_to_be_so(tmp_path, monkeypatch, plays):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    out, _ = try_odd(tmp_path, {"ask": {"toolCall": {"toolCallId": "c", "title": "Go"}}})
    assert "The agent did not say what it will do." in out


@pytest.mark.parametrize("end", [{"fail": HOSTILE}, {"exit": 0}])
def test_no_escape_of_an_agent_reaches_the_terminal(tmp_path, monkeypatch, plays, end):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    text = {"type": "text", "text": HOSTILE}
    steps = [
        {"sessionUpdate": "agent_message_chunk", "content": text},
        {"sessionUpdate": "agent_thought_chunk", "content": text},
        {"sessionUpdate": "tool_call", "toolCallId": "c", "title": HOSTILE, "kind": HOSTILE},
        {"sessionUpdate": "plan", "entries": [{"content": HOSTILE}]},
        {"sessionUpdate": "tool_call_update", "toolCallId": "c", "status": "failed",
         "content": [{"type": "content", "content": text}]},
        {"sessionUpdate": HOSTILE},
        {"ask": {"toolCall": {"toolCallId": "d", "title": HOSTILE, "rawInput": [HOSTILE]}}},
        end,
    ]  # fmt: skip
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(CommandError) as raised:
        call_command(
            "agents", "--try", "odd", "--prompt", json.dumps(steps), "--cwd", str(tmp_path),
            stdout=out, stderr=err, no_color=True,
        )  # fmt: skip
    shown = out.getvalue() + err.getvalue() + str(raised.value)
    assert shown.count("⟨U+001B⟩") > 8
    assert not set(shown) & set("\x1b\x07\r\u202e")


@pytest.mark.parametrize(
    ("name", "prompt", "error"),
    [("nobody", "hi", "no agent 'nobody'"), ("demo", "/crash", "exit code 3")],
)
def test_what_fails_is_one_sentence_and_a_bad_exit(tmp_path, name, prompt, error):
    with pytest.raises(CommandError, match=error):
        run("--try", name, "--prompt", prompt, "--cwd", str(tmp_path))
