"""Prompts that wait: withdrawn, edited, moved; a prompt is changed or it runs, never both (I4)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client

from sessions.access import tokens
from sessions.control import interrupt, prompts, queue, send
from sessions.core.errors import (
    ChatError,
    Dispatched,
    InvalidRequest,
    NotWaiting,
    PromptTooLarge,
    UnknownPrompt,
    UnknownSession,
    VersionConflict,
)
from sessions.eventlog import audit, drafts, snapshot, store
from sessions.eventlog.events import StopReason
from sessions.eventlog.lease import Lease
from sessions.models import Message, Prompt, Session
from sessions.reading.blocks import block_page
from sessions.runner.leasing import leases, recovery

pytestmark = pytest.mark.django_db(transaction=True)

# Together a thousand races on each database.
ROUNDS = {"withdraw": 400, "edit": 400, "reorder": 200}


class Chat:
    """A session of one person, and the runner that holds it."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.session = send.create_session(owner=user, agent="demo")
        self.id = self.session.pk

    def lease(self) -> Lease:
        lease = leases.claim(self.id, "runner")
        assert lease is not None
        return lease

    def prompt(self, name: str, text: str = "hello") -> str:
        send.send_message(user=self.user, client_msg_id=name, session_id=self.id, text=text)
        return name

    def withdraw(self, name: str) -> None:
        queue.withdraw(user=self.user, session_id=self.id, client_msg_id=name)

    def edit(self, name: str, text: str, version: int = 1) -> int:
        return queue.edit(
            user=self.user, session_id=self.id, client_msg_id=name, text=text, version=version
        )

    def reorder(self, *names: str) -> None:
        queue.reorder(user=self.user, session_id=self.id, client_msg_ids=names)

    def waiting(self) -> list[str]:
        """Return the queue, as rows and snapshot tell it."""
        told = [each["clientMsgId"] for each in snapshot.take(self.id)["queue"]]
        rows = prompts.waiting(self.id).values_list("client_msg_id", flat=True)
        assert list(rows) == told
        assert audit.check(self.id).problems == []
        return told

    def events(self, *types: str) -> list[dict[str, Any]]:
        return [e.envelope() for e in store.read(self.id, after=0, limit=10_000, types=types)]

    def run(self, lease: Lease, prompt: prompts.AcceptedPrompt | None) -> str:
        """Hand a prompt over, and end its turn; return its text."""
        assert prompt is not None
        turn_id = prompts.new_turn_id()
        prompts.dispatch(lease, prompt, turn_id)
        end = drafts.turn_end(turn_id=turn_id, stop_reason=StopReason.END_TURN)
        prompts.finish(lease, turn_id, end)
        return prompt.text


@pytest.fixture
def chat(user: User, settings) -> Chat:
    settings.CHAT = {"SENDS_PER_MINUTE": 100_000}
    return Chat(user)


def message_of(chat: Chat, name: str) -> Message:
    return Message.objects.get(session=chat.id, client_msg_id=name)


# --- Withdrawing --------------------------------------------------------------------------------


def test_i4_a_withdrawn_prompt_never_runs_and_stays_in_the_log(chat: Chat) -> None:
    lease = chat.lease()
    chat.prompt("one")
    taken = prompts.next_accepted(chat.id)
    chat.withdraw("one")
    assert chat.waiting() == []
    with pytest.raises(NotWaiting):
        chat.run(lease, taken)
    [event] = chat.events("prompt_withdrawn")
    assert (event["clientMsgId"], event["by"]) == ("one", "ada")
    assert message_of(chat, "one").data["promptState"] == "withdrawn"
    again = send.send_message(user=chat.user, client_msg_id="one", session_id=chat.id, text="hello")
    assert again.duplicate
    assert prompts.next_accepted(chat.id) is None
    assert chat.waiting() == []


def test_withdrawing_twice_is_withdrawing_once(chat: Chat) -> None:
    chat.lease()
    chat.prompt("one")
    chat.withdraw("one")
    head = store.get_head_seq(chat.id)
    chat.withdraw("one")
    assert store.get_head_seq(chat.id) == head


def test_a_session_whose_only_prompt_is_withdrawn_ends_unless_a_runner_has_it(chat: Chat) -> None:
    chat.prompt("one")
    chat.prompt("two")
    chat.withdraw("one")
    assert Session.objects.get(pk=chat.id).state == "CREATED"
    chat.withdraw("two")
    assert Session.objects.get(pk=chat.id).state == "ENDED"
    chat.prompt("three")
    chat.lease()
    chat.withdraw("three")
    assert Session.objects.get(pk=chat.id).state == "CREATED"
    assert chat.waiting() == []


