"""Rules as rows: each user's own, for the chats of their scope, counted and recorded."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sessions.control import send
from sessions.core.errors import (
    InvalidRequest,
    TooManyRules,
    UnknownAgent,
    UnknownRule,
    UnknownSession,
)
from sessions.models import AuditEntry, Rule
from sessions.rules import rows
from sessions.rules.rows import Wanted

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada")


@pytest.fixture
def bob() -> User:
    return User.objects.create_user("bob")


def chat_of(user: User):
    return send.create_session(owner=user, agent="demo")


def make(user: User, scope: str, pattern: str = "ls", effect: str = "allow", **more) -> Rule:
    return rows.make(user, Wanted(scope, effect, "command", pattern, **more))


def found(session, owner: User | None = None) -> set[str]:
    rules = rows.of_chat(
        owner.pk if owner else session.owner_id,
        session_id=session.pk,
        folder=Path(session.cwd),
        agent=session.agent,
    )
    return {rule.pattern for rule in rules}


def test_a_rule_is_for_the_chats_of_its_scope(ada) -> None:
    chat, other = chat_of(ada), chat_of(ada)
    make(ada, "chat", "a", session_id=chat.pk)
    make(ada, "project", "b", session_id=chat.pk)
    make(ada, "agent", "c", session_id=chat.pk)
    make(ada, "agent", "d", agent="local")
    make(ada, "everywhere", "e")
    assert found(chat) == {"a", "b", "c", "e"}
    assert found(other) == {"c", "e"}


def test_rules_never_cross_users(ada, bob) -> None:
    mine, theirs = chat_of(ada), chat_of(bob)
    for scope in ("chat", "project", "agent", "everywhere"):
        make(ada, scope, scope, session_id=mine.pk)
    # The folder, the agent and even the chat are the same: the owner is not.
    assert found(mine, owner=bob) == set()
    assert found(theirs) == set()
    for scope in ("chat", "project", "agent"):
        with pytest.raises(UnknownSession):
            make(bob, scope, session_id=mine.pk)
    with pytest.raises(UnknownRule):
        rows.remove(bob, Rule.objects.first().pk)
    assert Rule.objects.count() == 4
    assert list(rows.of_user(bob)) == []


def test_a_project_is_its_folder_and_all_below(ada) -> None:
    chat = chat_of(ada)
    make(ada, "project", "b", session_id=chat.pk)
    inner = rows.of_chat(ada.pk, session_id=None, folder=Path(chat.cwd) / "x/y", agent="demo")
    beside = rows.of_chat(ada.pk, session_id=None, folder=Path(f"{chat.cwd}x"), agent="demo")
    assert [rule.pattern for rule in inner] == ["b"]
    assert beside == []


def test_the_same_rule_is_stored_once_and_all_are_bounded(ada, monkeypatch) -> None:
    monkeypatch.setattr(rows, "MAX_RULES", 2)
    first = make(ada, "everywhere", "git status")
    assert make(ada, "everywhere", " git   status *") == first
    make(ada, "everywhere", "git status", effect="deny")
    with pytest.raises(TooManyRules):
        make(ada, "everywhere", "ls")
    rows.remove(ada, first.pk)
    assert make(ada, "everywhere", "ls")


@pytest.mark.parametrize("scope", ["chat", "project", "agent"])
def test_a_scope_names_its_place(ada, scope) -> None:
    with pytest.raises(InvalidRequest):
        make(ada, scope)
    with pytest.raises(UnknownAgent):
        make(ada, "agent", agent="nobody")


def test_the_trail_tells_of_rules(ada) -> None:
    rule = make(ada, "everywhere", "git status")
    make(ada, "everywhere", "git status")
    rows.remove(ada, rule.pk)
    with pytest.raises(UnknownRule):
        rows.remove(ada, rule.pk)
    told = [(e.act, e.who, e.about) for e in AuditEntry.objects.filter(act__startswith="rule_")]
    about = f"rule:{rule.pk}"
    assert told == [("rule_made", "ada", about), ("rule_removed", "ada", about)]
    facts = {"scope": "everywhere", "effect": "allow", "kind": "command", "pattern": "git status"}
    assert AuditEntry.objects.filter(act="rule_made").get().facts == facts


def test_the_rules_of_a_chat_are_one_query(ada) -> None:
    chat = chat_of(ada)
    for number in range(20):
        make(ada, "everywhere", f"c{number}")
    with CaptureQueriesContext(connection) as asked:
        assert len(found(chat)) == 20
    assert len(asked) == 1
