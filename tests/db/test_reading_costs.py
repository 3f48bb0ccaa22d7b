"""Reads of the list, a snapshot and a page take two queries, at one row and at two hundred."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sessions.core.errors import UnknownSession
from sessions.eventlog import snapshot
from sessions.eventlog.bounded import messages
from sessions.eventlog.bounded.messages import BATCH_BYTES
from sessions.models import Message, Session
from sessions.personal import rows
from sessions.reading import queries
from tests.db.scripting import Script, answer, new_session, prompt

pytestmark = pytest.mark.django_db

ROWS = pytest.mark.parametrize("count", [1, 200])


def fill(session: Session, count: int) -> None:
    """Write finished messages into the rows that the reads look at."""
    made = [
        Message(
            session=session,
            message_id=f"u{seq}",
            seq=seq,
            role="user",
            text="hello",
            data={
                "role": "user",
                "messageId": f"u{seq}",
                "seq": seq,
                "turnId": None,
                "clientMsgId": f"c{seq}",
                "text": f"hello {seq}",
                "ts": "2026-11-23T08:00:00.123Z",
            },
        )
        for seq in range(2, count + 2)
    ]
    Message.objects.bulk_create(made)
    Session.objects.filter(pk=session.pk).update(head_seq=count + 1)


@ROWS
def test_the_list_takes_two_queries(ada: Script, django_assert_num_queries, count) -> None:
    for _ in range(count):
        session = new_session(ada)
    rows.pin(user=ada.user, session_id=session.pk, is_pinned=True)
    with django_assert_num_queries(2):
        page = queries.session_page(ada.user, limit=queries.MAX_PAGE)
    assert len(page["sessions"]) == count
    assert [row["sessionId"] for row in page["pinned"]] == [str(session.pk)]


@ROWS
def test_a_snapshot_takes_two_queries(ada: Script, django_assert_num_queries, count) -> None:
    session = new_session(ada)
    fill(session, count)
    rows.put_draft(user=ada.user, session_id=session.pk, text="and then", version=None)
    with django_assert_num_queries(2):
        found = queries.session_snapshot(ada.user, session.pk)
    assert [message["seq"] for message in found["messages"]] == list(
        range(max(2, count - 18), count + 2)
    )
    assert found["hasMore"] == (count > 20)
    assert found["personal"] == rows.of_person(ada.user, session.pk)
    assert found["personal"]["draft"] == "and then"


@ROWS
def test_a_page_takes_two_queries(ada: Script, django_assert_num_queries, count) -> None:
    session = new_session(ada)
    fill(session, count)
    with django_assert_num_queries(2):
        page = queries.message_page(ada.user, session.pk, before=None, limit=queries.MAX_PAGE)
    assert [message["seq"] for message in page["messages"]] == list(range(2, count + 2))
    with django_assert_num_queries(2):
        older = queries.message_page(ada.user, session.pk, before=count + 1, limit=3)
    assert len(older["messages"]) == min(3, count - 1)


def test_a_session_without_a_personal_row_has_an_empty_one(ada: Script) -> None:
    session = new_session(ada)
    session.personal.all().delete()
    found = queries.session_snapshot(ada.user, session.pk)
    assert found["personal"] == rows.of_person(ada.user, session.pk)


def test_another_users_session_is_unknown_to_both_reads(ada: Script, bob: Script) -> None:
    session = new_session(ada)
    prompt(session, "mine")
    for read in (
        lambda: queries.session_snapshot(bob.user, session.pk),
        lambda: queries.message_page(bob.user, session.pk, before=None, limit=5),
    ):
        with pytest.raises(UnknownSession):
            read()


def test_the_draft_of_one_person_is_not_in_the_snapshot_of_another(ada: Script, bob: Script):
    session = new_session(ada)
    rows.put_draft(user=ada.user, session_id=session.pk, text="hers", version=None)
    session.owner = bob.user
    session.save(update_fields=["owner"])
    assert queries.session_snapshot(bob.user, session.pk)["personal"]["draft"] == ""


def test_heavy_messages_are_read_batch_by_batch_and_told_the_same(ada: Script) -> None:
    session = new_session(ada)
    for _ in range(3):
        prompt(session, "x" * (BATCH_BYTES // 2))
        answer(session, "done")
    with CaptureQueriesContext(connection) as captured:
        page = queries.message_page(ada.user, session.pk, before=None, limit=10)
    assert len(captured) > 2
    known, _ = messages.page(session.pk, count=10, room=10 * BATCH_BYTES)
    assert page["messages"] == known
    assert [message["role"] for message in known] == ["user", "assistant"] * 3
    light, has_more = messages.page(session.pk, count=1, room=BATCH_BYTES, stored=1)
    assert (light, has_more) == (known[-1:], True)


def test_a_snapshot_without_messages_tells_none_and_weighs_none(
    ada: Script, django_assert_num_queries
) -> None:
    session = new_session(ada)
    prompt(session, "hello")
    with django_assert_num_queries(1):
        bare = snapshot.take(session.pk, messages=False)
    full = snapshot.take(session.pk)
    assert (bare["messages"], bare["oldestSeq"], bare["full"]) == ([], None, False)
    assert full["full"]
    assert len(full["messages"]) == 1
    assert {**bare, "messages": 0, "oldestSeq": 0, "full": 0} == {
        **full,
        "messages": 0,
        "oldestSeq": 0,
        "full": 0,
    }
