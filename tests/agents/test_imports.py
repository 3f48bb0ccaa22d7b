"""Chats that began outside of Backstay: listed by an agent, drawn once, continued by it."""

import json
import sys
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio
import pytest
from django.contrib.auth import get_user_model

from sessions.agent_models import ImportedChat
from sessions.agents.chats.occupied import RECENT_S
from sessions.control.back.fork import fork
from sessions.control.back.rewind import rewind
from sessions.core.db import in_thread
from sessions.core.errors import Forbidden, UnknownChat
from sessions.eventlog import audit, fold, snapshot, store
from sessions.models import AuditEntry, Event, Message, Session
from sessions.runner.imports import importing, listing
from sessions.runner.imports.importing import import_chat
from sessions.trail.record import Act
from tests.agents.test_odd_agents import ODD
from tests.support.running import assert_well_formed, running_chat

pytestmark = pytest.mark.django_db(transaction=True)

LONG_AGO = "2026-01-02T03:04:05.000Z"


class Workshop:
    """A folder in which the agent `odd` has chats, and its user."""

    def __init__(self, folder: Path, user) -> None:
        self.folder, self.user = folder, user

    def has(self, *chats: dict) -> None:
        rows = [{"cwd": str(self.folder), "updatedAt": LONG_AGO, **chat} for chat in chats]
        (self.folder / "chats").write_text(json.dumps(rows))

    async def listed(self):
        return await listing.chats_of(self.user, "odd", str(self.folder))

    async def taken(self, name: str):
        return await import_chat(
            self.user, agent="odd", agent_session_id=name, cwd=str(self.folder)
        )

    def loads(self) -> list[str]:
        path = self.folder / "loads"
        return path.read_text().split() if path.exists() else []


@pytest.fixture
async def workshop(settings, tmp_path) -> Workshop:
    folder = tmp_path / "workshop"
    folder.mkdir()
    command = json.dumps([sys.executable, str(ODD), "HasChats"])
    agents = tmp_path / "agents.toml"
    agents.write_text(
        f"[agents.odd]\nlabel = 'Odd'\ncommand = {command}\nterminal = ['odd', '-r', '{{id}}']\n"
    )
    settings.CHAT = {
        "AGENTS_FILE": str(agents),
        "WORKSPACE_ROOTS": str(tmp_path),
        "START_TIMEOUT_S": 5,
        "STOP_GRACE_S": 0.5,
    }
    user, _ = await in_thread(get_user_model().objects.get_or_create, username="owner")
    return Workshop(folder, user)


def messages_of(session_id) -> list[dict]:
    return snapshot.take(session_id)["messages"]


async def test_an_agent_lists_its_chats_of_all_pages_in_the_folder(workshop) -> None:
    now = datetime.now(UTC).isoformat()
    workshop.has(
        {"sessionId": "a", "title": "The roof"},
        {"sessionId": "b", "title": "Two\nlines " + "x" * 300, "updatedAt": "2026-02-01T00:00:00Z"},
        {"sessionId": 7},
        {"sessionId": "else", "cwd": "/etc"},
        {"sessionId": "x" * 300},
        {"sessionId": "open", "title": None, "updatedAt": now},
    )
    found = await workshop.listed()
    rows = [(each.chat.agent_session_id, each.is_open) for each in found.listed]
    assert rows == [("open", True), ("b", False), ("a", False)]
    assert found.listed[1].chat.title.startswith("Two lines x")
    assert len(found.listed[1].chat.title) == 200
    assert found.why_not == ""
    assert workshop.loads() == []


