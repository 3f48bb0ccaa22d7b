"""The scripts of docs/guide/scripting.md, run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/guide/scripting.md"


def script(language: str) -> str:
    block = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    [text] = block.findall(PAGE.read_text("utf-8"))
    return text


@pytest.fixture
def run(server, tmp_path):
    def run(*command: str) -> str:
        (tmp_path / "script").write_text(script(command[0]), encoding="utf-8")
        programs = {"sh": "sh", "python": sys.executable}
        done = subprocess.run(
            [programs[command[0]], str(tmp_path / "script"), *command[1:]],
            env={**os.environ, "URL": server.url, "TOKEN": server.token("ci"), "PYTHONPATH": "."},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_shell_script_prints_the_transcript(run):
    transcript = run("sh", "What runs here?")
    assert "What runs here?" in transcript
    assert "I am the demo agent, no AI." in transcript


def test_the_python_script_prints_the_answer(run):
    assert "I am the demo agent, no AI." in run("python")
