"""Going back, with an agent that answers: files, messages, what the agent knows, and the undo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from sessions.agents.acp.agent import AcpAgent
from sessions.control.back import restores
from sessions.control.back.errors import (
    CheckpointFailed,
    NoCheckpoint,
    RewindOvertaken,
    TurnRunning,
    UnknownMessage,
)
from sessions.control.back.fork import fork
from sessions.control.back.rewind import Rewound, rewind
from sessions.control.send import create_session
from sessions.core.db import in_thread
from sessions.core.errors import FingerprintConflict, InvalidRequest, UnknownSession
from sessions.eventlog import audit
from sessions.models import Session
from sessions.reading import export, queries, search
from tests.support.running import Chat, assert_well_formed, running_chat

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "project"
    place.mkdir()
    return place


@pytest.fixture
async def chat(settings: Any, tmp_path: Path) -> Any:
    settings.CHAT = {
        "SENDS_PER_MINUTE": 10_000,
        "WORKSPACE_ROOTS": str(tmp_path),
        "CHECKPOINT_MB": 1,
    }
    async with running_chat() as chat:
        yield chat


async def begun(chat: Chat, folder: Path) -> Any:
    session = await in_thread(create_session, owner=chat.user, agent="demo", cwd=str(folder))
    return session.pk


async def test_a_checkpoint_stands_before_each_prompt_and_a_large_folder_has_none(
    chat: Chat, folder: Path
) -> None:
    session_id = await begun(chat, folder)
    (folder / "a.txt").write_text("one")
    first = await chat.settled(await chat.send("/slow 1", session_id))
    (folder / "b.txt").write_text("two")
    second = await chat.settled(await chat.send("/slow 1", session_id))
    (folder / "large").write_bytes(b"x" * 1_000_001)
    third, fourth = [await chat.settled(await chat.send("/slow 1", session_id)) for _ in range(2)]
    events = await chat.events(session_id)
    made = [event for event in events if event.type == "checkpoint_made"]
    names = [prompt["clientMsgId"] for prompt in (first, second)]
    assert [event.payload["clientMsgId"] for event in made] == names
    assert [event.payload["files"] for event in made] == [1, 2]
    assert first["checkpointId"] != second["checkpointId"]
    after = {event.seq: event for event in events}
    assert [after[event.seq + 1].type for event in made] == ["turn_start"] * 2
    assert all("checkpointId" not in prompt for prompt in (third, fourth))
    assert [prompt["promptState"] for prompt in (third, fourth)] == ["answered"] * 2
    told = [event.payload for event in events if event.type == "error"]
    assert [each["code"] for each in told] == ["checkpoint_skipped"], "told once"
    assert "more than 1 MB" in told[0]["error"]
    assert_well_formed(events)
    assert (await in_thread(audit.check, session_id)).problems == []


async def said(chat: Chat, session_id: Any, text: str) -> dict[str, Any]:
    return await chat.settled(await chat.send(text, session_id))


async def back(owner: Chat, session_id: Any, to: int, **what: bool) -> Rewound:
    what = {"files": False, "chat": False} | what
    return await rewind(user=owner.user, session_id=session_id, to=to, **what)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the prompts as agents get them."""
    prompts: list[str] = []
    send = AcpAgent.send

    async def hear(agent: AcpAgent, text: str, *attached: Any) -> None:
        prompts.append(text)
        await send(agent, text, *attached)

    monkeypatch.setattr(AcpAgent, "send", hear)
    return prompts


async def texts(chat: Chat, session_id: Any, *, taken_back: bool = False) -> list[str]:
    """Return the prompts and answers that count, or those that were taken back."""
    taken = await chat.snapshot(session_id)
    return [
        message["text"] if "text" in message else message["blocks"][0]["content"]
        for message in taken["messages"]
        if message.get("rewound", False) == taken_back and message.get("code") != "restored"
    ]


async def seq_of_last(chat: Chat, session_id: Any, kind: str) -> int:
    return max(event.seq for event in await chat.events(session_id) if event.type == kind)