async def test_an_imported_chat_is_drawn_marked_searchable_and_free(workshop) -> None:
    workshop.has({"sessionId": "a", "title": "The roof"})
    made = await workshop.taken("a")
    assert (made.is_new, made.read_only) == (True, False)
    session = await in_thread(Session.objects.get, pk=made.session_id)
    assert (session.title, session.state, session.agent_session_id) == ("The roof", "ENDED", "a")
    prompt, answer, other, second, notice = await in_thread(messages_of, made.session_id)
    assert [m.get("imported") for m in (prompt, answer, other, second)] == [True] * 4
    assert (prompt["text"], prompt["promptState"]) == ("Fix the roof", "answered")
    kinds = [block["blockType"] for block in answer["blocks"]]
    assert kinds == ["thinking", "text", "tool_use"]
    assert "<strong>ladder</strong>" in answer["blocks"][1]["html"]
    assert (answer["blocks"][2]["status"], answer["blocks"][2]["result"]) == (
        "completed",
        "ladder\n",
    )
    assert other["text"] == "And the door"
    assert second["blocks"][0]["content"] == "It has a handle \U0001f600"
    assert notice["code"] == "imported"
    snap = await in_thread(snapshot.take, made.session_id)
    assert (snap["queue"], snap["turn"], snap["runState"]) == ([], None, "idle")
    assert snap["usage"]["costUsd"] == 0
    found = Message.objects.filter(text__contains="ladder", session_id=made.session_id)
    assert await in_thread(found.exists)
    assert (await in_thread(audit.check, made.session_id)).problems == []
    events = await in_thread(lambda: list(Event.objects.filter(session_id=made.session_id)))
    assert_well_formed(sorted(events, key=lambda event: event.seq))


async def test_a_chat_is_imported_once_and_then_continues(workshop) -> None:
    workshop.has({"sessionId": "a", "title": "The roof"})
    async with running_chat() as chat:
        made = []

        async def take() -> None:
            made.append(await workshop.taken("a"))

        async with anyio.create_task_group() as both:
            both.start_soon(take)
            both.start_soon(take)
        assert sorted(one.is_new for one in made) == [False, True]
        assert len({one.session_id for one in made}) == 1
        before = await in_thread(messages_of, made[0].session_id)
        receipt = await chat.send("go on", made[0].session_id)
        assert (await chat.settled(receipt))["promptState"] == "answered"
        after = await chat.snapshot(receipt.session_id)
        # Its start told the past again: nothing of that is in the transcript twice.
        assert after["messages"][: len(before)] == before
        *_, said = after["messages"]
        assert [block["content"] for block in said["blocks"]] == ["still a"]
        assert "imported" not in said
        again = await workshop.taken("a")
        assert (again.is_new, again.session_id) == (False, receipt.session_id)
        [row] = (await workshop.listed()).listed
        assert row.known is not None
        assert row.known.session_id == receipt.session_id
        assert (await in_thread(audit.check, receipt.session_id)).problems == []
        # I12: the snapshot is the fold of the log.
        events = await chat.events(receipt.session_id)
        folded = fold.fold_all(fold.empty(str(receipt.session_id)), [e.envelope() for e in events])
        assert folded["messages"] == (await chat.snapshot(receipt.session_id))["messages"]


async def test_a_fork_has_the_imported_messages_but_those_that_were_taken_back(workshop) -> None:
    workshop.has({"sessionId": "a", "title": "The roof"})
    made = await workshop.taken("a")
    session = await in_thread(Session.objects.get, pk=made.session_id)
    before = await in_thread(messages_of, made.session_id)

    def texts(forked) -> list[str]:
        assert audit.check(forked.session_id).problems == []
        return [m.get("text") or m["blocks"][-1]["content"] for m in messages_of(forked.session_id)]

    fork_at = partial(fork, user=workshop.user, session_id=session.pk)
    whole = await in_thread(partial(fork_at, at=session.head_seq))
    assert await in_thread(texts, whole) == [
        "Fix the roof",
        "ls",
        "And the door",
        "It has a handle \U0001f600",
    ]
    await rewind(
        user=workshop.user, session_id=session.pk, to=before[2]["seq"], files=False, chat=True
    )
    head = await in_thread(store.get_head_seq, session.pk)
    rest = await in_thread(partial(fork_at, at=head))
    assert await in_thread(texts, rest) == ["Fix the roof", "ls"]


