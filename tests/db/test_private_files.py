"""The server's files are for its user alone, whatever umask and modes it finds."""

from __future__ import annotations

import os
import stat
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from sessions.core.hardening import files as private_files
from tests.support.server import eventually, make_server

__all__ = ["make_server"]

CLOSED = 0o077


@pytest.fixture
def folder(settings, tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(private_files, "own_database_files", list)  # that of the tests is open
    made = tmp_path / "data"
    made.mkdir()
    made.chmod(0o755)
    settings.DATA_DIR = made
    settings.CHAT = {}
    return made


def open_file(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text("secret")
    path.chmod(0o644)
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    os.umask(0o022)
    private_files._usual_umask = None
    yield
    private_files._usual_umask = None


def test_open_files_are_told_and_closed(folder, umask, caplog):
    paths = [folder, *(open_file(folder, name) for name in ("secret_key", "db-wal", "x.log"))]
    assert len(private_files.problems()) == len(paths)
    private_files.keep_files_private()
    assert {path: mode(path) & CLOSED for path in paths} == dict.fromkeys(paths, 0)
    assert [str(path) in caplog.text for path in paths] == [True] * len(paths)
    assert private_files.problems() == []
    assert (mode(folder), mode(paths[1])) == (0o700, 0o600)
    (folder / "new").write_text("secret")
    assert mode(folder / "new") == 0o600
    assert private_files.usual_umask() == 0o022


def test_a_database_elsewhere_is_closed_too(folder, umask, monkeypatch, tmp_path):
    elsewhere = open_file(tmp_path, "elsewhere.sqlite3")
    monkeypatch.setattr(private_files, "own_database_files", lambda: [elsewhere])
    private_files.keep_files_private()
    assert mode(elsewhere) == 0o600


def test_a_link_is_left_alone(folder, umask, tmp_path):
    outside = open_file(tmp_path, "outside")
    (folder / "link").symlink_to(outside)
    private_files.keep_files_private()
    assert mode(outside) == 0o644


def test_a_folder_that_is_shared_with_its_group_stays_so(folder, umask):
    key = open_file(folder, "secret_key")
    key.chmod(0o664)
    folder.chmod(0o2775)
    private_files.keep_files_private()
    assert (mode(folder), mode(key)) == (0o2770, 0o660)


def test_system_users_of_accounts_may_pass_through(folder, umask, settings):
    settings.CHAT = {"AGENT_USER": "backstay-{account}"}
    key = open_file(folder, "secret_key")
    private_files.keep_files_private()
    assert (mode(folder), mode(key)) == (0o711, 0o600)


def test_checks_tell_that_a_file_is_open(folder):
    key = open_file(folder, "secret_key")
    folder.chmod(0o700)
    told = StringIO()
    call_command("check", "--deploy", stderr=told, stdout=told)
    assert f"{key} is open to other users" in told.getvalue()


@pytest.mark.django_db(transaction=True)
def test_readyz_tells_that_a_file_is_open_and_stays_ready(folder):
    answer = Client().get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["checks"]["files"] == "files of the server are open to other users"
    assert str(folder) not in answer.content.decode()


def test_a_server_closes_its_data_and_its_agents_work_with_the_usual_umask(make_server):
    server = make_server()
    server.kill()
    data = server.folder / "data"
    data.chmod(0o755)
    (data / "secret_key").chmod(0o644)
    server.start()
    assert mode(data) == 0o700
    assert mode(data / "secret_key") == 0o600
    agents_umask = subprocess.run(
        ["sh", "-c", "umask"], capture_output=True, text=True, check=True
    ).stdout.strip()
    with server.client("alice") as http:
        body = {"clientMsgId": "m", "sessionId": None, "text": "/run umask", "agent": "demo"}
        session = http.post("/api/chat/send", json=body).json()["sessionId"]

        def result() -> str:
            shot = http.get(f"/api/sessions/{session}/snapshot").json()
            for request in shot["permissions"]:
                answer = {"sessionId": session, "permId": request["permId"]}
                answer |= {"optionId": request["options"][0]["id"], "digest": request["digest"]}
                http.post("/api/chat/permission", json=answer)
            blocks = [b for m in shot["messages"] for b in m.get("blocks", [])]
            return next((b["result"] for b in blocks if b["result"]), "")

        eventually(result, within_s=30)
        assert result().strip() == agents_umask
