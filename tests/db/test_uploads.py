"""Uploads: idempotent, resumed, within a quota, of the type of their content; prompts name them."""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from sessions.access import tokens
from sessions.core.conf import data_dir
from sessions.eventlog import audit, snapshot
from sessions.eventlog.blobs import files, parts
from sessions.models import Blob, BlobName, BlobUpload, Message

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("stream_threads"),
]

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels" * 50
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
MEGABYTE = 1024 * 1024


@pytest.fixture(autouse=True)
def _folder(settings, tmp_path) -> None:
    settings.DATA_DIR = tmp_path


def name_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Person:
    """A script of one user."""

    def __init__(self, name: str) -> None:
        self.user = User.objects.create_user(name)
        token = tokens.create_token(self.user)
        self.client = Client(headers={"Authorization": f"Bearer {token}"})

    def put(self, data: bytes, told: str | None = None, *, name: str | None = None):
        headers = {} if told is None else {"Content-Range": told}
        return self.client.put(
            f"/api/blobs/{name or name_of(data)}",
            data,
            content_type="application/octet-stream",
            headers=headers,
        )

    def get(self, data: bytes):
        return self.client.get(f"/api/blobs/{name_of(data)}")

    def send(self, *named: tuple[bytes, str], text: str = "Look", **more: Any):
        body = {
            "clientMsgId": str(uuid.uuid4()),
            "sessionId": None,
            "text": text,
            "agent": "demo",
            "attachments": [{"blob": name_of(data), "name": name} for data, name in named],
            **more,
        }
        return self.client.post("/api/chat/send", json.dumps(body), content_type="application/json")


@pytest.fixture
def ada() -> Person:
    return Person("ada")


@pytest.fixture
def bob() -> Person:
    return Person("bob")


def told(answer) -> tuple[int, str | None]:
    return answer.status_code, answer.json().get("code")


# --- Storing ------------------------------------------------------------------------------------


def test_an_upload_is_stored_once_however_often_it_comes(ada: Person) -> None:
    first = ada.put(PNG)
    assert (first.status_code, first.json()) == (
        201,
        {"ok": True, "received": len(PNG), "mime": "image/png"},
    )
    again = ada.put(PNG)
    assert (again.status_code, again.json()["mime"]) == (200, "image/png")
    assert files.read(name_of(PNG)) == PNG
    assert (Blob.objects.count(), BlobUpload.objects.count()) == (1, 1)


def test_bytes_of_another_name_are_refused_and_not_kept(ada: Person) -> None:
    assert told(ada.put(PNG, name=name_of(SVG))) == (400, "digest_mismatch")
    assert told(ada.put(PNG, name=name_of(PNG).upper())) == (400, "digest_mismatch")
    assert told(ada.put(PNG, name="x")) == (400, "digest_mismatch")
    assert Blob.objects.count() == 0
    assert files.read(name_of(SVG)) is None


def test_other_bytes_under_the_name_of_stored_ones_are_refused(ada: Person) -> None:
    ada.put(PNG)
    assert told(ada.put(PNG + b"x", name=name_of(PNG))) == (400, "digest_mismatch")
    assert told(ada.put(b"", name=name_of(PNG))) == (400, "digest_mismatch")
    # A piece is taken for a late one; the answer tells the bytes that are here.
    late = ada.put(b"x" * 10, "bytes 0-9/2000", name=name_of(PNG))
    assert (late.status_code, late.json()["received"]) == (200, len(PNG))
    assert ada.get(PNG).content == PNG


def test_a_file_that_is_gone_is_stored_again(ada: Person) -> None:
    ada.put(PNG)
    files.remove(name_of(PNG))
    assert ada.put(PNG).status_code == 201
    assert files.read(name_of(PNG)) == PNG


def test_a_file_has_ten_megabytes(ada: Person) -> None:
    data = os.urandom(10 * MEGABYTE)
    assert ada.put(data).status_code == 201
    assert ada.put(data + b"x").status_code == 413
    assert told(ada.put(b"x", f"bytes 0-0/{10 * MEGABYTE + 1}")) == (413, "blob_too_large")


def test_the_files_of_a_user_have_a_quota(ada: Person, bob: Person, settings) -> None:
    settings.CHAT = {"BLOB_QUOTA_MB": 1}
    first, second = (os.urandom(700_000) for _ in range(2))
    assert ada.put(first).status_code == 201
    assert told(ada.put(second)) == (507, "quota")
    assert told(ada.put(second[:10], f"bytes 0-9/{len(second)}")) == (507, "quota")
    assert ada.put(first).status_code == 200
    assert bob.put(second).status_code == 201
    assert BlobUpload.objects.count() == 2


# --- Resuming -----------------------------------------------------------------------------------


