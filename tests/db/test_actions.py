"""What may be asked of a session, and I4: a prompt is admitted exactly once."""

import os
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connections
from django.utils import timezone

from sessions.control import lifecycle
from sessions.control import settings as changes
from sessions.control.send import create_session, send_message
from sessions.core.errors import (
    FingerprintConflict,
    FolderRefused,
    InvalidRequest,
    InvalidTransition,
    PromptTooLarge,
    RateLimited,
    TooManyPrompts,
    UnknownAgent,
    UnknownMode,
    UnknownSession,
)
from sessions.core.host import process_name
from sessions.core.states import SessionState
from sessions.eventlog import store
from sessions.eventlog.events import Draft
from sessions.models import Event, Prompt, Session
from sessions.runner.leasing import leases


@pytest.fixture
def owner(db):
    return get_user_model().objects.create_user("owner")


def send(owner, text="hello", client_msg_id="c1", session_id=None, **more):
    return send_message(
        user=owner, client_msg_id=client_msg_id, session_id=session_id, text=text, **more
    )


def test_a_receipt_means_that_the_prompt_is_in_the_log(owner):
    receipt = send(owner)
    events = store.read(receipt.session_id, after=0, limit=10)
    assert [event.type for event in events] == ["session_created", "user_message"]
    assert events[1].seq == receipt.seq
    assert events[1].payload["text"] == "hello"
    assert not receipt.duplicate


def test_i4_the_same_prompt_again_is_the_same_receipt(owner):
    first = send(owner)
    again = send(owner)
    assert (again.session_id, again.seq, again.duplicate) == (first.session_id, first.seq, True)
    assert Event.objects.filter(type="user_message").count() == 1


@pytest.mark.parametrize(
    "change", [{"text": "other"}, {"mode": "auto"}, {"session_id": "other"}, {"agent": "demo"}]
)
def test_another_body_under_the_same_id_changes_nothing(owner, change):
    send(owner)
    if "session_id" in change:
        change = {"session_id": send(owner, client_msg_id="c2").session_id}
    before = Event.objects.count()
    with pytest.raises(FingerprintConflict):
        send(owner, **change)
    assert Event.objects.count() == before


def test_ids_are_per_user(owner, django_user_model):
    other = django_user_model.objects.create_user("other")
    assert send(owner).session_id != send(other, text="mine").session_id


@pytest.mark.django_db(transaction=True)
def test_i4_twenty_at_once_are_one_prompt_in_one_session():
    owner = get_user_model().objects.create_user("owner")

    def one(_):
        try:
            return send(owner)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as pool:
        receipts = list(pool.map(one, range(20)))
    assert len({(r.session_id, r.seq) for r in receipts}) == 1
    assert [r.duplicate for r in receipts].count(False) == 1
    assert Event.objects.filter(type="user_message").count() == 1
    assert Session.objects.count() == Prompt.objects.count() == 1


def test_another_users_session_does_not_exist(owner, django_user_model):
    receipt = send(owner)
    stranger = django_user_model.objects.create_superuser("stranger")
    with pytest.raises(UnknownSession):
        send(stranger, session_id=receipt.session_id)
    with pytest.raises(UnknownSession):
        changes.rename(user=stranger, session_id=receipt.session_id, title="mine")


@pytest.mark.parametrize("text", ["", "   \n"])
def test_an_empty_prompt_is_refused(owner, text):
    with pytest.raises(InvalidRequest):
        send(owner, text=text)


@pytest.mark.parametrize("client_msg_id", ["", "x" * 101, "nul\x00"])
def test_an_odd_id_is_refused(owner, client_msg_id):
    with pytest.raises(InvalidRequest):
        send(owner, client_msg_id=client_msg_id)


def test_size_is_counted_in_bytes(owner, settings):
    settings.CHAT = {"MAX_PROMPT_BYTES": 10}
    send(owner, text="ä" * 5)
    with pytest.raises(PromptTooLarge):
        send(owner, text="ä" * 6, client_msg_id="c2")


def test_too_many_prompts_a_minute_say_when_to_come_back(owner, settings):
    settings.CHAT = {"SENDS_PER_MINUTE": 2}
    send(owner, client_msg_id="1")
    send(owner, client_msg_id="2")
    with pytest.raises(RateLimited) as refused:
        send(owner, client_msg_id="3")
    assert 1 <= refused.value.fields["retryAfter"] <= 61
    assert send(owner, client_msg_id="1").duplicate
    Prompt.objects.update(created_at=timezone.now() - timedelta(seconds=61))
    send(owner, client_msg_id="3")


def test_a_clock_that_was_set_back_refuses_no_prompt(owner, settings):
    settings.CHAT = {"SENDS_PER_MINUTE": 2}
    send(owner, client_msg_id="1")
    send(owner, client_msg_id="2")
    Prompt.objects.update(created_at=timezone.now() + timedelta(hours=1))
    send(owner, client_msg_id="3")