# --- Editing ------------------------------------------------------------------------------------


def test_i4_the_agent_gets_the_text_of_the_last_edit(chat: Chat) -> None:
    lease = chat.lease()
    chat.prompt("one", "first words")
    assert chat.edit("one", "second words") == 2
    assert chat.edit("one", "third words", version=2) == 3
    data = message_of(chat, "one").data
    assert (data["text"], data["version"]) == ("third words", 3)
    assert chat.run(lease, prompts.next_accepted(chat.id)) == "third words"
    assert chat.waiting() == []


def test_an_edit_of_another_version_changes_nothing(chat: Chat) -> None:
    chat.lease()
    chat.prompt("one")
    chat.edit("one", "mine")
    with pytest.raises(VersionConflict) as refused:
        chat.edit("one", "theirs")
    assert refused.value.fields["version"] == 2
    assert message_of(chat, "one").data["text"] == "mine"
    assert chat.waiting() == ["one"]


def test_a_prompt_edited_after_it_was_read_is_read_again(chat: Chat) -> None:
    lease = chat.lease()
    chat.prompt("one", "old")
    stale = prompts.next_accepted(chat.id)
    chat.edit("one", "new")
    with pytest.raises(NotWaiting):
        chat.run(lease, stale)
    assert chat.run(lease, prompts.next_accepted(chat.id)) == "new"


def test_the_limits_of_a_prompt_hold_for_an_edit(chat: Chat, settings) -> None:
    settings.CHAT = {"MAX_PROMPT_BYTES": 10}
    chat.lease()
    chat.prompt("one")
    with pytest.raises(InvalidRequest):
        chat.edit("one", "  \n")
    with pytest.raises(PromptTooLarge):
        chat.edit("one", "x" * 11)
    assert chat.waiting() == ["one"]


def test_search_and_long_texts_have_the_edited_text(chat: Chat) -> None:
    chat.lease()
    chat.prompt("one", "a heron")
    chat.edit("one", "a kingfisher")
    assert message_of(chat, "one").text == "a kingfisher"
    page = block_page(chat.user, chat.id, message_of(chat, "one").message_id, part="text", start=0)
    assert page["text"] == "a kingfisher"


# --- The order ----------------------------------------------------------------------------------


def test_prompts_run_in_their_new_order(chat: Chat) -> None:
    lease = chat.lease()
    for name in "abcd":
        chat.prompt(name, name)
    chat.reorder("d", "c", "b", "a")
    chat.prompt("e", "e")
    assert chat.waiting() == ["d", "c", "b", "a", "e"]
    chat.reorder("a", "d")  # they share the places that they had
    assert chat.waiting() == ["a", "c", "b", "d", "e"]
    texts = [chat.run(lease, prompts.next_accepted(chat.id)) for _ in range(5)]
    assert texts == ["a", "c", "b", "d", "e"]
    assert chat.waiting() == []


def test_the_same_order_is_no_event(chat: Chat) -> None:
    chat.lease()
    chat.prompt("a")
    chat.prompt("b")
    chat.reorder("a", "b")
    assert chat.events("queue_reordered") == []


def test_a_prompt_that_was_overtaken_is_not_handed_over(chat: Chat) -> None:
    lease = chat.lease()
    chat.prompt("a", "a")
    chat.prompt("b", "b")
    first = prompts.next_accepted(chat.id)
    chat.reorder("b", "a")
    with pytest.raises(NotWaiting):
        chat.run(lease, first)
    assert chat.run(lease, prompts.next_accepted(chat.id)) == "b"


def test_a_name_twice_is_refused(chat: Chat) -> None:
    chat.prompt("a")
    with pytest.raises(InvalidRequest):
        chat.reorder("a", "a")


def test_i10_a_stop_means_moved_prompts_too(chat: Chat) -> None:
    """The last prompt runs first, but the stop came before it: it alone stays."""
    lease = chat.lease()
    chat.prompt("a")
    chat.prompt("b")
    stopped_at = store.get_head_seq(chat.id) + 1
    store.append(chat.id, [drafts.interrupt_requested(by="ada", stop=True)])
    chat.prompt("c")
    chat.reorder("c", "b", "a")
    assert prompts.refuse_waiting(lease, before=stopped_at)
    assert chat.waiting() == ["c"]
    chat.withdraw("c")
    assert recovery.recover(lease) is False


