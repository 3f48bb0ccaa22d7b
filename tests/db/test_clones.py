"""Clones: from a real git server, whole or not at all; from no address that is not one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from lab.rig.waiting import eventually
from sessions.core.errors import CloneRefused
from sessions.workspace.cloning import address, job, records
from tests.db.scripting import Script
from tests.db.test_worktrees import commit, git

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def root(tmp_path: Path, settings) -> Path:
    made = tmp_path / "root"
    made.mkdir()
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    settings.CHAT = {"WORKSPACE_ROOTS": str(made), "CLONE_LOOPBACK": 1}
    return made


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[str]:
    """A git server on loopback with one repository; its address."""
    shop = tmp_path / "served/shop"
    shop.mkdir(parents=True)
    git(shop, "init", "-q", "-b", "main")
    commit(shop, "a.txt", "one\n")
    hook = shop / ".git/hooks/post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/MARK\n")
    hook.chmod(0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--reuseaddr", "--listen=127.0.0.1", f"--port={port}", "--export-all"]
    command = ["git", "daemon", *words, f"--base-path={tmp_path}/served", "--verbose"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        eventually(lambda: listens(port))
        yield f"git://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait()
    assert not (tmp_path / "MARK").exists()


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def post(script: Script, url: str, path: object):
    body = json.dumps({"url": url, "path": str(path)})
    return script.client.post(
        "/api/clones", body, content_type="application/json", headers=script.headers
    )


def ended(script: Script, answer) -> dict:
    assert answer.status_code == 202, answer.content
    place = f"/api/clones/{answer.json()['clone']['id']}"
    return eventually(lambda: (now := script.json(place))["state"] != "running" and now)


def test_a_repository_is_cloned_without_its_hooks(
    ada: Script, bob: Script, root: Path, daemon: str
) -> None:
    answer = post(ada, f"{daemon}/shop", root / "shop")
    told = ended(ada, answer)
    assert (told["state"], told["error"]) == ("done", "")
    assert (root / "shop/a.txt").read_text() == "one\n"
    assert [path.name for path in root.iterdir()] == ["shop"]
    assert not list((root / "shop/.git/hooks").glob("*"))
    assert bob.get(f"/api/clones/{told['id']}").json()["code"] == "unknown_clone"
    assert bob.delete(f"/api/clones/{told['id']}").json()["code"] == "unknown_clone"
    assert post(ada, f"{daemon}/shop", root / "shop").json()["code"] == "folder_exists"
    failed = ended(ada, post(ada, f"{daemon}/none", root / "none"))
    assert failed["state"] == "failed"
    assert failed["error"]
    assert [path.name for path in root.iterdir()] == ["shop"]


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"git://127.0.0.1:{listener.getsockname()[1]}"


def test_a_clone_is_cancelled_and_leaves_nothing(ada: Script, root: Path, silent: str) -> None:
    first = post(ada, f"{silent}/a", root / "a")
    second = post(ada, f"{silent}/b", root / "b")
    assert post(ada, f"{silent}/c", root / "c").status_code == 429
    for answer in (first, second):
        ada.delete(f"/api/clones/{answer.json()['clone']['id']}")
        assert ended(ada, answer)["state"] == "cancelled"
    assert list(root.iterdir()) == []


def test_time_is_bounded(ada: Script, root: Path, silent: str, settings) -> None:
    settings.CHAT = {**settings.CHAT, "CLONE_TIMEOUT_S": 1}
    told = ended(ada, post(ada, f"{silent}/a", root / "a"))
    assert (told["state"], told["error"]) == ("failed", "The clone took over 1 s.")
    assert list(root.iterdir()) == []


def test_size_is_bounded(ada: Script, root: Path, daemon: str, monkeypatch) -> None:
    monkeypatch.setattr(job, "MEGABYTE", 0)
    monkeypatch.setattr(job, "LOOK_S", 0)
    told = ended(ada, post(ada, f"{daemon}/shop", root / "a"))
    assert told["state"] == "failed"
    assert "MB" in told["error"]
    assert list(root.iterdir()) == []


def test_a_clone_that_ends_while_clones_are_listed_was_not_cut_short(
    settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_DIR = tmp_path
    record = records.Record(str(uuid4()), 1, "https://example.org/shop.git", "/nowhere/shop")
    records.write(record)
    lock = records._lock

    def ended(clone: records.Record) -> Path:
        records.write(replace(clone, state="done", percent=100))
        return lock(clone)

    monkeypatch.setattr(records, "_lock", ended)
    assert records.running() == []
    assert records.find(1, UUID(record.id)).state == "done"


def test_a_part_that_a_crash_has_left_is_removed(ada: Script, root: Path) -> None:
    record = records.Record("0" * 8 + "-0000-4000-8000-" + "0" * 12, ada.user.pk, "u", f"{root}/x")
    records.write(record)
    half = root / record.half_made
    (half / "objects").mkdir(parents=True)
    told = ada.json(f"/api/clones/{record.id}")
    assert (told["state"], told["error"]) == ("failed", records.CUT_SHORT)
    assert not half.exists()
    # One that another process runs stays.
    records.write(record)
    half.mkdir()
    with records.held(record):
        assert ada.json(f"/api/clones/{record.id}")["state"] == "running"
        assert half.exists()


REFUSED = [
    *("", "x", "/etc", "file:///etc", "ext::sh -c touch% /tmp/x", "http://a.b/c", "ftp://a.b/c"),
    *("https://u:p@a.b/c", "https://token@a.b/c", "git://u@a.b/c", "ssh://u:p@a.b/c"),
    *(
        "-uhttps://a.b/c",
        "--upload-pack=x",
        "https://-a/c",
        "ssh://-oProxyCommand=x/c",
        "ssh://a.b",
    ),
    *(
        "ssh://-oX@a.b/c",
        "-oX@a.b:c",
        "https://a.b",
        "https://a.b/",
        "https://a.b/-c",
        "https:///c",
    ),
    *("https://a.b/c?x=1", "https://a.b/c#x", "https://a.b:99999/c", "https://a.b/c d"),
    *("https://a.b/c\n", "https://a.b/\u202ec", "https://[::g]/c", "transport::https://a.b/c"),
    *("https://a.b\\@c.d/e", "https://a.b@c.d/e", "HTTPS://u:p@a.b/c", "https://a_b/c"),
]


@pytest.mark.parametrize("url", REFUSED)
def test_what_is_no_plain_address_is_refused(ada: Script, root: Path, url: str) -> None:
    answer = post(ada, url, root / "x")
    assert answer.status_code == 400
    assert answer.json()["code"] in {"clone_refused", "invalid_request"}
    assert list(root.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "host", "name"),
    [
        ("https://example.org/a/b.git", "example.org", "b"),
        ("git@example.org:a/b.git", "example.org", "b"),
        ("ssh://git@example.org:2222/a/b/", "example.org", "b"),
        ("git://[2001:db8::1]/b", "2001:db8::1", "b"),
    ],
)
def test_plain_addresses_are_taken(url: str, host: str, name: str) -> None:
    found = address.checked(url)
    assert (found.host, found.name) == (host, name)


@pytest.mark.parametrize(
    "place",
    [
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "::ffff:127.0.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        # The same behind translators, and where clouds tell keys by IPv6.
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::7f00:1",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::254",
    ],
)
def test_services_of_the_machine_are_closed(place: str, settings, monkeypatch) -> None:
    settings.CHAT = {}
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (place, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(CloneRefused):
        address.resolved(address.checked("https://example.org/a"))


def test_the_keys_of_the_server_are_for_its_staff(ada: Script, bob: Script, root: Path) -> None:
    answer = post(ada, "git@example.org:a/b", root / "b")
    assert (answer.status_code, answer.json()["code"]) == (400, "clone_refused")


@pytest.mark.parametrize("path", ["/etc/x", "{root}/../x", "{root}/a/b", "{root}/-x/..", "x", "{root}/a\x00"])  # fmt: skip  # noqa: E501
def test_a_clone_goes_into_an_allowed_folder(ada: Script, root: Path, path: str) -> None:
    answer = post(ada, "https://example.org/a", path.replace("{root}", str(root)))
    assert (answer.status_code, answer.json()["code"]) == (400, "folder_refused")
    assert threading.active_count() < 50