def test_a_session_takes_only_so_many_waiting_prompts(owner, settings):
    settings.CHAT = {"MAX_QUEUED_PROMPTS": 2}
    session_id = send(owner, client_msg_id="1").session_id
    send(owner, client_msg_id="2", session_id=session_id)
    with pytest.raises(TooManyPrompts):
        send(owner, client_msg_id="3", session_id=session_id)


def test_an_unknown_agent_is_refused(owner):
    with pytest.raises(UnknownAgent):
        send(owner, agent="hal9000")
    assert not Session.objects.exists()


def test_a_prompt_to_an_ended_session_opens_it_again(owner):
    session_id = send(owner).session_id
    lifecycle.move(session_id, SessionState.ENDED, "test")
    send(owner, client_msg_id="2", session_id=session_id)
    assert Session.objects.get().state == "CREATED"


def test_folders_outside_the_roots_are_refused(owner, settings, tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "project").mkdir(parents=True)
    outside.mkdir()
    (root / "way-out").symlink_to(outside)
    settings.CHAT = {"WORKSPACE_ROOTS": str(root)}
    receipt = send(owner, cwd=str(root / "project"))
    assert Session.objects.get(pk=receipt.session_id).cwd == str(root / "project")
    for number, bad in enumerate(
        [outside, root / "way-out", root / "project/../../outside", root / "none", "project", "/"]
    ):
        with pytest.raises(FolderRefused):
            send(owner, client_msg_id=f"bad{number}", cwd=str(bad))


@pytest.mark.parametrize(
    "cwd",
    [
        "~nosuchuser/x",
        "{root}/" + "x" * 300,
        "{root}/" + "/x" * 2000,
        "{root}/closed/inside",
        "{root}/loop",
        "{root}/\ud800",
        "{root}/" + "/".join(["d" * 200] * 6),
    ],
)
def test_a_folder_that_cannot_be_looked_at_is_refused(owner, settings, tmp_path, cwd):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "/".join(["d" * 200] * 6)).mkdir(parents=True)
    (tmp_path / "closed").mkdir(mode=0)
    settings.CHAT = {"WORKSPACE_ROOTS": str(tmp_path)}
    with pytest.raises(FolderRefused):
        send(owner, cwd=cwd.format(root=tmp_path))
    assert not Session.objects.exists()


def test_without_roots_every_named_folder_is_refused(owner):
    with pytest.raises(FolderRefused):
        send(owner, cwd="/tmp")


def test_an_invalid_move_raises_and_changes_nothing(owner):
    session_id = send(owner).session_id
    head = store.get_head_seq(session_id)
    with pytest.raises(InvalidTransition):
        lifecycle.move(session_id, SessionState.SUSPENDED, "test")
    assert store.get_head_seq(session_id) == head
    assert Session.objects.get().state == "CREATED"


def test_a_move_is_one_event_with_its_reason(owner):
    session_id = send(owner).session_id
    [event] = lifecycle.move(session_id, SessionState.STARTING, "prompt")
    assert event.payload == {
        "from": "CREATED",
        "state": "STARTING",
        "runState": "idle",
        "reason": "prompt",
    }
    assert lifecycle.move(session_id, SessionState.STARTING, "prompt") == []


def test_watchers_move_a_live_session_and_only_once(owner):
    session_id = send(owner).session_id
    for state in (SessionState.STARTING, SessionState.ACTIVE):
        lifecycle.move(session_id, state, "test")
    seen = []
    for foreground, background in [(1, 0), (1, 0), (0, 1), (0, 0), (2, 1), (0, 0)]:
        lifecycle.set_presence(session_id, foreground=foreground, background=background)
        seen.append(Session.objects.get().state)
    assert seen == ["ACTIVE", "ACTIVE", "SUSPENDED", "SUSPENDED", "ACTIVE", "DETACHED"]
    moves = [e for e in store.read(session_id, after=0, limit=100) if "from" in e.payload]
    assert len(moves) == 5


def offer_modes(session_id):
    modes = [{"id": "ask", "label": "Ask"}, {"id": "auto", "label": "Auto"}]
    store.append(session_id, [Draft("agent_started", {"modes": modes, "resumed": False})])


def test_only_an_offered_mode_is_taken(owner):
    session_id = send(owner).session_id
    with pytest.raises(UnknownMode):
        changes.set_mode(user=owner, session_id=session_id, mode="auto")
    offer_modes(session_id)
    changes.set_mode(user=owner, session_id=session_id, mode="auto")
    assert Session.objects.get().mode == "auto"
    with pytest.raises(UnknownMode):
        changes.set_mode(user=owner, session_id=session_id, mode="root")


def test_a_person_whose_name_is_agent_is_not_taken_for_the_agent(db):
    person = get_user_model().objects.create_user("agent")
    session_id = send(person).session_id
    offer_modes(session_id)
    changes.set_mode(user=person, session_id=session_id, mode="auto")
    events = store.read(session_id, after=0, limit=10)
    [changed] = [event for event in events if event.type == "mode_changed"]
    assert changed.payload["by"] == "user agent"


