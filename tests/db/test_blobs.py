"""Bytes that events name: who may read them, how a browser takes them, which are garbage."""

import hashlib
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from model_bakery import baker

from sessions.core.errors import BlobsFull
from sessions.eventlog import drafts, store
from sessions.eventlog.blobs import files, rows
from sessions.models import Blob, BlobName, Session
from tests.support.browsing import bind_key

pytestmark = pytest.mark.django_db(transaction=True)

PNG = b"\x89PNG\r\n\x1a\n"
SVG = b"<svg onload='alert(1)'/>"


@pytest.fixture(autouse=True)
def _folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path


def name_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def session_of(user) -> Session:
    return baker.make(Session, owner=user, agent="demo")


def show(session: Session, data: bytes, mime: str) -> str:
    """Store bytes, then the event that names them."""
    sha256 = name_of(data)
    rows.put(session.pk, [(sha256, data)])
    image = {"blob": sha256, "mime": mime}
    result = drafts.tool_result(
        message_id="m", tool_id="t", status="completed", content="", images=[image]
    )
    store.append(session.pk, [result])
    return sha256


def test_an_image_is_shown_and_never_changes(client, django_user_model):
    user = django_user_model.objects.create_user("alice")
    client.force_login(user)
    sha256 = show(session_of(user), PNG, "image/png")
    answer = client.get(f"/api/blobs/{sha256}", headers=bind_key(client))
    assert (answer.status_code, answer.content) == (200, PNG)
    assert answer["Content-Type"] == "image/png"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["Cache-Control"] == "private, max-age=31536000, immutable"
    assert "Content-Disposition" not in answer


@pytest.mark.parametrize("mime", ["image/svg+xml", "text/html", "", "image/png\r\nX: y"])
def test_anything_that_could_run_is_saved_as_a_file(client, django_user_model, mime):
    user = django_user_model.objects.create_user("alice")
    client.force_login(user)
    sha256 = show(session_of(user), SVG, mime)
    answer = client.get(f"/api/blobs/{sha256}", headers=bind_key(client))
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment")


def test_i11_a_blob_of_another_user_does_not_exist(client, django_user_model):
    sha256 = show(session_of(django_user_model.objects.create_user("alice")), PNG, "image/png")
    assert client.get(f"/api/blobs/{sha256}").status_code == 401
    client.force_login(django_user_model.objects.create_user("bob"))
    answer = client.get(f"/api/blobs/{sha256}", headers=bind_key(client))
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_blob")


@pytest.mark.parametrize("name", ["x", "0" * 64, "..%2f..%2fsecret_key", "A" * 64])
def test_an_unknown_name_is_told_as_such(client, django_user_model, name):
    client.force_login(django_user_model.objects.create_user("alice"))
    assert client.get(f"/api/blobs/{name}", headers=bind_key(client)).status_code == 404


def test_what_no_event_names_is_removed_after_a_day(django_user_model, capsys):
    session = session_of(django_user_model.objects.create_user("alice"))
    named = show(session, PNG, "image/png")
    young, old = (b"young", b"old")
    for data in (young, old):
        rows.put(session.pk, [(name_of(data), data)])
    before = timezone.now() - timedelta(days=2)
    Blob.objects.filter(sha256__in=[named, name_of(old)]).update(stored_at=before)
    call_command("collect_blobs", "--dry-run")
    call_command("collect_blobs")
    assert capsys.readouterr().out == "1 blobs would be removed\n1 blobs removed\n"
    assert files.read(name_of(old)) is None
    assert (files.read(named), files.read(name_of(young))) == (PNG, young)
    # Stored again, it is there again.
    rows.put(session.pk, [(name_of(old), old)])
    assert files.read(name_of(old)) == old


def test_a_user_has_so_much_room_and_no_more(django_user_model, settings):
    settings.CHAT = settings.CHAT | {"BLOB_QUOTA_MB": 1}
    session = session_of(django_user_model.objects.create_user("alice"))
    show(session, b"x" * 700_000, "image/png")
    with pytest.raises(BlobsFull):
        rows.put(session.pk, [(name_of(b"y"), b"y" * 700_000)])
    other = session_of(django_user_model.objects.create_user("bob"))
    rows.put(other.pk, [(name_of(b"y"), b"y" * 700_000)])


def test_a_blob_is_named_once_in_a_session(django_user_model):
    session = session_of(django_user_model.objects.create_user("alice"))
    show(session, PNG, "image/png")
    show(session, PNG, "image/png")
    assert BlobName.objects.filter(session=session).count() == 1
    assert files.path_of(name_of(PNG)).parent.parent.name == name_of(PNG)[:2]