def test_i10_a_stop_is_found_by_recovery_in_front_of_a_moved_prompt(chat: Chat) -> None:
    chat.prompt("a")
    store.append(chat.id, [drafts.interrupt_requested(by="ada", stop=True)])
    chat.prompt("b")
    chat.reorder("b", "a")
    recovery.recover(chat.lease())
    assert chat.waiting() == ["b"]


# --- Refusals -----------------------------------------------------------------------------------

CHANGES: dict[str, Callable[[Chat, str], object]] = {
    "withdraw": lambda chat, name: chat.withdraw(name),
    "edit": lambda chat, name: chat.edit(name, "other"),
    "reorder": lambda chat, name: chat.reorder(name),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_prompt_that_does_not_wait_is_not_changed(chat: Chat, change: str) -> None:
    lease = chat.lease()
    chat.prompt("one")
    chat.run(lease, prompts.next_accepted(chat.id))
    head = store.get_head_seq(chat.id)
    with pytest.raises(Dispatched) as refused:
        CHANGES[change](chat, "one")
    assert refused.value.fields["promptState"] == "answered"
    with pytest.raises(UnknownPrompt):
        CHANGES[change](chat, "never sent")
    assert store.get_head_seq(chat.id) == head


@pytest.mark.parametrize("change", CHANGES)
def test_i11_another_user_changes_nothing(chat: Chat, change: str) -> None:
    chat.prompt("one")
    chat.user = User.objects.create_user("bob")
    with pytest.raises(UnknownSession):
        CHANGES[change](chat, "one")


@pytest.mark.usefixtures("stream_threads")
def test_the_statuses_on_the_wire(chat: Chat) -> None:
    headers = {"Authorization": f"Bearer {tokens.create_token(chat.user)}"}

    def post(name: str, **body: object) -> tuple[int, str | None]:
        answer = Client(headers=headers).post(
            f"/api/chat/{name}",
            json.dumps({"sessionId": str(chat.id), **body}),
            content_type="application/json",
        )
        return answer.status_code, answer.json().get("code")

    lease = chat.lease()
    for name in ("one", "two", "three"):
        chat.prompt(name)
    edited = {"clientMsgId": "two", "text": "other", "version": 1}
    assert post("edit", **edited) == (200, None)
    assert post("edit", **edited) == (409, "version_conflict")
    assert post("reorder", clientMsgIds=["three", "two"]) == (200, None)
    assert chat.waiting() == ["one", "three", "two"]
    assert post("unqueue", clientMsgId="three") == (200, None)
    chat.run(lease, prompts.next_accepted(chat.id))
    assert post("unqueue", clientMsgId="one") == (409, "dispatched")
    assert post("edit", **edited | {"clientMsgId": "one"}) == (409, "dispatched")
    assert post("reorder", clientMsgIds=["two", "one"]) == (409, "dispatched")
    assert post("unqueue", clientMsgId="never") == (404, "unknown_prompt")
    assert post("edit", **edited | {"version": 0})[0] == 400
    assert post("reorder", clientMsgIds=[])[0] == 400


# --- Send now -----------------------------------------------------------------------------------


def test_send_now_moves_the_prompt_and_stops_the_turn(chat: Chat) -> None:
    lease = chat.lease()
    for name in "abc":
        chat.prompt(name, name)
    turn_id = prompts.new_turn_id()
    running = prompts.next_accepted(chat.id)
    assert running is not None
    prompts.dispatch(lease, running, turn_id)
    request = {"turn_id": None, "text": None, "client_msg_id": "c", "stop": False}
    assert interrupt._request(chat.user, chat.id, **request) is not None
    [asked] = chat.events("interrupt_requested")
    assert asked["turnId"] == turn_id
    assert chat.waiting() == ["c", "b"]


def test_send_now_without_a_turn_stops_no_waiting_prompt(chat: Chat) -> None:
    chat.lease()
    chat.prompt("a")
    chat.prompt("b")
    request = {"turn_id": None, "text": None, "client_msg_id": "b", "stop": False}
    assert interrupt._request(chat.user, chat.id, **request) is None
    assert chat.events("interrupt_requested") == []
    assert chat.waiting() == ["b", "a"]
    with pytest.raises(UnknownPrompt):
        interrupt._request(chat.user, chat.id, **request | {"client_msg_id": "never"})


# --- Races --------------------------------------------------------------------------------------


Both = Callable[[Callable[[], object], Callable[[], object]], list[object]]


def at_once(threads: ThreadPoolExecutor, *calls: Callable[[], object]) -> list[object]:
    """Run two calls at the same moment; return their results or errors."""
    start = threading.Barrier(2)

    def run(call: Callable[[], object]) -> object:
        start.wait(timeout=60)
        try:
            return call()
        except ChatError as exc:
            return exc

    return list(threads.map(run, calls))


@pytest.fixture
def both() -> Iterator[Both]:
    """Two threads that keep their connections over all rounds, and close them at the end."""
    with ThreadPoolExecutor(2) as threads:
        yield partial(at_once, threads)
        at_once(threads, connections.close_all, connections.close_all)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("change", CHANGES)
def test_i4_a_change_and_the_handover_at_once_are_one_of_them(
    chat: Chat, both: Both, change: str
) -> None:
    """Never both texts, never none: of each prompt one of them, as its answer says."""
    lease = chat.lease()
    for number in range(ROUNDS[change]):
        name, other = f"p{number}", f"q{number}"
        chat.prompt(name, "old")
        if change == "reorder":
            chat.prompt(other, "other")
        taken = prompts.next_accepted(chat.id)
        assert taken is not None
        turn_id = prompts.new_turn_id()

        def hand_over(taken: prompts.AcceptedPrompt = taken, turn_id: str = turn_id) -> str:
            prompts.dispatch(lease, taken, turn_id)
            return taken.text

        changes: dict[str, Callable[[], object]] = {
            "withdraw": lambda name=name: chat.withdraw(name),
            "edit": lambda name=name: chat.edit(name, "new"),
            "reorder": lambda name=name, other=other: chat.reorder(other, name),
        }
        handed, changed = both(hand_over, changes[change])
        is_handed, is_changed = handed == "old", not isinstance(changed, ChatError)
        assert is_handed is not is_changed, (handed, changed)
        assert isinstance(handed, NotWaiting) or isinstance(changed, Dispatched)
        if is_handed:
            end = drafts.turn_end(turn_id=turn_id, stop_reason=StopReason.END_TURN)
            prompts.finish(lease, turn_id, end)
        expected = {"withdraw": [], "edit": ["new"], "reorder": ["other", "old"]}[change]
        if is_handed:
            expected = ["other"] if change == "reorder" else []
        texts = []
        while (following := prompts.next_accepted(chat.id)) is not None:
            texts.append(chat.run(lease, following))
        assert texts == expected
    assert Prompt.objects.open().filter(session=chat.id).count() == 0
    assert audit.check(chat.id).problems == []


# --- Databases of before ------------------------------------------------------------------------


def test_a_row_of_an_older_version_tells_its_queue_by_its_prompts(chat: Chat) -> None:
    chat.lease()
    chat.prompt("a")
    chat.prompt("b")
    row = Session.objects.get(pk=chat.id)
    live = {name: value for name, value in row.live.items() if name != "queue"}
    Session.objects.filter(pk=chat.id).update(live=live)
    assert chat.waiting() == ["a", "b"]
    chat.withdraw("a")
    assert "queue" in Session.objects.get(pk=chat.id).live
    assert chat.waiting() == ["b"]


# --- check_log ----------------------------------------------------------------------------------


def test_i4_check_log_finds_a_prompt_that_left_the_queue_otherwise(chat: Chat) -> None:
    chat.lease()
    for name in "abc":
        chat.prompt(name)
    chat.edit("a", "other")
    chat.withdraw("b")
    assert audit.check(chat.id).problems == []
    Prompt.objects.filter(client_msg_id="a").update(version=1, place=10**6)
    Prompt.objects.filter(client_msg_id="b").update(state=Prompt.State.ACCEPTED)
    found = "\n".join(audit.check(chat.id).problems)
    assert "prompt a has version 1, the log says 2" in found
    assert "prompt b is accepted and left the queue 1 times" in found
    assert "the prompts wait in the order ['b', 'c', 'a'], the log says ['a', 'c']" in found


def test_i4_check_log_finds_edits_that_cannot_be(chat: Chat) -> None:
    chat.prompt("a")
    store.append(
        chat.id,
        [
            drafts.prompt_edited(client_msg_id="a", text="x", version=3, by="ada"),
            drafts.prompt_withdrawn(client_msg_id="a", by="ada"),
            drafts.prompt_edited(client_msg_id="a", text="y", version=4, by="ada"),
        ],
    )
    found = "\n".join(audit.check(chat.id).problems)
    assert "prompt a has no version before 3" in found
    assert "prompt a was edited after it had left the queue" in found
