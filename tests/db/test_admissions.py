"""Admissions: few statements for each, and one commit for those that arrive together (I4)."""

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext

from sessions.access import tokens
from sessions.control.admission import together
from sessions.control.admission.sent import Sent
from sessions.control.admission.standing import Receipt
from sessions.control.send import create_session, send_message
from sessions.core.errors import FingerprintConflict, InvalidRequest, RateLimited, UnknownSession
from sessions.eventlog import store
from sessions.models import Event, Message, Prompt, Session

# Lock, standing, head, event, message, session, prompt.
STATEMENTS = 7

REFUSE = {
    "sqlite": "CREATE TRIGGER refusal BEFORE INSERT ON {table} "
    "WHEN NEW.client_msg_id = 'refused' BEGIN SELECT RAISE(ABORT, 'refused'); END",
    "postgresql": "ALTER TABLE {table} ADD CONSTRAINT refusal CHECK (client_msg_id <> 'refused')",
}
ACCEPT = {
    "sqlite": "DROP TRIGGER refusal",
    "postgresql": "ALTER TABLE {table} DROP CONSTRAINT refusal",
}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sessions(user: User) -> list[Session]:
    return [create_session(owner=user, agent="demo") for _ in range(4)]


@pytest.fixture
def woken() -> Iterator[list[Any]]:
    """The sessions of which this process was told that they were committed."""
    told: list[Any] = []

    def note(*, session_id: Any, **_: Any) -> None:
        told.append(session_id)

    store.committed.connect(note)
    yield told
    store.committed.disconnect(note)


def sent(user: User, session: Session, text: str = "hello", name: str = "") -> Sent:
    return Sent(user, name or uuid.uuid4().hex, session.pk, text)


def statements(captured: CaptureQueriesContext) -> list[str]:
    """Return the statements between the begin and the end of a transaction."""
    around = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK")
    asked = [query["sql"].strip() for query in captured.captured_queries]
    return [sql for sql in asked if not sql.upper().startswith(around)]


def commits(captured: CaptureQueriesContext) -> int:
    return sum(query["sql"].strip() == "COMMIT" for query in captured.captured_queries)


def test_an_admission_takes_seven_statements_however_long_the_chat_is(
    user, sessions, settings
) -> None:
    settings.CHAT = settings.CHAT | {"SENDS_PER_MINUTE": "1000"}
    session = sessions[0]
    for _ in range(2):
        with CaptureQueriesContext(connection) as captured:
            send_message(
                user=user, client_msg_id=uuid.uuid4().hex, session_id=session.pk, text="hello"
            )
        assert len(statements(captured)) == STATEMENTS, statements(captured)
        assert commits(captured) == 1
        for _ in range(30):
            [receipt] = together.send_all([sent(user, session)])
            assert isinstance(receipt, Receipt)


def test_prompts_of_many_sessions_share_one_commit_and_all_are_told(user, sessions, woken) -> None:
    prompts = [sent(user, session) for session in sessions]
    with CaptureQueriesContext(connection) as captured:
        receipts = together.send_all(prompts)
    assert commits(captured) == 1
    assert len(statements(captured)) == STATEMENTS * len(prompts)
    for prompt, receipt in zip(prompts, receipts, strict=True):
        assert receipt == Receipt(prompt.client_msg_id, prompt.session_id, 2, duplicate=False)
        assert Event.objects.get(session_id=prompt.session_id, seq=2).type == "user_message"
        assert Message.objects.get(session_id=prompt.session_id).seq == 2
    assert sorted(woken) == sorted(session.pk for session in sessions)


def test_the_same_prompt_twice_in_one_commit_is_admitted_once(user, sessions) -> None:
    prompt = sent(user, sessions[0])
    receipts = together.send_all([prompt, prompt])
    assert sorted(receipt.duplicate for receipt in receipts) == [False, True]
    assert {receipt.seq for receipt in receipts} == {2}
    assert Prompt.objects.count() == 1


def test_a_refused_prompt_costs_itself_alone(user, sessions, settings) -> None:
    settings.CHAT = settings.CHAT | {"SENDS_PER_MINUTE": "3"}
    stranger = create_session(owner=User.objects.create_user("eve"), agent="demo")
    good = [sent(user, session) for session in sessions[:3]]
    conflict = sent(user, sessions[0], "another text", good[0].client_msg_id)
    outcomes = together.send_all(
        [*good, conflict, sent(user, sessions[1], " "), sent(user, stranger)]
    )
    assert all(isinstance(outcome, Receipt) for outcome in outcomes[:3])
    assert isinstance(outcomes[3], FingerprintConflict)
    assert isinstance(outcomes[4], InvalidRequest)
    # The stranger's session is asked for behind the limit or before it, by the order of the ids.
    assert isinstance(outcomes[5], UnknownSession | RateLimited)
    assert store.get_head_seq(stranger.pk) == 1
    assert isinstance(together.send_all([sent(user, sessions[3])])[0], RateLimited)
    assert Prompt.objects.count() == 3


def test_a_stranger_learns_nothing_of_a_full_queue(user, sessions, settings) -> None:
    together.send_all([sent(user, sessions[0])])
    settings.CHAT = settings.CHAT | {"MAX_QUEUED_PROMPTS": "1"}
    eve = User.objects.create_user("eve")
    [outcome] = together.send_all([sent(eve, sessions[0])])
    assert isinstance(outcome, UnknownSession)


@pytest.fixture
def refused_name() -> Iterator[str]:
    """A name of a prompt that the database itself refuses."""
    table = Prompt._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(REFUSE[connection.vendor].format(table=table))
        yield "refused"
        cursor.execute(ACCEPT[connection.vendor].format(table=table))


def test_a_commit_that_the_database_refuses_is_tried_prompt_by_prompt(
    user, sessions, woken, refused_name
) -> None:
    prompts = [sent(user, session) for session in sessions[:3]]
    bad = sent(user, sessions[3], name=refused_name)
    outcomes = together.send_all([bad, *prompts])
    assert isinstance(outcomes[0], DatabaseError)
    assert [outcome.duplicate for outcome in outcomes[1:]] == [False] * 3
    assert [store.get_head_seq(session.pk) for session in sessions] == [2, 2, 2, 1]
    # The transaction that was undone has told of nothing.
    assert sorted(woken) == sorted(session.pk for session in sessions[:3])


@pytest.fixture
def token(user: User) -> str:
    return tokens.create_token(user)


async def test_posts_that_arrive_together_are_admitted_together(
    token, sessions, monkeypatch, stream_threads
) -> None:
    made: list[int] = []
    admit = together.send_all

    def noted(prompts: Sequence[Sent]) -> list[Any]:
        made.append(len(prompts))
        return admit(prompts)

    monkeypatch.setattr(together, "send_all", noted)
    client = AsyncClient()
    headers = {"Authorization": f"Bearer {token}"}

    async def post(session: Session) -> int:
        body = {"clientMsgId": uuid.uuid4().hex, "sessionId": str(session.pk), "text": "hello"}
        answer = await client.post(
            "/api/chat/send", body, content_type="application/json", headers=headers
        )
        return answer.status_code

    posts = [post(sessions[place % len(sessions)]) for place in range(24)]
    assert set(await asyncio.gather(*posts)) == {202}
    assert sum(made) == 24
    assert len(made) < 24, "no two of them shared a commit"
    assert await Prompt.objects.acount() == 24
