"""Drafts, read marks and pins: a person's own, the same on every device, never in the log."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections as database

from lab.rig.waiting import PATIENCE_S
from sessions.control.send import create_session
from sessions.core.errors import DraftConflict, UnknownSession
from sessions.eventlog import store
from sessions.eventlog.drafts import notice
from sessions.eventlog.events import Draft
from sessions.models import Event, Session
from sessions.personal import comments, rows
from sessions.personal.shapes import Personal as Shown
from sessions.personal_models import Personal
from sessions.reading import queries
from sessions.reading import shapes as listed_as
from tests.db.scripting import Script, answer, new_session, path_of
from tests.db.test_api_schemas import check
from transport.asgi import Writer
from transport.live.node import Node
from transport.live.personal import MAX_TOLD_CHARS
from transport.live.stream import Stream
from transport.rows import connections, pool

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("stream_threads"),
]


def end_turn(session: Session) -> int:
    answer(session, "done")
    [event] = store.append(
        session.pk, [Draft("turn_end", {"turnId": "t", "stopReason": "end_turn"})]
    )
    return event.seq


def listed(person: Script, session: Session) -> dict[str, Any]:
    [row] = [
        row
        for row in person.json("/api/sessions")["sessions"]
        if row["sessionId"] == str(session.pk)
    ]
    return row


def test_a_draft_is_kept_and_another_devices_is_not_overwritten_in_silence(ada: Script) -> None:
    session = new_session(ada)
    path = path_of(session, "/draft")
    first = ada.put(path, {"text": "from the desk\n  ", "version": 0})
    assert first.status_code == 200, first.content
    check(Shown, first.json()["personal"])
    assert first.json()["personal"]["draftVersion"] == 1
    late = ada.put(path, {"text": "from the phone", "version": 0})
    assert (late.status_code, late.json()["code"]) == (409, "version_conflict")
    assert (late.json()["draft"], late.json()["version"]) == ("from the desk\n  ", 1)
    # The same text again is no conflict, whatever its writer had seen.
    assert ada.put(path, {"text": "from the desk\n  ", "version": 0}).status_code == 200
    assert ada.put(path, {"text": "from the phone", "version": 1}).status_code == 200
    assert ada.put(path, {"text": "a script"}).json()["personal"]["draftVersion"] == 3
    detail = ada.json(path_of(session))
    check(listed_as.SessionDetail, detail)
    assert (detail["personal"]["draft"], detail["draftVersion"]) == ("a script", 3)
    taken = ada.json(path_of(session, "/snapshot"))
    assert taken["personal"] == detail["personal"]
    assert not Event.objects.filter(payload__icontains="script").exists()


@pytest.mark.parametrize("text", ["x" * 262_145, "\u00e9" * 131_073])
def test_a_draft_is_bounded_in_bytes(ada: Script, text: str) -> None:
    session = new_session(ada)
    refused = ada.put(path_of(session, "/draft"), {"text": text})
    assert (refused.status_code, refused.json()["code"]) == (413, "prompt_too_large")
    assert ada.json(path_of(session))["draftVersion"] == 0


@pytest.mark.parametrize(
    ("part", "body"),
    [
        ("/draft", {}),
        ("/draft", {"text": None}),
        ("/draft", {"text": "t", "version": -1}),
        ("/draft", {"text": "t", "version": "1"}),
        ("/draft", {"text": "t", "version": 2**63}),
        ("/draft", {"text": "t", "user": 2}),
        ("/read", {}),
        ("/read", {"seq": -1}),
        ("/read", {"seq": 2**53}),
        ("/read", {"seq": True}),
        ("/pin", {"pinned": "yes"}),
    ],
)
def test_malformed_changes_are_refused(ada: Script, part: str, body: dict[str, Any]) -> None:
    session = new_session(ada)
    refused = ada.put(path_of(session, part), body)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")
    assert rows.of_person(ada.user, session.pk)["version"] == 0


def test_signs_that_no_database_holds_are_cleaned_from_a_draft(ada: Script) -> None:
    session = new_session(ada)
    assert ada.put(path_of(session, "/draft"), {"text": "a\0b\ud800c"}).status_code == 200
    draft = ada.json(path_of(session))["personal"]["draft"]
    assert draft[0] + draft[-1] == "ac"
    assert "\0" not in draft


def test_an_answer_is_unread_until_its_end_was_seen(ada: Script) -> None:
    session = new_session(ada)
    assert not listed(ada, session)["isUnread"]
    seq = end_turn(session)
    assert listed(ada, session)["isUnread"]
    read = ada.put(path_of(session, "/read"), {"seq": seq - 1})
    assert read.json()["personal"]["readSeq"] == seq - 1
    assert listed(ada, session)["isUnread"]
    ada.put(path_of(session, "/read"), {"seq": seq})
    row = listed(ada, session)
    assert (row["isUnread"], row["readSeq"]) == (False, seq)
    # What is no answer leaves it read, and a mark neither falls nor passes the head.
    store.append(session.pk, [notice(kind="x", text="a word")])
    ada.put(path_of(session, "/read"), {"seq": 1})
    assert (listed(ada, session)["isUnread"], listed(ada, session)["readSeq"]) == (False, seq)
    ada.put(path_of(session, "/read"), {"seq": 2**53 - 1})
    assert listed(ada, session)["readSeq"] == seq + 1
    end_turn(session)
    assert listed(ada, session)["isUnread"]


def test_a_chat_of_a_version_without_marks_is_read(ada: Script) -> None:
    session = new_session(ada)
    end_turn(session)
    Personal.objects.all().delete()
    assert not listed(ada, session)["isUnread"]
    ada.put(path_of(session, "/pin"))
    assert not listed(ada, session)["isUnread"]
    end_turn(session)
    assert listed(ada, session)["isUnread"]


def test_pinned_chats_stand_apart_and_in_their_order(ada: Script) -> None:
    chats = [new_session(ada, title) for title in ("one", "two", "three")]
    for session in (chats[0], chats[2]):
        assert ada.put(path_of(session, "/pin")).json()["personal"]["pinnedAt"]
    page = ada.json("/api/sessions")
    check(listed_as.SessionPage, page)
    assert [row["title"] for row in page["pinned"]] == ["three", "one"]
    assert [row["title"] for row in page["sessions"]] == ["three", "two", "one"]
    assert ada.json("/api/sessions", q="one")["pinned"] == []
    assert ada.json("/api/sessions", state="CREATED")["pinned"] == []
    ada.put(path_of(chats[0], "/pin"), {"pinned": False})
    ada.delete(path_of(chats[1]))
    ada.put(path_of(chats[1], "/pin"), {"pinned": True})
    assert [row["title"] for row in ada.json("/api/sessions")["pinned"]] == ["three"]
    assert ada.delete(path_of(chats[2], "/pin")).json()["personal"]["pinnedAt"] is None
    assert ada.json("/api/sessions")["pinned"] == []


def test_pins_are_bounded(ada: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_PINS", 1)
    one, two = new_session(ada), new_session(ada)
    assert ada.put(path_of(one, "/pin")).status_code == 200
    refused = ada.put(path_of(two, "/pin"))
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_pins")
    assert ada.put(path_of(one, "/pin")).status_code == 200


def test_the_list_takes_two_queries_however_long_it_is(
    ada: Script, django_assert_num_queries
) -> None:
    for title in ("one", "two", "three"):
        ada.put(path_of(new_session(ada, title), "/pin"))
    with django_assert_num_queries(2):
        page = queries.session_page(ada.user, limit=10)
    assert len(page["pinned"]) == 3


def test_of_two_devices_at_once_one_draft_wins_and_the_other_is_told(ada: Script) -> None:
    session = new_session(ada)

    def write(text: str) -> str:
        try:
            rows.put_draft(user=ada.user, session_id=session.pk, text=text, version=0)
            told = "kept"
        except DraftConflict:
            told = "conflict"
        finally:
            database.close_all()
        return told

    for number in range(20):
        Personal.objects.all().delete()  # both make the row
        with ThreadPoolExecutor(2) as threads:
            told = list(threads.map(write, [f"a{number}", f"b{number}"]))
        assert sorted(told) == ["conflict", "kept"]
        won = "ab"[told.index("kept")]
        assert rows.of_person(ada.user, session.pk)["draft"] == f"{won}{number}"


def test_rows_go_with_their_session_and_their_person(ada: Script, bob: Script) -> None:
    session = new_session(ada)
    with pytest.raises(UnknownSession):
        rows.pin(user=bob.user, session_id=session.pk, is_pinned=True)
    assert Personal.objects.filter(user=bob.user).count() == 0
    assert bob.get(path_of(session)).status_code == 404


class Device:
    """A stream of a person, and the personal news that came over it."""

    def __init__(self, node: Node, user: User, opened: connections.Opened) -> None:
        self.news: list[dict[str, Any]] = []
        writer = Writer(self._take)
        self.stream = Stream(
            opened.id, hub=node.hub, writer=writer, spread_ms=node.spread_ms, user_id=user.pk
        )
        node.add(self.stream)
        self.task = asyncio.create_task(self.stream.run())

    async def _take(self, part: dict[str, Any]) -> None:
        for line in part["body"].splitlines():
            if line.startswith(b"data: ") and b"personal_changed" in line:
                self.news.append(json.loads(line[6:])["personal"])

    async def hears(self, **wanted: Any) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for news in self.news:
                    if wanted.items() <= news.items():
                        return news
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        self.stream.end()
        await self.task


async def test_a_change_is_told_to_all_streams_of_its_person_and_to_no_other() -> None:
    def prepared() -> tuple[User, User, Session, list[connections.Opened]]:
        ada, bob = User.objects.create_user("ada"), User.objects.create_user("bob")
        session = create_session(owner=ada, agent="demo")
        opened = [
            connections.open_connection(user, user_agent="", watches=[]) for user in (ada, ada, bob)
        ]
        return ada, bob, session, opened

    ada, bob, session, opened = await pool.run(prepared)
    here, there = Node(), Node()
    devices = [Device(here, ada, opened[0]), Device(there, ada, opened[1])]
    stranger = Device(there, bob, opened[2])

    async def write(text: str) -> None:
        await pool.run(
            partial(rows.put_draft, user=ada, session_id=session.pk, text=text, version=None)
        )
        here.personal_changed()  # the other process finds it by its tail

    try:
        await write("half a prompt")
        for device in devices:
            news = await device.hears(draft="half a prompt")
            assert news["sessionId"] == str(session.pk)
        await write("x" * (MAX_TOLD_CHARS + 1))
        for device in devices:
            await device.hears(draft=None, draftVersion=2)
        await pool.run(partial(rows.pin, user=ada, session_id=session.pk, is_pinned=True))
        await pool.run(partial(rows.mark_read, user=ada, session_id=session.pk, seq=1))
        for device in devices:
            news = await device.hears(version=4)
            assert (news["readSeq"], bool(news["pinnedAt"])) == (1, True)
            versions = [told["version"] for told in device.news]
            assert versions == sorted(set(versions)), "each version once, in order"
        assert stranger.news == []
    finally:
        for device in [*devices, stranger]:
            await device.close()
        await here.stop()
        await there.stop()


def comment_path(session: Session, name: str = "c-1") -> str:
    return path_of(session, f"/comments/{name}")


COMMENT = {"path": "src/roof.py", "line": 7, "isOld": True, "quote": "x = 1", "text": "Why?"}


def test_comments_are_kept_once_replaced_and_removed(ada: Script) -> None:
    session = new_session(ada)
    first = ada.put(comment_path(session), COMMENT)
    assert first.status_code == 200, first.content
    check(Shown, first.json()["personal"])
    # The same comment again, as after a lost answer, is no change.
    assert ada.put(comment_path(session), COMMENT).json() == first.json()
    assert ada.put(comment_path(session, "c-2"), COMMENT | {"text": "And this?"}).status_code == 200
    changed = ada.put(comment_path(session), COMMENT | {"text": "Really?"})
    assert changed.json()["personal"]["commentsVersion"] == 3
    listed = ada.json(path_of(session, "/comments"))
    assert listed == {
        "ok": True,
        "version": 3,
        "comments": [
            {"id": "c-1", **COMMENT, "text": "Really?"},
            {"id": "c-2", **COMMENT, "text": "And this?"},
        ],
    }
    for _ in range(2):
        gone = ada.delete(comment_path(session))
        assert (gone.status_code, gone.json()["personal"]["commentsVersion"]) == (200, 4)
    [left] = ada.json(path_of(session, "/comments"))["comments"]
    assert left["id"] == "c-2"
    assert ada.json(path_of(session))["commentsVersion"] == 4
    assert not Event.objects.filter(payload__icontains="And this").exists()


def test_comments_are_their_persons_alone(ada: Script, bob: Script) -> None:
    session = new_session(ada)
    ada.put(comment_path(session), COMMENT)
    assert bob.get(path_of(session, "/comments")).status_code == 404
    assert bob.put(comment_path(session), COMMENT).status_code == 404
    assert bob.delete(comment_path(session)).status_code == 404
    assert len(ada.json(path_of(session, "/comments"))["comments"]) == 1


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("c-1", {"text": ""}),
        ("c-1", {"text": " \n"}),
        ("c-1", {"text": "x" * 4_001}),
        ("c-1", {"quote": "x" * 501}),
        ("c-1", {"path": ""}),
        ("c-1", {"path": "x" * 4_097}),
        ("c-1", {"path": "a\0b"}),
        ("c-1", {"line": 0}),
        ("c-1", {"line": "7"}),
        ("c-1", {"line": 2**63}),
        ("c-1", {"isOld": "yes"}),
        ("c-1", {"user": 2}),
        ("x" * 65, {}),
        ("c%0A", {}),
        ("c%20d", {}),
    ],
)
def test_a_malformed_comment_is_refused(ada: Script, name: str, change: dict[str, Any]) -> None:
    session = new_session(ada)
    refused = ada.put(comment_path(session, name), COMMENT | change)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")
    assert ada.json(path_of(session, "/comments"))["comments"] == []


def test_signs_that_no_database_holds_are_cleaned_from_a_comment(ada: Script) -> None:
    session = new_session(ada)
    odd = COMMENT | {"text": "a\0b\ud800c", "quote": "\0"}
    assert ada.put(comment_path(session), odd).status_code == 200
    [kept] = ada.json(path_of(session, "/comments"))["comments"]
    assert "\0" not in kept["text"] + kept["quote"]


def test_a_chat_has_a_hundred_comments_and_not_more(
    ada: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comments, "MOST", 2)
    session = new_session(ada)
    for name in ("one", "two"):
        assert ada.put(comment_path(session, name), COMMENT).status_code == 200
    refused = ada.put(comment_path(session, "three"), COMMENT)
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_comments")
    assert ada.put(comment_path(session, "two"), COMMENT | {"line": 8}).status_code == 200
    ada.delete(comment_path(session, "one"))
    assert ada.put(comment_path(session, "three"), COMMENT).status_code == 200
