"""The outbox: prompts without a receipt, in order, never lost in silence.

One POST is in flight. The oldest waiting prompt is repeated, with the same body under the same id,
until there is a receipt, the log shows it, or the refusal is final.
"""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx

from transport.client.answers import Answer, backoff_s
from transport.client.stream import Command

# A new connection is waited for, but not for ever: a prompt may also go without one.
RECONNECT_WAIT_S: Final = 30.0
RETRYABLE: Final = {408, 425, 429}


class PromptState(StrEnum):
    """How far a prompt has come, as its sender knows. The last three are final."""

    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    FAILED = "failed"
    EVICTED = "evicted"


_PENDING = {PromptState.QUEUED, PromptState.SENDING}
_KEPT = ("client_msg_id", "order", "session_id", "draft", "text", "agent", "mode", "cwd")


@dataclass(slots=True, eq=False)
class Prompt:
    """One prompt. draft ties those of a new session together: later ones go where the first went.

    is_frozen: an earlier POST may be in the log, so the body must stay; is_seen: the log has shown
    it while its POST was under way. code, error: why it failed. seq is None when only the log has
    told that it arrived.
    """

    client_msg_id: str
    order: int
    text: str
    session_id: str | None = None
    draft: str | None = None
    agent: str | None = None
    mode: str | None = None
    cwd: str | None = None
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
        if self.session_id is None:
            wishes = {"agent": self.agent, "mode": self.mode, "cwd": self.cwd}
            body |= {name: wish for name, wish in wishes.items() if wish is not None}
        return body


@dataclass(slots=True)
class _Wait:
    """Why nothing is sent now. until: the loop's time, None: until somebody says so."""

    why: str
    until: float | None
    # Ordered by Retry-After: nothing shortens it.
    is_ordered: bool = False


