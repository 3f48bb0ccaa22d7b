"""`manage.py agents` in the terminal, with the demo agent as a real process."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command


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


def test_try_runs_one_turn(tmp_path):
    out, err = run("--try", "demo", "--prompt", "/slow 3", "--cwd", str(tmp_path))
    assert out == "word1 word2 word3 \n"
    assert "turn ended: end_turn" in err
    assert "mode ask of ask, auto" in err


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


@pytest.mark.parametrize(
    ("name", "prompt", "error"),
    [("nobody", "hi", "no agent 'nobody'"), ("demo", "/crash", "exit code 3")],
)
def test_what_fails_is_one_sentence_and_a_bad_exit(tmp_path, name, prompt, error):
    with pytest.raises(CommandError, match=error):
        run("--try", name, "--prompt", prompt, "--cwd", str(tmp_path))
