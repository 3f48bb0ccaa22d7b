"""Files of a prompt reach the agent: images in the message, others in the folder of the chat."""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path

import pytest

from sessions.control.send import send_message
from sessions.core.db import in_thread
from sessions.eventlog.blobs import uploads
from sessions.workspace.put import put, safe_name
from tests.support.running import Chat, running_chat

pytestmark = pytest.mark.django_db(transaction=True)

PNG = b"\x89PNG\r\n\x1a\n" + b"p" * 292


@pytest.fixture
async def chat(settings):
    settings.CHAT = {"SENDS_PER_MINUTE": 10_000}
    async with running_chat() as chat:
        yield chat


async def send(chat: Chat, *named: tuple[str, bytes], text: str = "hello"):
    files = []
    for name, data in named:
        sha256 = hashlib.sha256(data).hexdigest()
        await in_thread(uploads.put, chat.user, sha256, uploads.Piece(data, 0, len(data)))
        files.append((sha256, name))
    return await in_thread(
        send_message,
        user=chat.user,
        client_msg_id=str(uuid.uuid4()),
        session_id=None,
        text=text,
        agent="demo",
        files=files,
    )


async def answer_of(chat: Chat, receipt) -> str:
    prompt = await chat.settled(receipt)
    assert prompt["promptState"] == "answered", prompt
    events = await chat.events(receipt.session_id)
    return "".join(e.payload["content"] for e in events if e.type == "block_end")


async def test_an_agent_that_takes_images_sees_them(chat: Chat) -> None:
    receipt = await send(chat, ("a.png", PNG), ("b.png", PNG + b"x"), text="/slow 1")
    told = await answer_of(chat, receipt)
    assert "I see 2 images (image/png, 300 bytes, image/png, 30" in told


async def test_another_file_is_in_the_folder_with_a_link(chat: Chat) -> None:
    receipt = await send(chat, ("../../notes.txt", b"remember the milk"), text="/run true")
    taken = await chat.until(receipt.session_id, lambda s: s["permissions"])
    folder = Path((await chat.events(receipt.session_id))[0].payload["cwd"])
    [found] = (folder / ".backstay" / "attachments").iterdir()
    assert found.read_bytes() == b"remember the milk"
    assert found.name.endswith("-notes.txt")
    assert (folder / ".backstay" / ".gitignore").read_text() == "*\n"
    assert "[file: ../../notes.txt](file://" in taken["permissions"][0]["input"]["command"]
    await chat.interrupt(receipt.session_id)


def test_no_link_leads_a_file_out_of_the_folder(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "chat"
    outside.mkdir()
    folder.mkdir()
    (folder / ".backstay").symlink_to(outside)
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        put(folder, "a" * 64, "x.txt", b"x")
    (folder / ".backstay").unlink()
    path = put(folder, "a" * 64, "x.txt", b"one")
    secret = outside / "secret"
    secret.write_text("secret")
    path.unlink()
    path.symlink_to(secret)
    assert put(folder, "a" * 64, "x.txt", b"two") == path
    assert secret.read_text() == "secret"
    assert (path.read_bytes(), path.is_symlink()) == (b"two", False)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("notes.txt", "notes.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a b.txt", "a b.txt"),
        ("-rf", "rf"),
        (".bashrc", "bashrc"),
        ("..", "file"),
        ("a\nb\x00c\u202e.txt", "a_b_c_.txt"),
        ("x" * 300 + ".txt", "x" * 64 + ".txt"),
        ("日本.txt", "日本.txt"),
    ],
)
def test_a_name_is_no_path(name: str, safe: str) -> None:
    assert safe_name(name) == safe
    assert os.path.basename(safe_name(name)) == safe_name(name)  # noqa: PTH119
