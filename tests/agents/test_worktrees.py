"""An agent in a worktree: where it works, what it may write, and the script before it."""

from __future__ import annotations

import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from sessions.agents.processes import confine
from sessions.control.permissions import answer_permission
from sessions.control.send import Receipt, send_message
from sessions.control.worktrees.beginning import Wanted
from sessions.core.db import in_thread
from sessions.models import Worktree
from sessions.projects import rows
from tests.support.running import Chat, assert_well_formed, running_chat

pytestmark = pytest.mark.django_db(transaction=True)

WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@localhost")


def git(folder: Path, *words: str) -> str:
    command = ["git", *WHO, *words]
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def shop() -> Iterator[Path]:
    """A repository outside of /tmp, which a confined agent has for its own files."""
    with tempfile.TemporaryDirectory(dir=Path.home()) as root:
        yield made_in(Path(root) / "shop")


def made_in(folder: Path) -> Path:
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "a.txt").write_text("one\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder


@pytest.fixture
async def chat(settings: Any, shop: Path) -> AsyncIterator[Chat]:
    settings.CHAT = {
        "SENDS_PER_MINUTE": 10_000,
        "INTERRUPT_TIMEOUT_S": 0.5,
        "STOP_GRACE_S": 0.5,
        "WORKSPACE_ROOTS": str(shop.parent),
    }
    async with running_chat() as running:
        yield running


async def begin(chat: Chat, shop: Path, text: str, script: str) -> Receipt:
    made = await in_thread(
        rows.make, chat.user, rows.Wanted(str(shop), defaults={"setUpScript": script})
    )
    return await in_thread(
        send_message,
        user=chat.user,
        client_msg_id=str(uuid.uuid4()),
        session_id=None,
        text=text,
        agent="demo",
        project_id=made.project.pk,
        worktree=Wanted("work", ""),
    )


async def allow(chat: Chat, session_id: uuid.UUID) -> None:
    taken = await chat.until(session_id, lambda s: s["permissions"])
    request = taken["permissions"][0]
    await in_thread(
        answer_permission,
        user=chat.user,
        session_id=session_id,
        perm_id=request["permId"],
        option_id="allow_once",
        digest=request["digest"],
    )


async def results(chat: Chat, session_id: uuid.UUID) -> list[dict[str, Any]]:
    events = await chat.events(session_id)
    assert_well_formed(events)
    return [event.payload for event in events if event.type == "tool_result"]


async def test_the_agent_works_in_the_worktree_behind_the_script(chat: Chat, shop: Path) -> None:
    hook = shop / ".git/hooks/post-commit"
    words = " ".join(WHO)
    command = f"/run pwd; cat made; git add -A; git {words} commit -qm mine; touch {hook}"
    script = "echo set up on $(git rev-parse --abbrev-ref HEAD); echo x > made; echo bad >&2"
    receipt = await begin(chat, shop, command, script)
    await allow(chat, receipt.session_id)
    assert (await chat.settled(receipt))["promptState"] == "answered"
    set_up, ran = await results(chat, receipt.session_id)
    assert (set_up["status"], set_up["content"]) == ("completed", "set up on work\nbad\n")
    assert ran["content"].splitlines()[1] == "x"
    row = await in_thread(Worktree.objects.get, pk=receipt.session_id)
    assert row.state == "ready"
    assert ran["content"].splitlines()[0].endswith(str(receipt.session_id))
    assert git(shop, "log", "--format=%s", "work").splitlines() == ["mine", "first"]
    assert git(shop, "status", "--porcelain") == ""
    # Where agents are confined, the hooks of the repository are not theirs.
    assert hook.exists() is (confine.status().kind is confine.Kind.OFF)
    # The script has run once.
    again = await chat.send("/slow 1", receipt.session_id)
    assert (await chat.settled(again))["promptState"] == "answered"
    assert len(await results(chat, receipt.session_id)) == 2


async def test_a_script_can_be_stopped_and_runs_again(chat: Chat, shop: Path) -> None:
    receipt = await begin(chat, shop, "/slow 1", "echo begun; sleep 600")
    await chat.until(
        receipt.session_id,
        lambda s: s["current"] and any("begun" in str(b) for b in s["current"]["blocks"]),
    )
    await chat.interrupt(receipt.session_id)
    assert (await chat.settled(receipt))["promptState"] == "interrupted"
    project = (await in_thread(list, rows.of_user(chat.user)))[0]
    change = {"defaults": {"setUpScript": "echo no; exit 3"}}
    await in_thread(rows.change, chat.user, project.pk, change)
    again = await chat.send("/slow 1", receipt.session_id)
    # A script that fails stops no prompt.
    assert (await chat.settled(again))["promptState"] == "answered"
    told = (await results(chat, receipt.session_id))[-1]
    assert (told["status"], told["content"]) == ("failed", "no\n\nThe script ended with 3.")


async def test_a_branch_that_is_taken_ends_the_prompt_with_the_reason(
    chat: Chat, shop: Path
) -> None:
    git(shop, "branch", "work")
    receipt = await begin(chat, shop, "hello", "")
    assert (await chat.settled(receipt))["promptState"] == "failed"
    taken = await chat.snapshot(receipt.session_id)
    assert "There is a branch work already." in str(taken["messages"])
