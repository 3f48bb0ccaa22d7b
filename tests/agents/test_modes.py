"""The mode in the log is the one that the agent has: whoever reads "ask" is asked first."""

import asyncio
import sys
import uuid
from pathlib import Path

import pytest

from sessions.account_models import Project
from sessions.agents.definitions import PRESETS
from sessions.agents.processes import tree
from sessions.choices import options
from sessions.control import settings as changes
from sessions.control.send import Receipt, create_session, send_message
from sessions.core.db import in_thread
from tests.support.running import DEADLINE_S, Chat, running_chat

pytestmark = pytest.mark.django_db(transaction=True)

ODD = Path(__file__).with_name("odd_agent.py")


@pytest.fixture
def hints(tmp_path: Path) -> Path:
    """The folder that tells the agent what to do: a file `refuse`, a file `hold`."""
    folder = tmp_path / "hints"
    folder.mkdir()
    return folder


@pytest.fixture
def asking(chat: Chat, tmp_path: Path) -> None:
    """The agent is told to begin in the mode "ask"."""
    with (tmp_path / "agents.toml").open("a") as file:
        file.write('\nasks = "ask"')


@pytest.fixture
async def chat(settings, tmp_path: Path, hints: Path):
    agents = tmp_path / "agents.toml"
    command = f'["{sys.executable}", "{ODD}", "KeepsItsMode", "{hints}"]'
    agents.write_text(f'[agents.odd]\nlabel = "Odd"\ncommand = {command}')
    settings.CHAT = {
        "SENDS_PER_MINUTE": 10_000,
        "INTERRUPT_TIMEOUT_S": 0.5,
        "STOP_GRACE_S": 0.5,
        "AGENTS_FILE": str(agents),
    }
    async with running_chat() as chat:
        yield chat


async def begin(chat: Chat, mode: str | None = None) -> Receipt:
    """Begin a session of the odd agent."""
    return await in_thread(
        send_message,
        user=chat.user,
        client_msg_id=str(uuid.uuid4()),
        session_id=None,
        text="which?",
        agent="odd",
        mode=mode,
    )


async def set_mode(chat: Chat, receipt: Receipt, mode: str) -> None:
    session_id = receipt.session_id
    await in_thread(changes.set_mode, user=chat.user, session_id=session_id, mode=mode)


async def modes_told(chat: Chat, receipt: Receipt) -> list[tuple[str, str]]:
    """Return every change of mode in the log, and by whom."""
    events = await chat.events(receipt.session_id)
    changes = [event.payload for event in events if event.type == "mode_changed"]
    return [(change["mode"], change["by"]) for change in changes]


def notices(taken) -> list[str]:
    return [m["code"] for m in taken["messages"] if m["role"] == "notice"]


async def answer_to(chat: Chat, receipt: Receipt) -> str:
    """Return the answer to a prompt: the mode that the agent had."""
    assert (await chat.settled(receipt))["promptState"] == "answered"
    [block] = (await chat.snapshot(receipt.session_id))["messages"][-1]["blocks"]
    return block["content"]


async def until_its_process_runs(receipt: Receipt) -> None:
    """Wait for the agent's process: from then on its start knows the mode of before."""
    async with asyncio.timeout(DEADLINE_S):
        while not await asyncio.to_thread(tree.of_session, str(receipt.session_id)):
            await asyncio.sleep(0.02)


async def end(chat: Chat, receipt: Receipt) -> None:
    await chat.interrupt(receipt.session_id, stop=True)
    await chat.until(receipt.session_id, lambda s: s["state"] == "ENDED")


async def test_a_mode_that_the_agent_refuses_is_taken_back_in_the_log(chat: Chat, hints: Path):
    receipt = await begin(chat)
    await chat.settled(receipt)
    (hints / "refuse").touch()
    await set_mode(chat, receipt, "ask")
    taken = await chat.until(receipt.session_id, lambda s: s["mode"] == "auto")
    assert notices(taken) == ["mode_refused"]
    assert await modes_told(chat, receipt) == [
        ("auto", "agent"),
        ("ask", "owner"),
        ("auto", "agent"),
    ]
    await end(chat, receipt)
    again = await chat.send("which?", receipt.session_id)
    assert await answer_to(chat, again) == "auto"