@pytest.mark.parametrize("title", ["", "   ", "x" * 201])
def test_an_odd_title_is_refused(owner, title):
    with pytest.raises(InvalidRequest):
        changes.rename(user=owner, session_id=send(owner).session_id, title=title)


def test_a_closed_session_that_still_has_prompts_keeps_them(owner):
    receipt = send(owner)
    changes.close(user=owner, session_id=receipt.session_id)
    assert Session.objects.get().state == "CREATED"
    assert Prompt.objects.get().state == "accepted"


def test_a_closed_session_without_prompts_ends_at_once_and_is_reopened_by_the_next(owner):
    session = create_session(owner=owner, agent="demo")
    changes.close(user=owner, session_id=session.pk)
    assert Session.objects.get().state == "ENDED"
    changes.close(user=owner, session_id=session.pk)
    send(owner, session_id=session.pk)
    again = Session.objects.get()
    assert (again.state, again.closes_when_done) == ("CREATED", False)


@pytest.mark.parametrize(
    ("way", "after"),
    [
        ([], "CREATED"),
        ([SessionState.STARTING], "STARTING"),
        ([SessionState.STARTING, SessionState.ACTIVE], "CLOSING"),
        ([SessionState.STARTING, SessionState.ACTIVE, SessionState.DETACHED], "CLOSING"),
        ([SessionState.STARTING, SessionState.ACTIVE, SessionState.SUSPENDED], "CLOSING"),
    ],
)
def test_a_close_is_kept_by_every_live_state(owner, way, after):
    session_id = send(owner).session_id
    for state in way:
        lifecycle.move(session_id, state, "test")
    changes.close(user=owner, session_id=session_id)
    changes.close(user=owner, session_id=session_id)
    session = Session.objects.get()
    assert (session.state, session.closes_when_done) == (after, True)


@pytest.mark.parametrize(
    ("foreground", "background", "state"),
    [(1, 0, "ACTIVE"), (0, 1, "SUSPENDED"), (0, 0, "DETACHED")],
)
def test_an_agent_that_is_up_is_where_its_watchers_say(owner, foreground, background, state):
    session_id = send(owner).session_id
    lifecycle.move(session_id, SessionState.STARTING, "test")
    lifecycle.set_presence(session_id, foreground=foreground, background=background)
    lifecycle.agent_is_up(session_id, lease=leases.claim(session_id, "one"))
    session = Session.objects.get()
    assert (session.state, session.foreground, session.background) == (
        state,
        foreground,
        background,
    )


# --- Leases -------------------------------------------------------------------------------------


def waiting_sessions():
    return [waiting.session_id for waiting in leases.waiting(10)]


def test_sessions_with_prompts_or_left_live_are_found_and_claimed_only_once(owner):
    waiting = send(owner).session_id
    orphan = send(owner, client_msg_id="2").session_id
    Prompt.objects.filter(session=orphan).update(state="done")
    idle = send(owner, client_msg_id="3").session_id
    Prompt.objects.filter(session=idle).update(state="done")
    lifecycle.move(orphan, SessionState.STARTING, "test")
    assert (waiting_sessions(), leases.orphaned(10)) == ([waiting], [orphan])
    lease = leases.claim(waiting, "one")
    assert lease is not None
    assert leases.claim(waiting, "two") is None
    assert (waiting_sessions(), leases.orphaned(10)) == ([], [orphan])
    leases.release(lease)
    assert leases.claim(waiting, "two").epoch == lease.epoch + 1


def test_an_expired_lease_is_free_and_renewal_tells_who_lost(owner, settings):
    settings.CHAT = {"LEASE_S": 0.3}
    session_id = send(owner).session_id
    lease = leases.claim(session_id, "one")
    assert leases.renew("one", [session_id]) == {session_id}
    Session.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert leases.claim(session_id, "two") is not None
    assert leases.renew("one", [session_id]) == set()
    leases.release(lease)
    assert Session.objects.get().runner_id == "two"


def test_unknown_sessions_are_unknown(owner):
    unknown = uuid.uuid4()
    with pytest.raises(UnknownSession):
        send(owner, session_id=unknown)
    with pytest.raises(UnknownSession):
        lifecycle.set_presence(unknown, foreground=1, background=0)


def test_a_session_of_a_runner_that_was_killed_here_is_free_at_once(owner):
    killed = subprocess.Popen([sys.executable, "-c", "pass"])
    killed.wait()
    host = process_name().rsplit(":", 2)[0]
    runners = {
        f"{host}:{killed.pid}:0123abcd.1": True,
        f"{host}:{os.getpid()}:0123abcd.1": True,  # the pid of the last one, as in a container
        f"{process_name()}.1": False,
        f"{host}:1:0123abcd.1": False,  # runs
        f"another-{host}:{killed.pid}:0123abcd.1": False,  # nobody knows
    }
    held = {}
    for number, runner in enumerate(runners):
        session_id = send(owner, client_msg_id=str(number)).session_id
        assert leases.claim(session_id, runner) is not None
        held[runner] = session_id
    leases.expire_dead_here()
    free = set(waiting_sessions())
    assert {runner: held[runner] in free for runner in runners} == runners