def test_an_upload_is_resumed_where_it_ended(ada: Person) -> None:
    size = len(PNG)
    name = name_of(PNG)
    asked = ada.put(b"", f"bytes */{size}", name=name)
    assert (asked.status_code, asked.json()) == (202, {"ok": True, "received": 0})
    assert ada.put(PNG[:100], f"bytes 0-99/{size}", name=name).json()["received"] == 100
    # The answer was lost: the same piece again is the same bytes.
    assert ada.put(PNG[:100], f"bytes 0-99/{size}", name=name).json()["received"] == 100
    assert ada.put(b"", f"bytes */{size}", name=name).json()["received"] == 100
    hole = ada.put(PNG[200:], f"bytes 200-{size - 1}/{size}", name=name)
    assert (told(hole), hole.json()["received"]) == ((409, "range_mismatch"), 100)
    last = ada.put(PNG[100:], f"bytes 100-{size - 1}/{size}", name=name)
    assert (last.status_code, last.json()["mime"]) == (201, "image/png")
    assert ada.get(PNG).content == PNG
    assert ada.put(b"", f"bytes */{size}", name=name).status_code == 200
    assert list((data_dir() / "uploads").glob("*/*")) == []


def test_a_piece_may_begin_before_the_end_of_those_that_are_here(ada: Person) -> None:
    size, name = len(PNG), name_of(PNG)
    ada.put(PNG[:200], f"bytes 0-199/{size}", name=name)
    assert ada.put(PNG[:50], f"bytes 0-49/{size}", name=name).json()["received"] == 200
    assert ada.put(PNG[100:250], f"bytes 100-249/{size}", name=name).json()["received"] == 250
    last = ada.put(PNG[20:], f"bytes 20-{size - 1}/{size}", name=name)
    assert last.status_code == 201
    assert ada.get(PNG).content == PNG


def test_devices_that_upload_the_same_file_at_once_are_not_in_each_others_way(ada: Person) -> None:
    """A tab takes over the upload of another one that is still alive, or repeats its own."""
    for _ in range(10):
        data = os.urandom(50_000)
        with ThreadPoolExecutor(4) as pool:
            ends = list(pool.map(_in_pieces, [ada] * 4, [data] * 4))
        assert sorted(ends) == [200, 200, 200, 201]
        assert ada.get(data).content == data
    assert list((data_dir() / "uploads").glob("*/*")) == []


def test_a_file_that_is_uploaded_twice_at_once_is_new_once(ada: Person) -> None:
    for _ in range(10):
        data = os.urandom(1_000)
        with ThreadPoolExecutor(4) as pool:
            ends = [answer.status_code for answer in pool.map(ada.put, [data] * 4)]
        assert sorted(ends) == [200, 200, 200, 201]


def _in_pieces(person: Person, data: bytes) -> int:
    """Upload a file by pieces of 10,000 bytes as a client does; return the last status."""
    first = 0
    while True:
        piece = data[first : first + 10_000]
        place = f"bytes {first}-{first + len(piece) - 1}/{len(data)}"
        answer = person.put(piece, place, name=name_of(data))
        if answer.status_code in (200, 201):
            return answer.status_code
        assert answer.status_code in (202, 409), answer.content
        first = answer.json()["received"]


def test_wrong_pieces_are_found_by_the_digest_and_dropped(ada: Person) -> None:
    size = len(PNG)
    ada.put(b"y" * 100, f"bytes 0-99/{size}", name=name_of(PNG))
    end = f"bytes 100-{size - 1}/{size}"
    assert told(ada.put(PNG[100:], end, name=name_of(PNG))) == (400, "digest_mismatch")
    asked = ada.put(b"", f"bytes */{size}", name=name_of(PNG))
    assert asked.json()["received"] == 0


@pytest.mark.parametrize(
    "odd",
    ["bytes 0-1/350", "bytes 5-1/10", "bytes */350", "lines 0-9/10", "bytes 0-9/*", "bytes 0-9/5"],
)
def test_a_range_that_is_none_is_refused(ada: Person, odd: str) -> None:
    assert told(ada.put(b"0123456789", odd)) == (400, "invalid_request")
    assert Blob.objects.count() == 0


def test_pieces_of_two_users_are_apart_and_their_number_is_bounded(
    ada: Person, bob: Person
) -> None:
    name = name_of(PNG)
    ada.put(PNG[:100], f"bytes 0-99/{len(PNG)}", name=name)
    assert bob.put(b"", f"bytes */{len(PNG)}", name=name).json()["received"] == 0
    for number in range(parts.MAX_PARTS + 5):
        data = f"{number}".encode() * 10
        ada.put(data[:5], f"bytes 0-4/{len(data)}", name=name_of(data))
    assert len(list((data_dir() / "uploads" / str(ada.user.pk)).iterdir())) == parts.MAX_PARTS


# --- Who reads, and how -------------------------------------------------------------------------