async def test_after_a_refused_mode_another_one_can_be_chosen(chat: Chat, hints: Path):
    receipt = await begin(chat)
    await chat.settled(receipt)
    (hints / "refuse").touch()
    await set_mode(chat, receipt, "ask")
    await chat.until(receipt.session_id, lambda s: s["mode"] == "auto")
    (hints / "refuse").unlink()
    await set_mode(chat, receipt, "ask")
    again = await chat.send("which?", receipt.session_id)
    assert await answer_to(chat, again) == "ask"
    assert (await chat.snapshot(receipt.session_id))["mode"] == "ask"


@pytest.mark.parametrize("is_refused", [False, True])
async def test_a_mode_that_is_chosen_while_the_agent_starts_holds_from_the_first_prompt_on(
    chat: Chat, hints: Path, is_refused
):
    receipt = await begin(chat)
    await chat.settled(receipt)
    await end(chat, receipt)
    (hints / "hold").touch()
    again = await chat.send("which?", receipt.session_id)
    await chat.until(receipt.session_id, lambda s: s["state"] == "STARTING")
    await until_its_process_runs(receipt)
    if is_refused:
        (hints / "refuse").touch()
    await set_mode(chat, receipt, "ask")
    (hints / "hold").unlink()
    has = "auto" if is_refused else "ask"
    assert await answer_to(chat, again) == has
    taken = await chat.snapshot(receipt.session_id)
    assert (taken["mode"], notices(taken)) == (has, ["mode_refused"] if is_refused else [])


async def test_a_mode_that_is_refused_at_the_start_is_told_and_the_prompt_runs(
    chat: Chat, hints: Path
):
    (hints / "refuse").touch()
    receipt = await begin(chat, mode="ask")
    assert await answer_to(chat, receipt) == "auto"
    taken = await chat.snapshot(receipt.session_id)
    assert (taken["mode"], notices(taken)) == ("auto", ["mode_refused"])


async def test_a_mode_that_is_refused_when_the_session_is_resumed_is_told(chat: Chat, hints: Path):
    receipt = await begin(chat, mode="ask")
    assert await answer_to(chat, receipt) == "ask"
    await end(chat, receipt)
    (hints / "refuse").touch()
    again = await chat.send("which?", receipt.session_id)
    assert await answer_to(chat, again) == "auto"
    taken = await chat.snapshot(receipt.session_id)
    assert (taken["mode"], notices(taken)) == ("auto", ["mode_refused"])


async def test_a_mode_that_the_agent_does_not_offer_is_told(chat: Chat):
    receipt = await begin(chat, mode="read-only")
    assert await answer_to(chat, receipt) == "auto"
    taken = await chat.snapshot(receipt.session_id)
    assert (taken["mode"], notices(taken)) == ("auto", ["mode_refused"])


async def test_a_new_chat_begins_in_the_mode_that_asks_after_each_start(chat: Chat, asking: None):
    receipt = await begin(chat)
    assert await answer_to(chat, receipt) == "ask"
    assert (await chat.snapshot(receipt.session_id))["mode"] == "ask"
    assert await modes_told(chat, receipt) == []
    await end(chat, receipt)
    again = await chat.send("which?", receipt.session_id)
    assert await answer_to(chat, again) == "ask"


async def test_a_person_and_a_project_may_choose_another_mode_for_a_new_chat(
    chat: Chat, asking: None, settings, tmp_path: Path
):
    settings.CHAT = {**settings.CHAT, "WORKSPACE_ROOTS": str(tmp_path)}
    assert await answer_to(chat, await begin(chat, mode="auto")) == "auto"
    folder = tmp_path / "project"
    folder.mkdir()
    project = await in_thread(
        Project.objects.create,
        owner=chat.user,
        folder=str(folder),
        name="p",
        defaults={"modes": {"odd": "auto"}},
    )
    assert await in_thread(options.mode_of_new_chat, "odd", project) == "auto"
    assert await in_thread(options.mode_of_new_chat, "odd", None) == "ask"
    made = await in_thread(create_session, owner=chat.user, agent="odd", project=project)
    await in_thread(made.refresh_from_db)
    assert made.mode == "auto"


async def test_an_agent_without_the_mode_that_asks_says_so_and_answers(chat: Chat, hints: Path):
    receipt = await begin(chat, mode="gone")
    assert await answer_to(chat, receipt) == "auto"
    taken = await chat.snapshot(receipt.session_id)
    assert (taken["mode"], notices(taken)) == ("auto", ["mode_refused"])


def test_agents_that_begin_in_a_mode_of_their_own_are_told_to_ask():
    asks = {definition.name: definition.asks for definition in PRESETS if definition.asks}
    assert asks == {"claude": "default", "codex": "workspace-write", "qwen": "default"}
