"""Prompts on their way to the server, in order, and the file that keeps them."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class PromptState(StrEnum):
    """The way of a prompt, as its sender knows it. The last three are final."""

    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    FAILED = "failed"
    EVICTED = "evicted"


_PENDING = {PromptState.QUEUED, PromptState.SENDING}
_KEPT = (
    "client_msg_id",
    "order",
    "session_id",
    "draft",
    "text",
    "agent",
    "mode",
    "cwd",
    "project_id",
    "worktree",
    "options",
    "attachments",
    "mentions",
)


@dataclass(slots=True, eq=False)
class Prompt:
    """One prompt. draft ties those of a new session together: later ones go where the first went.

    is_frozen: an earlier POST may be in the log, so the body must stay; is_seen: the log has shown
    it while its POST was under way. code, error: of a failure. seq is None when only the log shows
    that it arrived.
    """

    client_msg_id: str
    order: int
    text: str
    session_id: str | None = None
    draft: str | None = None
    agent: str | None = None
    mode: str | None = None
    cwd: str | None = None
    project_id: str | None = None
    # {branch, from} or {existing}.
    worktree: dict[str, str] | None = None
    # Settings of the agent of a new session.
    options: dict[str, str | bool] | None = None
    # Uploaded before: {blob, name}.
    attachments: list[dict[str, Any]] = field(default_factory=list)
    # Files of the folder, by their paths.
    mentions: list[str] = field(default_factory=list)
    state: PromptState = PromptState.QUEUED
    code: str = ""
    error: str = ""
    seq: int | None = None
    is_frozen: bool = False
    is_seen: bool = False
    _settled: asyncio.Event = field(default_factory=asyncio.Event)

    async def settled(self) -> PromptState:
        """Return the state once it is final."""
        await self._settled.wait()
        return self.state

    def body(self) -> dict[str, Any]:
        """Return the body of its POST."""
        body: dict[str, Any] = {
            "clientMsgId": self.client_msg_id,
            "sessionId": self.session_id,
            "text": self.text,
        }
        if self.attachments:
            body["attachments"] = self.attachments
        if self.mentions:
            body["mentions"] = self.mentions
        if self.session_id is None:
            wishes: dict[str, Any] = {"agent": self.agent, "mode": self.mode, "cwd": self.cwd}
            wishes |= {"projectId": self.project_id, "worktree": self.worktree}
            wishes["options"] = self.options or None
            body |= {name: wish for name, wish in wishes.items() if wish is not None}
        return body

    def settle(self, state: PromptState, code: str = "", error: str = "") -> None:
        """Take a final state."""
        self.state, self.code, self.error = state, code, error
        self._settled.set()

    def put_back(self) -> None:
        """Take a failed or evicted prompt back into the queue."""
        if self.code == "fingerprint_conflict":
            # Another prompt has used this id: it can never be admitted.
            self.client_msg_id, self.is_frozen = str(uuid.uuid4()), False
        self.code = self.error = ""
        self.state = PromptState.QUEUED
        self._settled.clear()


class Queue:
    """The prompts of one sender, ordered by when they were written; a cap holds on every way in.

    storage: a file that keeps them over a restart of the client; each user needs one of their own.
    on_change is called with every prompt whose state has changed.
    """

    def __init__(
        self, *, max_pending: int, storage: Path | None, on_change: Callable[[Prompt], None] | None
    ) -> None:
        self.prompts: list[Prompt] = []
        self._drafts: dict[str, str] = {}
        self._next_order = 1
        self._max_pending = max_pending
        self._storage = storage
        self._on_change = on_change
        self._restore()

    @property
    def pending(self) -> list[Prompt]:
        """The prompts that are still to be sent, oldest first."""
        return [prompt for prompt in self.prompts if prompt.state in _PENDING]

    @property
    def head(self) -> Prompt | None:
        """The prompt to be sent next."""
        return next((p for p in self.prompts if p.state is PromptState.QUEUED), None)

    def add(self, text: str, *, draft: str | None, session_id: str | None, **wishes: Any) -> Prompt:
        """Queue a new prompt; one whose draft has its session goes there."""
        session_id = session_id or self._drafts.get(draft or "")
        client_msg_id = wishes.pop("client_msg_id", None) or str(uuid.uuid4())
        prompt = Prompt(client_msg_id, self._next_order, text, session_id, draft, **wishes)
        self._next_order += 1
        self.insert(prompt)
        return prompt

    def insert(self, prompt: Prompt) -> None:
        """The one way in, for new prompts and for those that are put back."""
        if prompt in self.prompts:
            self.prompts.remove(prompt)
        place = sum(other.order < prompt.order for other in self.prompts)
        self.prompts.insert(place, prompt)
        self.changed(prompt)
        self.enforce_cap()

    def remove(self, prompt: Prompt) -> None:
        """Take a prompt out of the queue and its storage."""
        if prompt in self.prompts:
            self.prompts.remove(prompt)
            self.changed(prompt)

    def enforce_cap(self) -> None:
        """Evict the oldest, but for the one under way: it may have been sent."""
        over = len(self.pending) - self._max_pending
        for prompt in [p for p in self.prompts if p.state is PromptState.QUEUED][: max(0, over)]:
            error = f"More than {self._max_pending} prompts were waiting."
            if prompt.is_frozen:
                error += " An earlier try may have reached the server."
            self.settle(prompt, PromptState.EVICTED, "outbox_full", error)

    def adopt(self, prompt: Prompt, session_id: str) -> None:
        """Note a draft's session: prompts behind the first go there too, unless frozen."""
        if prompt.draft is None or prompt.draft in self._drafts:
            return
        self._drafts[prompt.draft] = session_id
        for other in self.pending:
            if other.draft == prompt.draft and other.session_id is None and not other.is_frozen:
                other.session_id = session_id

    def settle(self, prompt: Prompt, state: PromptState, code: str = "", error: str = "") -> None:
        """Give a prompt its final state; an accepted one leaves the queue."""
        if state is PromptState.ACCEPTED and prompt in self.prompts:
            self.prompts.remove(prompt)
        prompt.settle(state, code, error)
        self.changed(prompt)

    def changed(self, prompt: Prompt) -> None:
        """Keep the queue, and tell that a prompt has changed."""
        self._persist()
        if self._on_change is not None:
            self._on_change(prompt)

    def _persist(self) -> None:
        if self._storage is None:
            return
        prompts = [
            {name: getattr(prompt, name) for name in _KEPT}
            | {"state": str(prompt.state), "code": prompt.code, "error": prompt.error}
            # A POST under way may arrive, whatever becomes of this process.
            | {"is_frozen": prompt.is_frozen or prompt.state is PromptState.SENDING}
            for prompt in self.prompts
        ]
        stored = {"next_order": self._next_order, "drafts": self._drafts, "prompts": prompts}
        written = self._storage.with_suffix(".new")
        written.write_text(json.dumps(stored), encoding="utf-8")
        os.replace(written, self._storage)  # noqa: PTH105 (says that it replaces)

    def _restore(self) -> None:
        if self._storage is None or not self._storage.exists():
            return
        stored = json.loads(self._storage.read_text(encoding="utf-8"))
        self._next_order, self._drafts = stored["next_order"], stored["drafts"]
        for kept in stored["prompts"]:
            state = PromptState(kept.pop("state"))
            prompt = Prompt(**kept)
            if state not in _PENDING:
                prompt.settle(state, prompt.code, prompt.error)
            self.prompts.append(prompt)
        self.enforce_cap()