def test_i11_the_uploader_reads_and_the_name_alone_opens_nothing(ada: Person, bob: Person) -> None:
    ada.put(PNG)
    assert ada.get(PNG).status_code == 200
    assert told(bob.get(PNG)) == (404, "unknown_blob")
    assert told(bob.send((PNG, "a.png"))) == (404, "unknown_blob")
    assert Message.objects.count() == 0
    # With the bytes themselves it is bob's upload, too.
    assert bob.put(PNG).status_code == 201
    assert bob.get(PNG).status_code == 200
    assert Client().put(f"/api/blobs/{name_of(PNG)}", PNG).status_code == 401


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0jpeg", "image/jpeg"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (SVG, "text/plain"),
        (b"<!doctype html><script>alert(1)</script>", "text/plain"),
        ("Grüße\n".encode(), "text/plain"),
        (b"%PDF-1.7\n\x00\xff", "application/pdf"),
        (b"\x00\x01\x02\xff", "application/octet-stream"),
        (b"AVIFWEBP\0\0\0\0WEBP", "application/octet-stream"),
    ],
)
def test_the_type_is_that_of_the_content(ada: Person, data: bytes, mime: str) -> None:
    assert ada.put(data).json()["mime"] == mime
    answer = ada.get(data)
    is_shown = mime.startswith("image/")
    assert answer["Content-Type"] == (mime if is_shown else "application/octet-stream")
    assert ("Content-Disposition" in answer) is not is_shown
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"


# --- Prompts ------------------------------------------------------------------------------------


def test_a_prompt_tells_its_files_and_the_session_names_them(ada: Person) -> None:
    ada.put(PNG)
    ada.put(SVG)
    answer = ada.send((PNG, "shot.png"), (SVG, "evil.svg.png"), text="")
    assert answer.status_code == 202, answer.content
    session_id = uuid.UUID(answer.json()["sessionId"])
    taken = snapshot.take(session_id)
    [message] = taken["messages"]
    assert message["attachments"] == [
        {"blob": name_of(PNG), "name": "shot.png", "mime": "image/png", "size": len(PNG)},
        {"blob": name_of(SVG), "name": "evil.svg.png", "mime": "text/plain", "size": len(SVG)},
    ]
    assert taken["title"] == "shot.png"
    assert BlobName.objects.filter(session=session_id).count() == 2
    assert audit.check(session_id).problems == []


def test_i4_a_prompt_with_files_is_admitted_once(ada: Person) -> None:
    ada.put(PNG)
    again = {"clientMsgId": "m-1"}
    first, second = (ada.send((PNG, "a.png"), **again).json() for _ in range(2))
    assert (first["duplicate"], second["duplicate"]) == (False, True)
    assert first["seq"] == second["seq"]
    assert told(ada.send((PNG, "b.png"), **again)) == (409, "fingerprint_conflict")
    assert told(ada.send(**again)) == (409, "fingerprint_conflict")
    # A repeat needs no bytes any more.
    BlobUpload.objects.all().delete()
    assert ada.send((PNG, "a.png"), **again).json()["duplicate"]


def test_a_prompt_has_ten_files_and_known_ones(ada: Person) -> None:
    ada.put(PNG)
    assert ada.send(*[(PNG, f"{n}.png") for n in range(10)]).status_code == 202
    assert told(ada.send(*[(PNG, f"{n}.png") for n in range(11)])) == (400, "invalid_request")
    assert told(ada.send((b"never", "a"))) == (404, "unknown_blob")
    assert told(ada.send(text=" ")) == (400, "invalid_request")
    for odd in ({"blob": "x", "name": "a"}, {"blob": name_of(PNG), "name": ""}, {"name": "a"}):
        assert told(ada.send(attachments=[odd])) == (400, "invalid_request")


def test_a_prompt_of_files_alone_may_lose_its_text_again(ada: Person) -> None:
    ada.put(PNG)
    session_id = ada.send((PNG, "a.png"), clientMsgId="m-1").json()["sessionId"]
    ada.send(sessionId=session_id, clientMsgId="m-2", agent=None)

    def edit(name: str) -> int:
        body = {"sessionId": session_id, "clientMsgId": name, "text": "", "version": 1}
        return ada.client.post(
            "/api/chat/edit", json.dumps(body), content_type="application/json"
        ).status_code

    assert (edit("m-1"), edit("m-2")) == (200, 400)


# --- Garbage ------------------------------------------------------------------------------------


def test_bytes_that_no_prompt_names_leave_after_a_day(ada: Person) -> None:
    ada.put(PNG)
    ada.put(SVG)
    ada.send((PNG, "a.png"))
    ada.put(b"12345", "bytes 0-4/9", name="0" * 64)
    old = timezone.now() - timedelta(days=1, minutes=1)
    Blob.objects.update(stored_at=old)
    BlobUpload.objects.update(stored_at=old)
    [part] = (data_dir() / "uploads").glob("*/*")
    day_ago = time.time() - parts.LEFT_OVER_S - 60
    os.utime(part, (day_ago, day_ago))
    call_command("collect_blobs")
    assert told(ada.get(SVG)) == (404, "unknown_blob")
    assert files.read(name_of(SVG)) is None
    assert not part.exists()
    # The session that names the other one keeps it, and may name it again.
    assert ada.get(PNG).content == PNG
    assert ada.send((PNG, "again.png")).status_code == 202


def test_naming_a_blob_keeps_it_from_the_collection_that_runs(ada: Person) -> None:
    ada.put(PNG)
    Blob.objects.update(stored_at=timezone.now() - timedelta(days=2))
    ada.put(PNG)  # the same bytes again: needed again
    call_command("collect_blobs")
    assert ada.send((PNG, "a.png")).status_code == 202