class Outbox:
    """The prompts of one sender. `run` sends them until cancelled.

    storage: a file that keeps them over a restart of the client; each user needs one of their own.
    on_change is called with every prompt whose state has changed.
    """

    def __init__(
        self,
        command: Command,
        *,
        connection_id: Callable[[], str | None],
        on_change: Callable[[Prompt], None] | None = None,
        on_unknown_connection: Callable[[str | None], None] | None = None,
        random: Random | None = None,
        max_pending: int = 100,
        send_timeout_s: float = 15.0,
        storage: Path | None = None,
    ) -> None:
        self.prompts: list[Prompt] = []
        self._command = command
        self._connection_id = connection_id
        self._on_change = on_change
        self._on_unknown_connection = on_unknown_connection
        self._random = random or Random()  # noqa: S311 (jitter, not a secret)
        self._max_pending = max_pending
        self._send_timeout_s = send_timeout_s
        self._storage = storage
        self._drafts: dict[str, str] = {}
        self._next_order = 1
        self._attempt = 0
        self._stale_connection: str | None = None
        self._wait: _Wait | None = None
        self._news = asyncio.Event()
        self._restore()

    @property
    def pending(self) -> list[Prompt]:
        """The prompts that are still to be sent, oldest first."""
        return [prompt for prompt in self.prompts if prompt.state in _PENDING]

    # --- What may be asked ----------------------------------------------------------------------

    def send(
        self,
        text: str,
        *,
        session_id: str | None = None,
        draft: str | None = None,
        agent: str | None = None,
        mode: str | None = None,
        cwd: str | None = None,
        client_msg_id: str | None = None,
    ) -> Prompt:
        """Queue a prompt. session_id None makes a session, or joins that of its draft."""
        prompt = Prompt(
            client_msg_id or str(uuid.uuid4()),
            self._next_order,
            text,
            session_id or self._drafts.get(draft or ""),
            draft,
            agent,
            mode,
            cwd,
        )
        self._next_order += 1
        self._insert(prompt)
        return prompt

    def retry(self, prompt: Prompt) -> None:
        """Put a failed or evicted prompt back in its old place, before younger ones."""
        if prompt.state not in {PromptState.FAILED, PromptState.EVICTED}:
            return
        if prompt.code == "fingerprint_conflict":
            # Another prompt has used this id: it can never be admitted.
            prompt.client_msg_id, prompt.is_frozen = str(uuid.uuid4()), False
        prompt.code = prompt.error = ""
        prompt.state = PromptState.QUEUED
        prompt._settled.clear()  # noqa: SLF001 (the outbox is who settles)
        if prompt in self.prompts:
            self.prompts.remove(prompt)
        self._insert(prompt)

    def confirm(self, client_msg_id: str, session_id: str) -> None:
        """Note that the log shows a prompt: whatever became of its receipt, it has arrived."""
        for prompt in self.pending:
            if prompt.client_msg_id == client_msg_id:
                self._adopt(prompt, session_id)
                prompt.session_id, prompt.is_seen = session_id, True
                if prompt.state is PromptState.QUEUED:
                    self._arrived(prompt)

    def resume(self) -> None:
        """Try now: the network is back. Shortens neither a Retry-After nor a wait for a log-in."""
        if self._wait is not None and self._wait.why == "retry" and not self._wait.is_ordered:
            self._go()

    def connection_changed(self, connection_id: str) -> None:
        """Note that another connection is live."""
        if self._wait is None:
            return
        if self._wait.why == "connection" and connection_id != self._stale_connection:
            self._go()
        else:
            self.resume()

    def logged_in(self) -> None:
        """Note that the same person is logged in again."""
        if self._wait is not None and self._wait.why == "login":
            self._go()

    # --- The queue ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send until cancelled. A POST that is cut off so counts as possibly delivered."""
        while True:
            self._news.clear()
            head = next((p for p in self.prompts if p.state is PromptState.QUEUED), None)
            if self._is_waiting() or head is None:
                await self._wait_for_news()
            else:
                await self._post(head)

    def _is_waiting(self) -> bool:
        if self._wait is None:
            return False
        if self._wait.until is None:
            return True
        return asyncio.get_running_loop().time() < self._wait.until

    async def _wait_for_news(self) -> None:
        until = None if self._wait is None else self._wait.until
        if until is None:
            await self._news.wait()
            return
        delay = until - asyncio.get_running_loop().time()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, delay)):
                await self._news.wait()

    def _go(self) -> None:
        self._wait = None
        self._news.set()

    def _insert(self, prompt: Prompt) -> None:
        """The one way in, for new prompts and for those that are put back."""
        place = sum(other.order < prompt.order for other in self.prompts)
        self.prompts.insert(place, prompt)
        self._changed(prompt)
        self._enforce_cap()
        self._news.set()

    def _enforce_cap(self) -> None:
        """The oldest goes, but for the one under way: nobody can say that it was not sent."""
        over = len(self.pending) - self._max_pending
        for prompt in [p for p in self.prompts if p.state is PromptState.QUEUED][: max(0, over)]:
            error = f"More than {self._max_pending} prompts were waiting."
            if prompt.is_frozen:
                error += " An earlier try may have reached the server."
            self._settle(prompt, PromptState.EVICTED, "outbox_full", error)

    def _adopt(self, prompt: Prompt, session_id: str) -> None:
        """A draft has its session: prompts behind the first go there too, unless frozen."""
        if prompt.draft is None or prompt.draft in self._drafts:
            return
        self._drafts[prompt.draft] = session_id
        for other in self.pending:
            if other.draft == prompt.draft and other.session_id is None and not other.is_frozen:
                other.session_id = session_id

    def _settle(self, prompt: Prompt, state: PromptState, code: str = "", error: str = "") -> None:
        prompt.state, prompt.code, prompt.error = state, code, error
        if state is PromptState.ACCEPTED and prompt in self.prompts:
            self.prompts.remove(prompt)
        prompt._settled.set()  # noqa: SLF001 (the outbox is who settles)
        self._changed(prompt)

    def _changed(self, prompt: Prompt) -> None:
        self._persist()
        if self._on_change is not None:
            self._on_change(prompt)

    # --- One POST -------------------------------------------------------------------------------

    async def _post(self, prompt: Prompt) -> None:
        prompt.state = PromptState.SENDING
        self._changed(prompt)
        connection_id = self._connection_id()
        try:
            async with asyncio.timeout(self._send_timeout_s):
                answer = await self._command("send", prompt.body(), connection_id)
        except (httpx.HTTPError, TimeoutError, OSError):
            if prompt.is_seen:
                self._arrived(prompt)
            else:
                # Nobody knows whether it was delivered.
                prompt.is_frozen = True
                self._again(prompt)
            return
        self._answered(prompt, answer, connection_id)

    def _answered(self, prompt: Prompt, answer: Answer, connection_id: str | None) -> None:
        status = answer.status
        if _is_receipt(answer, prompt):
            self._attempt = 0
            self._adopt(prompt, answer.body["sessionId"])
            prompt.session_id, prompt.seq = answer.body["sessionId"], answer.body["seq"]
            self._settle(prompt, PromptState.ACCEPTED)
        elif prompt.is_seen:
            self._arrived(prompt)
        elif answer.code == "unknown_connection":
            self._await_connection(prompt, connection_id)
        elif status == httpx.codes.UNAUTHORIZED:
            prompt.state = PromptState.QUEUED
            self._pause(_Wait("login", None), prompt)
        elif status in RETRYABLE or status >= 500 or status < 400:
            # A refusal says that nothing was stored; a gateway or a strange 2xx does not.
            prompt.is_frozen = prompt.is_frozen or status not in {425, 429}
            self._again(prompt, answer.retry_after_s)
        else:
            self._attempt = 0
            error = str(answer.body.get("error") or f"The server refused it (status {status}).")
            self._settle(prompt, PromptState.FAILED, answer.code or f"status_{status}", error)

    def _arrived(self, prompt: Prompt) -> None:
        self._attempt = 0
        self._settle(prompt, PromptState.ACCEPTED)
        self.resume()

    def _again(self, prompt: Prompt, at_least_s: float = 0.0) -> None:
        delay = max(backoff_s(self._attempt, self._random), at_least_s)
        self._attempt += 1
        prompt.state = PromptState.QUEUED
        until = asyncio.get_running_loop().time() + delay
        self._pause(_Wait("retry", until, is_ordered=at_least_s > 0), prompt)

    def _await_connection(self, prompt: Prompt, connection_id: str | None) -> None:
        prompt.state = PromptState.QUEUED
        if self._connection_id() not in {None, connection_id}:
            # The line was replaced while the POST was on its way.
            self._changed(prompt)
            return
        self._stale_connection = connection_id
        until = asyncio.get_running_loop().time() + RECONNECT_WAIT_S
        self._pause(_Wait("connection", until), prompt)
        if self._on_unknown_connection is not None:
            self._on_unknown_connection(connection_id)

    def _pause(self, wait: _Wait, prompt: Prompt) -> None:
        self._wait = wait
        self._changed(prompt)
        self._enforce_cap()

    # --- Over a restart -------------------------------------------------------------------------

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
            prompt = Prompt(**kept)
            state = PromptState(kept["state"])
            prompt.state = PromptState.QUEUED if state in _PENDING else state
            if prompt.state is not PromptState.QUEUED:
                prompt._settled.set()  # noqa: SLF001 (the outbox is who settles)
            self.prompts.append(prompt)
        self._enforce_cap()


def _is_receipt(answer: Answer, prompt: Prompt) -> bool:
    body = answer.body
    return (
        200 <= answer.status < 300
        and body.get("accepted") is True
        and body.get("clientMsgId") == prompt.client_msg_id
        and isinstance(body.get("sessionId"), str)
        and isinstance(body.get("seq"), int)
    )
