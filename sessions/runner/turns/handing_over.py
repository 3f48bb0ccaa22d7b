"""The files of a prompt on their way to the agent: images as they are, others by their place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

from sessions.agents.port import Agent, AgentError, Attached
from sessions.control.prompts import AcceptedPrompt
from sessions.core.db import in_thread
from sessions.core.errors import ChatError
from sessions.eventlog.blobs import files, kinds
from sessions.eventlog.shapes import Attachment
from sessions.models import Session
from sessions.workspace import folders, inside, roots
from sessions.workspace.paths import mentions
from sessions.workspace.put import put

# The images of one prompt that go to the agent in its message; agents read lines of 16 MB.
INLINE_BYTES: Final = 8 * 1024 * 1024


async def hand_over(session_id: UUID, prompt: AcceptedPrompt, agent: Agent) -> None:
    """Hand a prompt to its agent; files that are no images are put into the folder before.

    Raises AgentError with a sentence where a file is gone or cannot be put there.
    """
    attached: list[Attached] = []
    if prompt.attachments:
        takes_images = agent.capabilities.takes_images
        attached = await in_thread(_attached_to, session_id, prompt.attachments, takes_images)
    if prompt.mentions:
        takes_texts = agent.capabilities.takes_texts
        attached += await in_thread(_mentioned, session_id, prompt.mentions, takes_texts)
    await agent.send(prompt.record + prompt.text, attached)


def _attached_to(
    session_id: UUID,
    attachments: Sequence[Attachment],
    takes_images: bool,  # noqa: FBT001 (handed through to a thread)
) -> list[Attached]:
    session = Session.objects.defer("offers").get(pk=session_id)
    try:
        folder = folders.prepare(session_id, session.cwd)
    except ChatError as exc:
        raise AgentError(str(exc)) from exc
    found = []
    room = INLINE_BYTES if takes_images else 0
    for attachment in attachments:
        is_inline = attachment["mime"] in kinds.IMAGES and attachment["size"] <= room
        room -= attachment["size"] if is_inline else 0
        found.append(_attached(attachment, folder, is_inline=is_inline))
    return found


def _attached(attachment: Attachment, folder: Path, *, is_inline: bool) -> Attached:
    name, mime, size = attachment["name"], attachment["mime"], attachment["size"]
    data = files.read(attachment["blob"])
    if data is None:
        raise AgentError(f"The server has lost the file {name!r} of this prompt.")
    if is_inline:
        return Attached(name, mime, size, data=data)
    try:
        path = put(folder, attachment["blob"], name, data)
    except OSError as exc:
        why = exc.strerror or type(exc).__name__
        raise AgentError(f"The file {name!r} cannot be put into the folder: {why}.") from exc
    return Attached(name, mime, size, path=path)


def _mentioned(
    session_id: UUID,
    paths: Sequence[str],
    takes_texts: bool,  # noqa: FBT001 (handed through to a thread)
) -> list[Attached]:
    """Return the files that a prompt names; one that is gone by now is left out."""
    session = Session.objects.only("cwd").get(pk=session_id)
    try:
        with inside.of_session(session_id, session.cwd, roots.roots()) as folder:
            here = mentions.found(folder, paths, takes_text=takes_texts)
    except ChatError as exc:
        raise AgentError(str(exc)) from exc
    return [Attached(one.name, "", one.size, path=one.path, text=one.text) for one in here]
