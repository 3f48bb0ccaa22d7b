"""The outbox: prompts without a receipt, in order, never lost in silence.

One POST is in flight. The oldest waiting prompt is repeated, with the same body under the same id,
until there is a receipt, the log shows it, or the refusal is final.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import httpx

from transport.client.clock import backoff_s
from transport.client.commands import UNANSWERED, Answer, Command
from transport.client.prompts import Prompt, PromptState, Queue

# A new connection is waited for, but not for ever: a prompt may also go without one.
RECONNECT_WAIT_S: Final = 30.0
RETRYABLE: Final = {408, 425, 429}


@dataclass(slots=True)
class _Wait:
    """A pause of the sending. until: the loop's time, None: until it is ended from outside."""

    why: str
    until: float | None
    # Ordered by Retry-After: nothing shortens it.
    is_ordered: bool = False


class Outbox:
    """The prompts of one sender, sent one by one; `run` sends them until cancelled.

    storage, on_change: as of Queue.
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
        storage: Path | None = None,
    ) -> None:
        self._queue = Queue(max_pending=max_pending, storage=storage, on_change=on_change)
        self._command = command
        self._connection_id = connection_id
        self._on_unknown_connection = on_unknown_connection
        self._random = random or Random()  # noqa: S311 (jitter, not a secret)
        self._attempt = 0
        self._stale_connection: str | None = None
        self._wait: _Wait | None = None
        self._news = asyncio.Event()

    @property
    def prompts(self) -> list[Prompt]:
        """Every prompt that is not accepted, oldest first."""
        return self._queue.prompts

    @property
    def pending(self) -> list[Prompt]:
        """The prompts that are still to be sent, oldest first."""
        return self._queue.pending

    @property
    def waiting(self) -> str | None:
        """The reason why nothing is sent now: retry, connection or login; None without one."""
        return None if self._wait is None else self._wait.why

    # --- What may be asked ------------------------------------------------------------------------

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
        wishes = {"agent": agent, "mode": mode, "cwd": cwd, "client_msg_id": client_msg_id}
        prompt = self._queue.add(text, draft=draft, session_id=session_id, **wishes)
        self._news.set()
        return prompt

    def retry(self, prompt: Prompt) -> None:
        """Put a failed or evicted prompt back in its old place, before younger ones."""
        if prompt.state not in {PromptState.FAILED, PromptState.EVICTED}:
            return
        prompt.put_back()
        self._queue.insert(prompt)
        self._news.set()

    def confirm(self, client_msg_id: str, session_id: str) -> None:
        """Note that the log shows a prompt: whatever became of its receipt, it has arrived."""
        for prompt in self.pending:
            if prompt.client_msg_id == client_msg_id:
                self._queue.adopt(prompt, session_id)
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
            head = self._queue.head
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

    # --- One POST -------------------------------------------------------------------------------

    async def _post(self, prompt: Prompt) -> None:
        self._wait = None
        prompt.state = PromptState.SENDING
        self._queue.changed(prompt)
        connection_id = self._connection_id()
        try:
            answer = await self._command("send", prompt.body(), connection_id)
        except UNANSWERED:
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
            self._queue.adopt(prompt, answer.body["sessionId"])
            prompt.session_id, prompt.seq = answer.body["sessionId"], answer.body["seq"]
            self._queue.settle(prompt, PromptState.ACCEPTED)
        elif prompt.is_seen:
            self._arrived(prompt)
        elif answer.code == "unknown_connection":
            self._await_connection(prompt, connection_id)
        elif answer.is_foreign:
            self._again(prompt, answer.retry_after_s)  # it was stopped on its way
        elif status == httpx.codes.UNAUTHORIZED or answer.code == "csrf_failed":
            prompt.state = PromptState.QUEUED
            self._pause(_Wait("login", None), prompt)
        elif status in RETRYABLE or status >= 500 or status < 400:
            # A refusal says that nothing was stored; a gateway or a strange 2xx does not.
            prompt.is_frozen = prompt.is_frozen or status not in {425, 429}
            self._again(prompt, answer.retry_after_s)
        else:
            self._attempt = 0
            error = str(answer.body.get("error") or f"The server refused it (status {status}).")
            self._queue.settle(prompt, PromptState.FAILED, answer.code or f"status_{status}", error)

    def _arrived(self, prompt: Prompt) -> None:
        self._attempt = 0
        self._queue.settle(prompt, PromptState.ACCEPTED)
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
            self._queue.changed(prompt)
            return
        self._stale_connection = connection_id
        until = asyncio.get_running_loop().time() + RECONNECT_WAIT_S
        self._pause(_Wait("connection", until), prompt)
        if self._on_unknown_connection is not None:
            self._on_unknown_connection(connection_id)

    def _pause(self, wait: _Wait, prompt: Prompt) -> None:
        self._wait = wait
        self._queue.changed(prompt)
        self._queue.enforce_cap()


def _is_receipt(answer: Answer, prompt: Prompt) -> bool:
    body = answer.body
    return (
        answer.is_done
        and body.get("ok") is True
        and body.get("accepted") is True
        and body.get("clientMsgId") == prompt.client_msg_id
        and isinstance(body.get("sessionId"), str)
        and type(body.get("seq")) is int  # True is an int, too
    )
