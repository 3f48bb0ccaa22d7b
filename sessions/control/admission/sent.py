"""A prompt as it was sent: checked, with the digest of its meaning, before any row is read."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass, field
from typing import Final
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser

from sessions.control.worktrees.beginning import Wanted
from sessions.core.clean import clean_text
from sessions.core.conf import chat
from sessions.core.errors import InvalidRequest, PromptTooLarge
from sessions.workspace.paths import mentions

MAX_CLIENT_MSG_ID: Final = 100


@dataclass(frozen=True, slots=True)
class Sent:
    """A prompt as it was sent.

    session_id None makes a session for it, in the folder of a project where one is named, with
    these options of its agent, in a worktree of the folder where one is wanted. files: names of
    blobs of the user, with the names that a person gave them. mentions: paths of files of the
    folder.
    """

    user: AbstractBaseUser
    client_msg_id: str
    session_id: UUID | None
    text: str
    agent: str | None = None
    mode: str | None = None
    cwd: str | None = None
    project_id: UUID | None = None
    options: dict[str, str | bool] = field(default_factory=dict)
    worktree: Wanted | None = None
    files: tuple[tuple[str, str], ...] = ()
    mentions: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """The digest of all that the prompt means: another body under its id is a conflict."""
        session_id = str(self.session_id) if self.session_id else None
        meaning: list[object] = [session_id, self.text, self.agent, self.mode, self.cwd]
        # A prompt without the younger fields keeps the digest that it had before there were any.
        if self.files or self.project_id or self.options:
            meaning.append(self.files)
        if self.project_id or self.options:
            meaning.append(str(self.project_id))
        if self.options:
            meaning.append(sorted(self.options.items()))
        if self.mentions:
            meaning.append({"mentions": self.mentions})
        if self.worktree:
            meaning.append({"worktree": astuple(self.worktree)})
        return hashlib.sha256(json.dumps(meaning).encode()).hexdigest()

    @property
    def looks_at_folders(self) -> bool:
        """Whether the prompt names a folder or files of one: a disk may be slow to answer."""
        return bool(self.mentions or self.cwd or self.project_id or self.worktree or self.options)

    def check(self) -> None:
        """Raise InvalidRequest or PromptTooLarge for a prompt that can never be admitted."""
        name = self.client_msg_id
        if not 1 <= len(name) <= MAX_CLIENT_MSG_ID or clean_text(name) != name:
            raise InvalidRequest(
                f"clientMsgId must have 1 to {MAX_CLIENT_MSG_ID} characters.", field="clientMsgId"
            )
        if self.project_id and self.cwd:
            raise InvalidRequest("A chat begins in a project or in a folder.", field="cwd")
        if len(self.files) > chat.MAX_ATTACHMENTS:
            raise InvalidRequest(
                f"A prompt has at most {chat.MAX_ATTACHMENTS} files.", field="attachments"
            )
        if len(self.mentions) > mentions.MAX_MENTIONS:
            raise InvalidRequest(
                f"A prompt names at most {mentions.MAX_MENTIONS} files.", field="mentions"
            )
        check_text(self.text, name, may_be_empty=bool(self.files))


def check_text(text: str, client_msg_id: str, *, may_be_empty: bool = False) -> None:
    """Check the text of a prompt. Raises InvalidRequest, PromptTooLarge."""
    if not text.strip() and not may_be_empty:
        raise InvalidRequest("The prompt is empty.", field="text")
    size = len(text.encode(errors="replace"))
    if size > chat.MAX_PROMPT_BYTES:
        raise PromptTooLarge(
            f"The prompt has {size} bytes; {chat.MAX_PROMPT_BYTES} are allowed.",
            clientMsgId=client_msg_id,
            maxBytes=chat.MAX_PROMPT_BYTES,
        )