async def test_an_import_leaves_one_entry_in_the_audit_trail(workshop) -> None:
    workshop.has({"sessionId": "late"})
    made = await workshop.taken("late")
    assert (await workshop.taken("late")).is_new is False
    rows = AuditEntry.objects.filter(act=Act.SESSION_IMPORTED)
    [entry] = await in_thread(list, rows)
    assert (entry.who, entry.about) == (workshop.user.username, f"session:{made.session_id}")
    assert entry.facts == {"agent": "odd", "folder": str(workshop.folder)}


async def test_an_agent_that_tells_all_after_its_answer_is_waited_for(workshop) -> None:
    workshop.has({"sessionId": "late"})
    made = await workshop.taken("late")
    messages = await in_thread(messages_of, made.session_id)
    assert [message["role"] for message in messages] == [
        "user",
        "assistant",
        "user",
        "assistant",
        "notice",
    ]
    session = await in_thread(Session.objects.get, pk=made.session_id)
    assert session.title == "Fix the roof"


@pytest.mark.parametrize(
    ("name", "why"),
    [("gone", "Resource not found"), ("hangs", "no answer within 5 s"), ("exits", "load")],
)
async def test_a_chat_that_the_agent_cannot_load_says_so_and_keeps_its_id(
    workshop, name, why
) -> None:
    workshop.has({"sessionId": name, "title": "Old"})
    made = await workshop.taken(name)
    [notice] = await in_thread(messages_of, made.session_id)
    assert notice["code"] == "memory_lost"
    assert why in notice["text"]
    assert "forgotten" in notice["text"]
    session = await in_thread(Session.objects.get, pk=made.session_id)
    assert (session.title, session.agent_session_id) == ("Old", name)


async def test_a_chat_of_another_user_is_neither_listed_nor_imported(workshop) -> None:
    workshop.has({"sessionId": "a"}, {"sessionId": "b"}, {"sessionId": "c"})
    await workshop.taken("a")
    first = workshop.user
    other = await in_thread(lambda: get_user_model().objects.create_user("other", is_staff=True))
    workshop.user = other
    assert [each.chat.agent_session_id for each in (await workshop.listed()).listed] == ["b", "c"]
    for name in ("a", "nowhere"):
        with pytest.raises(UnknownChat):
            await workshop.taken(name)
    # A session that the agent has for Backstay itself, the older of two ids that are kept.
    rows = Session.objects.filter(owner=first)
    await in_thread(lambda: rows.update(agent_session_id="b\nnewer"))
    assert [each.chat.agent_session_id for each in (await workshop.listed()).listed] == ["c"]
    # The first account is no longer alone, and no staff.
    workshop.user = first
    with pytest.raises(Forbidden):
        await workshop.listed()
    with pytest.raises(Forbidden):
        await workshop.taken("c")


async def test_a_chat_that_is_open_in_a_terminal_can_be_read_alone(workshop, monkeypatch) -> None:
    now = datetime.now(UTC).isoformat()
    workshop.has({"sessionId": "a", "title": "Now", "updatedAt": now})
    made = await workshop.taken("a")
    assert made.read_only
    *_, notice = await in_thread(messages_of, made.session_id)
    assert notice["code"] == "open_elsewhere"
    async with running_chat() as chat:
        with pytest.raises(Exception, match="open in a terminal"):
            await chat.send("go on", made.session_id)
        # A minute later it is free.
        later = datetime.fromtimestamp(time.time() - RECENT_S - 1, UTC)
        await in_thread(lambda: ImportedChat.objects.update(changed_at=later))
        assert (await workshop.taken("a")).read_only is False
        receipt = await chat.send("go on", made.session_id)
        assert (await chat.settled(receipt))["promptState"] == "answered"


async def test_an_import_that_fails_leaves_nothing_behind(workshop, monkeypatch) -> None:
    workshop.has({"sessionId": "a"})

    def fail(*_args: object) -> None:
        raise RuntimeError("no room")

    with monkeypatch.context() as patched:
        patched.setattr(importing.lifecycle, "move", fail)
        with pytest.raises(RuntimeError):
            await workshop.taken("a")
    assert not await in_thread(Session.objects.exists)
    assert (await workshop.taken("a")).is_new
