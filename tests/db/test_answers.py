"""Answers to the permission requests and questions of an agent: only to those that were shown."""

import pytest
from django.contrib.auth import get_user_model

from sessions.control.permissions import answer_permission
from sessions.control.questions import answer_question
from sessions.control.send import create_session
from sessions.core.errors import DigestRequired, StaleRequest, UnknownPermission
from sessions.core.source import Source
from sessions.eventlog import snapshot, store
from sessions.eventlog.events import Draft
from sessions.models import AuditEntry, Session

REQUEST = {
    "permId": "p1",
    "toolName": "run",
    "title": "",
    "input": {"command": "ls"},
    "options": [{"id": "yes", "kind": "allow_once", "label": "Yes"}],
    "expiresAt": "2099-01-01T00:00:00.000Z",
}
QUESTION = {
    "questionId": "q1",
    "title": "Which?",
    "schema": {"type": "object", "properties": {"colour": {"type": "string"}}},
    "expiresAt": None,
}
SOURCE = Source(credential="token:7", name="ci", connection="c1")


@pytest.fixture
def owner(db):
    return get_user_model().objects.create_user("owner")


@pytest.fixture
def session_id(owner):
    return create_session(owner=owner).pk


def requested(session_id, **other):
    """Return the request of an agent that asks whether it may run a command."""
    store.append(session_id, [Draft("permission_request", REQUEST | other)])
    [request] = snapshot.take(session_id)["permissions"]
    return request


def questioned(session_id, **other):
    """Return the question of an agent that asks for a colour."""
    store.append(session_id, [Draft("question_asked", QUESTION | other)])
    [question] = snapshot.take(session_id)["questions"]
    return question


def answered(owner, session_id, about, facts):
    """Return the answer in the log; its source is there and in the trail, with these facts."""
    [entry] = AuditEntry.objects.filter(act="decision")
    assert (entry.who, entry.about) == (owner.get_username(), f"session:{session_id} {about}")
    assert (entry.credential, entry.credential_name, entry.connection) == ("token:7", "ci", "c1")
    assert entry.facts == facts | {"digest": "d1"}
    answer = store.read(session_id, after=0, limit=10)[-1].payload
    source = {
        "by": owner.get_username(),
        "reason": "answered",
        "digest": "d1",
        "credential": "token:7",
        "credentialName": "ci",
        "connectionId": "c1",
    }
    assert {key: answer.pop(key, None) for key in source} == source
    return answer


def test_an_unknown_permission_is_not_there(owner, session_id):
    with pytest.raises(UnknownPermission):
        answer_permission(
            user=owner, session_id=session_id, perm_id="none", option_id="yes", digest=None
        )


def test_an_answer_to_another_request_than_the_shown_one_is_refused(owner, session_id):
    request = requested(session_id, digest="d1")
    answer = {"user": owner, "session_id": session_id, "perm_id": "p1", "option_id": "yes"}
    for digest, refusal in ((None, DigestRequired), ("d2", StaleRequest), ("", StaleRequest)):
        with pytest.raises(refusal):
            answer_permission(**answer, digest=digest)
    assert snapshot.take(session_id)["permissions"] == [request]
    answer_permission(**answer, digest="d1", source=SOURCE)
    facts = {"decision": "yes", "kind": "allow_once"}
    resolved = answered(owner, session_id, "request:p1", facts)
    assert resolved == {"permId": "p1", "decision": "yes"}


def test_an_answer_to_another_question_than_the_shown_one_is_refused(owner, session_id):
    question = questioned(session_id, digest="d1")
    answer = {"user": owner, "session_id": session_id, "question_id": "q1", "action": "decline"}
    for digest in ("d2", ""):
        with pytest.raises(StaleRequest):
            answer_question(**answer, values=None, digest=digest)
    assert snapshot.take(session_id)["questions"] == [question]
    answer_question(**answer, values=None, digest="d1", source=SOURCE)
    facts = {"decision": "decline", "kind": "answer"}
    given = answered(owner, session_id, "question:q1", facts)
    assert given == {"questionId": "q1", "action": "decline", "values": {}}


@pytest.mark.parametrize(("asked", "answer"), [("d1", None), (None, None), (None, "d1")])
def test_a_client_or_an_older_version_may_name_no_digest_of_a_question(
    owner, session_id, asked, answer
):
    questioned(session_id, **({"digest": asked} if asked else {}))
    given = {"user": owner, "session_id": session_id, "question_id": "q1", "action": "accept"}
    answer_question(**given, values={"colour": "red"}, digest=answer)
    assert snapshot.take(session_id)["questions"] == []


def test_a_request_of_an_older_version_has_no_digest_and_can_be_answered(owner, session_id):
    request = requested(session_id)
    row = Session.objects.get()
    new = {"digest", "toolKind"}
    row.live["permissions"] = [{k: v for k, v in request.items() if k not in new}]
    Session.objects.update(live=row.live)
    assert snapshot.take(session_id)["permissions"] == [request]
    answer_permission(user=owner, session_id=session_id, perm_id="p1", option_id="yes", digest=None)
    assert snapshot.take(session_id)["permissions"] == []
