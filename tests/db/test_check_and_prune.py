"""check_log finds what is wrong with a log; prune_events takes pieces and loses no word."""

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as how

from sessions.eventlog import audit, snapshot, store
from sessions.eventlog.events import Draft
from sessions.management import over
from sessions.management.commands import prune_events
from sessions.management.progress import Progress
from sessions.models import Event, Message, Prompt, Session
from tests.support.turns import logs

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ada")


def new_session(user: User, drafts: list[Draft] | None = None) -> Session:
    session = Session.objects.create(owner=user, agent="demo")
    created = {"title": "t", "agent": "demo", "mode": "", "cwd": "/"}
    store.append(session.pk, drafts or [Draft("session_created", created)])
    return session


def answer(number: int, *, ended: bool = True, words: int = 5) -> list[Draft]:
    message, turn = f"m{number}", f"t{number}"
    block = {"messageId": message, "blockId": "b1"}
    prompt = {"messageId": f"u{number}", "clientMsgId": f"c{number}", "text": "hello"}
    text = [f"word{n} " for n in range(words)]
    begun = [
        Draft("user_message", prompt),
        Draft("turn_start", {"turnId": turn, "clientMsgId": f"c{number}"}),
        Draft("message_start", {"messageId": message, "turnId": turn, "role": "assistant"}),
        Draft("block_start", {**block, "blockType": "text"}),
        *(Draft("block_delta", {**block, "delta": word}) for word in text),
    ]
    end = [
        Draft("block_end", {**block, "content": "".join(text)}),
        Draft("message_end", {"messageId": message}),
        Draft("turn_end", {"turnId": turn, "stopReason": "end_turn"}),
    ]
    return [*begun, *(end if ended else [])]


def problems(session: Session) -> str:
    return "\n".join(audit.check(session.pk).problems)


def run(*args: str) -> str:
    out = StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


# --- check_log ----------------------------------------------------------------------------------


def test_a_long_chat_is_checked_with_few_messages_in_memory(user, monkeypatch):
    monkeypatch.setattr(audit, "MESSAGES_AT_ONCE", 5)
    held = []
    real = audit.fold.fold

    def noted(folded, event):
        held.append(len(folded["messages"]))
        return real(folded, event)

    monkeypatch.setattr(audit.fold, "fold", noted)
    session = new_session(user)
    for number in range(40):
        store.append(session.pk, answer(number, words=1))
    waiting = {"messageId": "u", "clientMsgId": "c", "text": "still waiting"}
    store.append(session.pk, [Draft("user_message", waiting)])
    assert problems(session) == ""
    assert max(held) < 15
    rows = Message.objects.filter(session=session).order_by("seq")
    changed, gone, *_ = rows
    rows.filter(pk=changed.pk).update(data=changed.data | {"text": "another"})
    rows.filter(pk=gone.pk).delete()
    Message.objects.create(session=session, message_id="odd", seq=9_999, role="notice", data={})
    assert problems(session).splitlines() == [
        f"message {changed.seq} differs from the log",
        f"message {gone.seq} is only in the log",
        "message 9999 is only stored",
    ]


