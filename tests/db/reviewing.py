"""A person who looks at the changes of a chat, with git and without."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from model_bakery import baker

from sessions.access.tokens import create_token
from sessions.models import Session
from sessions.workspace.changes import baseline

SECRET = "the secret of another folder"
ENV = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.defpath}
ENV |= {
    f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


@pytest.fixture
def root(tmp_path: Path, settings) -> Path:
    made = tmp_path / "root" / "project"
    made.mkdir(parents=True)
    settings.DATA_DIR = tmp_path / "data"
    settings.CHAT = settings.CHAT | {"WORKSPACE_ROOTS": str(tmp_path / "root")}
    return made


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "init.defaultBranch=main", *words]
    done = subprocess.run(command, cwd=folder, env=ENV, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(root: Path) -> Path:
    git(root, "init")
    (root / "kept.txt").write_text("one\ntwo\nthree\n")
    (root / "gone.txt").write_text("x\n")
    (root / "moved.txt").write_text("".join(f"line {n}\n" for n in range(40)))
    (root / "picture.bin").write_bytes(b"\0old")
    (root / ".gitignore").write_text("ignored/\n")
    git(root, "add", ".")
    git(root, "commit", "-m", "first")
    return root


class Reviewer:
    """A person who looks at the changes of a chat."""

    def __init__(self, user: User, root: Path) -> None:
        self.session = baker.make(Session, owner=user, agent="demo", cwd=str(root))
        self.client = Client(headers={"Authorization": f"Bearer {create_token(user)}"})
        self.root = root

    def begin(self) -> None:
        """Let the chat begin: its agent starts."""
        baseline.keep(self.session.pk, self.session.cwd, [self.root.parent])

    def ask(self, **query: str) -> dict[str, Any]:
        answer = self.client.get(f"/api/sessions/{self.session.pk}/changes", query)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def rows(self, **query: str) -> dict[str, tuple[str, int | None, int | None]]:
        told = self.ask(**query)["files"]
        return {row["path"]: (row["status"], row["added"], row["removed"]) for row in told}

    def discard(self, path: str, since: str = "chat"):
        address = f"/api/sessions/{self.session.pk}/changes/discard"
        body = {"path": path, "since": since}
        return self.client.post(address, body, content_type="application/json")

    def diff(self, path: str, **query: str) -> list[str]:
        hunks = self.ask(path=path, **query)["diff"]["hunks"]
        return [row["sign"] + row["text"] for hunk in hunks for row in hunk["rows"]]


@pytest.fixture
def ada(root: Path) -> Reviewer:
    return Reviewer(User.objects.create_user("ada"), root)


def change_everything(root: Path) -> None:
    (root / "kept.txt").write_text("one\n2\nthree\nfour\n")
    (root / "gone.txt").unlink()
    (root / "picture.bin").write_bytes(b"\0new")
    (root / "sub").mkdir()
    (root / "sub" / "new.txt").write_text("a\nb")
    (root / "large.txt").write_bytes(b"x" * 5_000)
    (root / "ignored").mkdir()
    (root / "ignored" / "x").write_text("x")


def contents(root: Path) -> dict[str, bytes]:
    found = [path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {str(path.relative_to(root)): path.read_bytes() for path in found}