async def test_files_and_chat_go_back_and_the_agent_has_not_heard_the_rest(
    chat: Chat, folder: Path, heard: list[str]
) -> None:
    session_id = await begun(chat, folder)
    (folder / "a.txt").write_text("one")
    await said(chat, session_id, "/slow 1 The word is melon.")
    second = await said(chat, session_id, "/slow 1 The word is turnip.")
    (folder / "a.txt").write_text("two")
    (folder / "b.txt").write_text("new")
    outcome = await back(chat, session_id, second["seq"], files=True, chat=True)
    assert (outcome.files, outcome.left) == (2, ())
    assert names_in(folder) == ["a.txt"]
    assert (folder / "a.txt").read_text() == "one"
    assert (await texts(chat, session_id))[0] == "/slow 1 The word is melon."
    assert (await texts(chat, session_id, taken_back=True))[0] == "/slow 1 The word is turnip."
    nothing = await back(chat, session_id, second["seq"], files=True, chat=True)
    assert (nothing.files, nothing.seq) == (0, None), "repeated, it changes nothing"
    await said(chat, session_id, "/help")
    await said(chat, session_id, "Which words?")
    await said(chat, session_id, "And now?")
    assert heard[2] == "/help", "a command is the first word of its prompt"
    assert "Person: /slow 1 The word is melon.\n\nAgent: " in heard[3]
    assert "turnip" not in heard[3]
    assert heard[3].endswith("\n\nWhich words?")
    assert heard[4] == "And now?", "it is told once"
    events = await chat.events(session_id)
    assert [e.payload["resumed"] for e in events if e.type == "agent_started"] == [False, False]
    retold = [e.payload.get("retold", False) for e in events if e.type == "turn_start"]
    assert retold == [False, False, False, True, False]
    assert not [e for e in events if e.type == "error"]
    assert_well_formed(events)
    assert (await in_thread(audit.check, session_id)).problems == []


async def test_each_return_can_be_undone(chat: Chat, folder: Path) -> None:
    session_id = await begun(chat, folder)
    (folder / "a.txt").write_text("one")
    first = await said(chat, session_id, "/slow 1")
    await said(chat, session_id, "/slow 2")
    (folder / "a.txt").write_text("two")
    before = await texts(chat, session_id)
    await back(chat, session_id, first["seq"], files=True, chat=True)
    assert await texts(chat, session_id) == []
    rewound = await seq_of_last(chat, session_id, "rewound")
    restored = await seq_of_last(chat, session_id, "restored")
    await back(chat, session_id, rewound, chat=True)
    assert await texts(chat, session_id) == before
    await back(chat, session_id, restored, files=True)
    assert (folder / "a.txt").read_text() == "two"
    await back(chat, session_id, first["seq"], chat=True)
    await said(chat, session_id, "/slow 3")
    rewound = await seq_of_last(chat, session_id, "rewound")
    with pytest.raises(RewindOvertaken):
        await back(chat, session_id, rewound, chat=True)
    assert (await in_thread(audit.check, session_id)).problems == []


async def test_a_prompt_that_waited_behind_another_goes_back_without_it(
    chat: Chat, folder: Path
) -> None:
    session_id = await begun(chat, folder)
    receipts = [await chat.send(f"/slow {n}", session_id) for n in (30, 2, 3)]
    with pytest.raises(TurnRunning):
        await back(chat, session_id, receipts[0].seq, files=True)
    with pytest.raises(TurnRunning):
        await back(chat, session_id, receipts[0].seq, chat=True)
    for receipt in receipts:
        await chat.settled(receipt)
    made = await in_thread(fork, user=chat.user, session_id=session_id, at=receipts[1].seq)
    assert (await texts(chat, made.session_id))[::2] == ["/slow 30"]
    await back(chat, session_id, receipts[1].seq, chat=True)
    kept = await texts(chat, session_id)
    assert (kept[0], kept[1].split()[-1], len(kept)) == ("/slow 30", "word30", 2)
    gone = await texts(chat, session_id, taken_back=True)
    assert [gone[0], gone[1], len(gone)] == ["/slow 2", "/slow 3", 4]
    page = await in_thread(queries.message_page, chat.user, session_id, before=None, limit=200)
    assert [m.get("rewound", False) for m in page["messages"]].count(True) == 4
    found = await in_thread(
        search.search, chat.user, text="slow", session_id=session_id, before=None, limit=9
    )
    assert [hit["rewound"] for hit in found["results"]] == [True, True, False]
    exported = b"".join([piece async for piece in export.stream(await row(session_id), "md")])
    assert exported.count("· taken back".encode()) == 4


async def row(session_id: Any) -> Session:
    return await in_thread(Session.objects.get, pk=session_id)


