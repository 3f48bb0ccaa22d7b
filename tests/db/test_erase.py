"""Archived chats come back, or go permanently: with each row and file, and an entry of it."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.db import models

from sessions.control import send
from sessions.control.back.fork import fork
from sessions.control.erasing import erase
from sessions.core.db import in_thread
from sessions.core.source import Source
from sessions.eventlog import store
from sessions.eventlog.blobs import files, rows
from sessions.eventlog.drafts import user_message
from sessions.models import AuditEntry, Blob, Event, Message, Prompt, Session
from sessions.personal_models import Personal
from sessions.runner.leasing import leases
from sessions.search import engine
from sessions.trail.record import Act
from sessions.workspace import folders
from sessions.workspace.checkpoints import keeping
from tests.db.scripting import Script, answer, new_session, path_of, prompt
from tests.support.running import running_chat

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _folder(settings, tmp_path) -> None:
    settings.DATA_DIR = tmp_path


def listed(person: Script, **query: Any) -> list[str]:
    return [row["title"] for row in person.json("/api/sessions", **query)["sessions"]]


def with_file(session: Session, data: bytes) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    rows.put(session.pk, [(sha256, data)])
    named = {"blob": sha256, "name": "a", "mime": "image/png", "size": len(data)}
    draft = user_message(message_id=sha256, client_msg_id=sha256, text="t", attachments=[named])
    store.append(session.pk, [draft])
    return sha256


def test_an_archived_chat_is_listed_apart_and_comes_back(ada: Script, bob: Script) -> None:
    session = new_session(ada, "one")
    new_session(ada, "two")
    ada.delete(path_of(session))
    assert (listed(ada), listed(ada, state="archived")) == (["two"], ["one"])
    restore = path_of(session, "/restore")
    assert bob.client.post(restore, headers=bob.headers).status_code == 404
    back = ada.client.post(restore, headers=ada.headers)
    assert back.json()["session"]["archivedAt"] is None
    assert (sorted(listed(ada)), listed(ada, state="archived")) == (["one", "two"], [])


def test_a_prompt_puts_an_archived_chat_back_and_leaves_an_entry(ada: Script) -> None:
    session = new_session(ada, "one")
    ada.delete(path_of(session))
    for _ in range(2):  # the second one finds it on the list
        send.send_message(
            user=ada.user, client_msg_id=uuid.uuid4().hex, session_id=session.pk, text="go on"
        )
    assert (listed(ada), listed(ada, state="archived")) == (["one"], [])
    [entry] = AuditEntry.objects.filter(act=Act.SESSION_RESTORED)
    assert (entry.who, entry.about) == (ada.user.username, f"session:{session.pk}")
    assert entry.facts == {"by": "prompt"}


def test_a_deleted_chat_leaves_an_entry_and_nothing_else(ada: Script) -> None:
    doomed, kept = new_session(ada, "doomed"), new_session(ada, "kept")
    for session in (doomed, kept):
        prompt(session, "a secret word")
        answer(session, "an answer", tool=True)
    shared, alone = with_file(doomed, b"shared"), with_file(doomed, b"alone")
    with_file(kept, b"shared")
    ada.put(path_of(doomed, "/draft"), {"text": "half"})
    folder = folders.own_folder(doomed.pk)
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("x")
    send.send_message(user=ada.user, client_msg_id="w", session_id=doomed.pk, text="waits")
    before = Event.objects.filter(session=kept).count()
    gone = ada.delete(path_of(doomed) + "?permanently=true")
    assert gone.json() == {"ok": True}, gone.content
    assert ada.get(path_of(doomed)).status_code == 404
    for relation in Session._meta.get_fields(include_hidden=True):
        if isinstance(relation, models.ManyToOneRel):
            found = models.QuerySet(relation.related_model).filter(
                **{relation.field.name: doomed.pk}
            )
            assert not found.exists(), relation.related_model
    assert not folder.exists()
    assert files.read(alone) is None
    assert files.read(shared) == b"shared"
    assert list(Blob.objects.values_list("sha256", flat=True)) == [shared]
    hits = ada.json("/api/search", q="secret")["results"]
    assert [hit["sessionId"] for hit in hits] == [str(kept.pk)]
    found = engine.current().find(engine.Query(["secret"], ada.user.pk, None, None, 10))
    assert len(found) == 1
    assert Event.objects.filter(session=kept).count() == before
    entry = AuditEntry.objects.get(act="session_deleted")
    assert (entry.who, entry.about) == ("ada", f"session:{doomed.pk} of ada")
    assert entry.credential.startswith("token:")
    again = ada.delete(path_of(doomed) + "?permanently=true")
    assert (again.status_code, again.json()["code"]) == (404, "unknown_session")


def test_a_folder_goes_with_the_last_chat_that_has_it_and_with_its_kept_states(
    ada: Script, tmp_path: Path
) -> None:
    origin = new_session(ada, "origin")
    prompt(origin, "t")
    folder = folders.own_folder(origin.pk)
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("x")
    made = fork(user=ada.user, session_id=origin.pk, at=1)
    for session_id in (origin.pk, made.session_id):
        assert keeping.keep(session_id, str(folder), []).files == 1
    ada.delete(path_of(origin) + "?permanently=true")
    assert (folder / "notes.txt").read_text() == "x"
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1
    ada.delete(f"/api/sessions/{made.session_id}?permanently=true")
    assert not folder.exists()
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_another_persons_chat_is_not_deleted(ada: Script, bob: Script) -> None:
    session = new_session(ada)
    assert bob.delete(path_of(session) + "?permanently=true").status_code == 404
    assert Session.objects.filter(pk=session.pk, archived_at=None).exists()


def test_a_chat_that_a_runner_holds_is_not_deleted(ada: Script, monkeypatch) -> None:
    session = new_session(ada)
    prompt(session, "t")
    assert leases.claim(session.pk, "runner") is not None
    monkeypatch.setattr(erase, "WAIT_S", 0.2)
    refused = ada.delete(path_of(session) + "?permanently=true")
    assert (refused.status_code, refused.json()["code"]) == (409, "still_running")
    assert int(refused["Retry-After"]) > 0
    assert Message.objects.filter(session=session).exists()
    assert Personal.objects.filter(session=session).exists()


async def test_a_running_agent_is_stopped_before_its_chat_is_deleted() -> None:
    async with running_chat() as chat:
        receipt = await in_thread(
            lambda: send.send_message(
                user=chat.user, client_msg_id="m", session_id=None, text="/slow 500", agent="demo"
            )
        )
        await chat.until(receipt.session_id, lambda s: s["current"] is not None)
        await in_thread(
            lambda: send.send_message(
                user=chat.user, client_msg_id="n", session_id=receipt.session_id, text="waits"
            )
        )
        await erase.erase(user=chat.user, session_id=receipt.session_id, source=Source())

        def left() -> list[int]:
            tables = (Session, Event, Message, Prompt)
            return [table.objects.count() for table in tables]

        assert await in_thread(left) == [0, 0, 0, 0]