# The sessions of one test share a database: each example is its own session.
@how(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(logs())
def test_i12_every_well_formed_log_is_what_its_projection_says(
    user: User, drafts: list[Draft]
) -> None:
    session = Session.objects.create(owner=user, agent="demo")
    for at in range(0, len(drafts), 3):
        store.append(session.pk, drafts[at : at + 3])
    assert problems(session) == ""


def raw(sql: str, *params: object) -> None:
    """Do what no code of ours can: change the database behind the log's back."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def test_a_lost_event_is_found(user: User) -> None:
    session = new_session(user)
    store.append(session.pk, answer(1))
    lost = Event.objects.filter(session=session, type="block_delta")[1]
    raw("DELETE FROM chat_sessions_event WHERE id = %s", lost.pk)
    assert f"events {lost.seq}..{lost.seq} are missing and were not pruned" in problems(session)


def test_a_head_beyond_the_last_event_is_found(user: User) -> None:
    session = new_session(user)
    Session.objects.filter(pk=session.pk).update(head_seq=9)
    assert "the head is 9, the last event 1" in problems(session)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"title": "other"}, "title is 'other', the log says 't'"),
        ({"run_state": "running"}, "runState is 'running', the log says 'idle'"),
        ({"state": "ACTIVE"}, "state is 'ACTIVE', the log says 'CREATED'"),
    ],
)
def test_a_column_that_the_log_does_not_say_is_found(
    user: User, change: dict[str, str], sentence: str
) -> None:
    session = new_session(user)
    Session.objects.filter(pk=session.pk).update(**change)
    assert sentence in problems(session)


def test_a_changed_a_missing_and_an_extra_message_are_found(user: User) -> None:
    session = new_session(user)
    store.append(session.pk, [*answer(1), *answer(2)])
    first, second, third, _ = Message.objects.filter(session=session).order_by("seq")
    Message.objects.filter(pk=first.pk).update(data={**first.data, "text": "other"})
    Message.objects.filter(pk=second.pk).delete()
    Message.objects.filter(pk=third.pk).update(seq=999)
    found = problems(session)
    assert f"message {first.seq} differs from the log" in found
    assert f"message {second.seq} is only in the log" in found
    assert "message 999 is only stored" in found


def test_i4_a_receipt_without_its_prompt_is_found(user: User) -> None:
    session = new_session(user)
    store.append(session.pk, answer(1))
    for number, seq in ((1, 2), (2, 3)):
        Prompt.objects.create(
            owner=user, client_msg_id=f"c{number}", fingerprint="f", session=session, seq=seq
        )
    assert "prompt c2 has a receipt for event 3, which is not that prompt" in problems(session)
    assert "prompt c1 has a receipt" not in problems(session)


def test_a_turn_that_runs_is_no_problem_but_one_that_ended_twice_is(user: User) -> None:
    session = new_session(user)
    store.append(session.pk, answer(1, ended=False))
    assert problems(session) == ""
    twice = Draft("turn_end", {"turnId": "t1", "stopReason": "end_turn"})
    store.append(session.pk, [twice, twice])
    assert "turn t1 does not begin and end once" in problems(session)


def test_check_log_tells_all_and_ends_with_an_error(user: User) -> None:
    good, bad = new_session(user), new_session(user)
    assert run("check_log") == "2 sessions, 2 events, 0 problems\n"
    Session.objects.filter(pk=bad.pk).update(head_seq=7)
    assert run("check_log", "--session", str(good.pk)) == "1 sessions, 1 events, 0 problems\n"
    with pytest.raises(CommandError):
        run("check_log")
    with pytest.raises(CommandError, match="no session"):
        run("check_log", "--session", "6f1f6c0e-0a35-4a0c-8d2e-0f7a5a3b1c2d")


# --- prune_events -------------------------------------------------------------------------------


def later() -> object:
    return timezone.now() + timedelta(minutes=1)


def types(session: Session) -> list[str]:
    return [event.type for event in store.read(session.pk, after=0, limit=10_000)]


def test_pruning_takes_deltas_alone_and_no_text_is_lost(user: User) -> None:
    session = new_session(user)
    store.append(session.pk, [*answer(1), *answer(2)])
    before = snapshot.take(session.pk)
    kept = [kind for kind in types(session) if kind != "block_delta"]
    assert store.prune(session.pk, before=later(), limit=1_000).removed == 10
    assert types(session) == kept
    assert snapshot.take(session.pk) == before
    assert problems(session) == ""


def test_pruned_to_is_the_last_seq_that_went(user: User) -> None:
    session = new_session(user)
    store.append(session.pk, answer(1))
    last = Event.objects.filter(session=session, type="block_delta").last()
    store.prune(session.pk, before=later(), limit=1_000)
    assert store.boundary(session.pk).pruned_to == last.seq
    store.append(session.pk, answer(2, words=0))
    assert store.prune(session.pk, before=later(), limit=1_000).removed == 0
    assert store.boundary(session.pk).pruned_to == last.seq


def test_the_answer_in_flight_is_left_whole(user: User) -> None:
    session = new_session(user)
    store.append(session.pk, [*answer(1), *answer(2, ended=False)])
    before = snapshot.take(session.pk)["current"]
    assert store.prune(session.pk, before=later(), limit=1_000).removed == 5
    assert snapshot.take(session.pk)["current"] == before
    assert before["blocks"][0]["content"] == "word0 word1 word2 word3 word4 "
    assert problems(session) == ""


def test_what_is_younger_is_left_alone(user: User) -> None:
    session = new_session(user)
    store.append(session.pk, answer(1))
    assert (
        store.prune(session.pk, before=timezone.now() - timedelta(days=1), limit=1_000).removed == 0
    )


def test_a_batch_is_bounded_and_the_rest_follows(user: User) -> None:
    session = new_session(user)
    store.append(session.pk, answer(1, words=25))
    counts = [store.prune(session.pk, before=later(), limit=10).removed for _ in range(4)]
    assert counts == [10, 10, 5, 0]
    assert "block_delta" not in types(session)


def test_prune_events_counts_first_then_removes(user: User) -> None:
    session, other = new_session(user), new_session(user)
    store.append(session.pk, answer(1))
    store.append(other.pk, answer(1))
    head = store.get_head_seq(session.pk)
    assert run("prune_events", "--older-than", "0d", "--dry-run") == (
        "10 deltas of 2 sessions would be removed\n"
    )
    assert run("prune_events", "--older-than", "1d") == "0 deltas of 0 sessions removed\n"
    one = run("prune_events", "--older-than", "0m", "--session", str(session.pk))
    assert one == "5 deltas of 1 sessions removed\n"
    assert "block_delta" in types(other)
    assert store.get_head_seq(session.pk) == head
    assert "0 problems" in run("check_log")


def test_a_batch_begins_behind_the_last_one(user: User) -> None:
    session = new_session(user)
    store.append(session.pk, answer(1, words=25))
    first = store.prune(session.pk, before=later(), limit=10)
    with CaptureQueriesContext(connection) as captured:
        assert store.prune(session.pk, before=later(), limit=10, after=first.last).removed == 10
    [found] = [q["sql"] for q in captured if "LIMIT 10" in q["sql"]]
    assert f'"seq" > {first.last}' in found
    assert store.prune(session.pk, before=later(), limit=10, after=10**6) == store.Pruned(0, None)


def test_an_answer_that_begins_between_look_and_lock_is_left_whole(user: User, monkeypatch) -> None:
    session = new_session(user)
    store.append(session.pk, answer(1))
    looked = store._for_pruning

    def appended_meanwhile(session_id, *, is_locked=False):
        found = looked(session_id)
        if not is_locked:
            store.append(session_id, answer(2, ended=False))
        return found if not is_locked else looked(session_id, is_locked=True)

    monkeypatch.setattr(store, "_for_pruning", appended_meanwhile)
    assert store.prune(session.pk, before=later(), limit=1_000).removed == 5
    assert len(snapshot.take(session.pk)["current"]["blocks"][0]["content"].split()) == 5
    assert problems(session) == ""


@pytest.mark.parametrize("dry_run", [False, True])
def test_prune_events_reads_a_batch_at_a_time(user: User, monkeypatch, dry_run: bool) -> None:
    monkeypatch.setattr(prune_events, "BATCH", 10)
    monkeypatch.setattr(over, "PAGE", 2)
    for _ in range(5):
        store.append(new_session(user).pk, answer(1, words=25))
    with CaptureQueriesContext(connection) as captured:
        said = run("prune_events", "--older-than", "0d", *(["--dry-run"] if dry_run else []))
    assert said.startswith("125 deltas of 5 sessions")
    # Of each session batches of 10, 10, 5 and 0; of the sessions pages of 2, 2 and 1.
    assert sum("LIMIT 10" in query["sql"] for query in captured) == 20
    assert sum("LIMIT 2" in query["sql"] for query in captured) == 4
    assert run("prune_events", "--older-than", "0d").startswith("125" if dry_run else "0")


def test_check_log_reads_a_page_at_a_time(user: User, monkeypatch) -> None:
    monkeypatch.setattr(audit, "BATCH", 10)
    monkeypatch.setattr(audit, "MESSAGES_AT_ONCE", 2)
    monkeypatch.setattr(over, "PAGE", 2)
    session = new_session(user)
    store.append(session.pk, [*answer(1), *answer(2)])
    passed: list[int] = []
    assert audit.check(session.pk, told=passed.append).problems == []
    assert passed == [10, 20, store.get_head_seq(session.pk)]
    for _ in range(4):
        new_session(user)
    assert run("check_log") == "5 sessions, 29 events, 0 problems\n"


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_a_bar_on_a_terminal_and_rare_lines_in_a_log() -> None:
    now = [0.0]
    terminal, log = Terminal(), StringIO()
    shown = [Progress(200, "events", out, clock=lambda: now[0]) for out in (terminal, log)]
    for moment, done in ((0.1, 1), (1.0, 50), (1.1, 51), (11.0, 100)):
        now[0] = moment
        for progress in shown:
            progress.at(done)
    for progress in shown:
        progress.close()
    bars = terminal.getvalue().split("\r")[1:]
    assert [bar.split("]")[0].count("#") for bar in bars] == [8, 15]
    assert bars[0].endswith("25% 50 of 200 events, 3 s left\x1b[K")
    assert bars[-1].endswith("\n")
    assert log.getvalue() == " 50% 100 of 200 events, 11 s left\n"


def test_a_command_that_is_quick_shows_no_progress(user: User, capsys) -> None:
    new_session(user)
    run("check_log")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("age", ["90", "d", "-1d", "1w", "1.5d"])
def test_an_age_that_is_none_is_refused(age: str) -> None:
    with pytest.raises(CommandError, match="is not an age"):
        run("prune_events", f"--older-than={age}")