async def test_refusals_change_nothing(chat: Chat, folder: Path) -> None:
    session_id = await begun(chat, folder)
    prompt = await said(chat, session_id, "/slow 1")
    (folder / "large").write_bytes(b"x" * 1_000_001)
    unkept = await said(chat, session_id, "/slow 1")
    head = (await chat.snapshot(session_id))["cursor"]
    stranger = await in_thread(get_user_model().objects.create_user, "stranger")
    for wrong, to, error in (
        (chat.user, unkept["seq"], NoCheckpoint),
        (chat.user, prompt["seq"], CheckpointFailed),
        (chat.user, prompt["seq"] + 1, UnknownMessage),
        (stranger, prompt["seq"], UnknownSession),
    ):
        with pytest.raises(error):
            await rewind(user=wrong, session_id=session_id, to=to, files=True, chat=True)
    assert (await chat.snapshot(session_id))["cursor"] == head


async def test_the_next_prompt_completes_a_restore_that_a_server_has_left(
    chat: Chat, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await begun(chat, folder)
    (folder / "a.txt").write_text("one")
    prompt = await said(chat, session_id, "/slow 1")
    (folder / "a.txt").write_text("two")
    await killed_restore(chat, session_id, prompt["seq"], monkeypatch)
    assert (folder / "a.txt").read_text() == "two"
    later = await said(chat, session_id, "/slow 1")
    assert (folder / "a.txt").read_text() == "one"
    assert later["checkpointId"] == prompt["checkpointId"]
    assert await seq_of_last(chat, session_id, "restored") < await seq_of_last(
        chat, session_id, "turn_start"
    )


async def killed_restore(
    chat: Chat, session_id: Any, to: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begin a restore whose server dies before it changes a file."""

    async def dies(*_: Any) -> None:
        raise EOFError

    with monkeypatch.context() as patched:
        patched.setattr(restores, "complete", dies)
        with pytest.raises(EOFError):
            await back(chat, session_id, to, files=True)


async def test_a_start_completes_a_restore_that_a_server_has_left(
    chat: Chat, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await begun(chat, folder)
    (folder / "a.txt").write_text("one")
    prompt = await said(chat, session_id, "/slow 1")
    (folder / "a.txt").unlink()
    await killed_restore(chat, session_id, prompt["seq"], monkeypatch)
    async with running_chat() as other:
        await other.until(session_id, lambda s: s["messages"][-1].get("code") == "restored")
    assert (folder / "a.txt").read_text() == "one"


async def test_a_fork_has_the_beginning_and_its_agent_is_told(
    chat: Chat, folder: Path, heard: list[str]
) -> None:
    session_id = await begun(chat, folder)
    await said(chat, session_id, "/slow 1 The word is melon.")
    back_to = await said(chat, session_id, "/slow 1 The word is turnip.")
    await back(chat, session_id, back_to["seq"], chat=True)
    third = await said(chat, session_id, "/slow 1 The word is kale.")
    head = (await chat.snapshot(session_id))["cursor"]
    one: dict[str, Any] = {"user": chat.user, "session_id": session_id}
    before = await in_thread(fork, **one, at=third["seq"], client_msg_id="f1")
    whole = await in_thread(fork, **one, at=head)
    again = await in_thread(fork, **one, at=third["seq"], client_msg_id="f1")
    assert (again.session_id, again.duplicate) == (before.session_id, True)
    with pytest.raises(FingerprintConflict):
        await in_thread(fork, **one, at=head, client_msg_id="f1")
    with pytest.raises(InvalidRequest):
        await in_thread(fork, **one, at=head + 1)
    assert (await texts(chat, before.session_id))[::2] == ["/slow 1 The word is melon."]
    kept = ["/slow 1 The word is melon.", "/slow 1 The word is kale."]
    assert (await texts(chat, whole.session_id))[::2] == kept
    taken = await chat.snapshot(before.session_id)
    assert (taken["state"], taken["queue"], taken["usage"]["inputTokens"]) == ("ENDED", [], 0)
    await said(chat, before.session_id, "Which words?")
    assert "Person: /slow 1 The word is melon." in heard[-1]
    assert "kale" not in heard[-1]
    assert (await chat.snapshot(session_id))["cursor"] == head
    for made in (before, whole):
        assert_well_formed(await chat.events(made.session_id))
        assert (await in_thread(audit.check, made.session_id)).problems == []


async def test_a_fork_of_a_chat_in_a_folder_of_its_own_works_there(chat: Chat) -> None:
    first = await chat.send("/slow 1")
    await chat.settled(first)
    made = await in_thread(fork, user=chat.user, session_id=first.session_id, at=first.seq)
    prompt = await said(chat, made.session_id, "/slow 1")
    assert prompt["promptState"] == "answered"
    assert (await row(made.session_id)).cwd == (await row(first.session_id)).cwd
