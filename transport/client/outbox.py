"""The outbox: prompts without a receipt, in order, never lost in silence.

One POST is in flight. The oldest waiting prompt is repeated, with the same body under the same id,
until there is a receipt, the log shows it, or the refusal is final.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx

from transport.client.clock import backoff_s
from transport.client.commands import UNANSWERED, Answer, Command
from transport.client.pause import Pause
from transport.client.prompts import Prompt, PromptState, Queue

# A new connection is waited for, but not for ever: a prompt may also go without one.
RECONNECT_WAIT_S: Final = 30.0
RETRYABLE: Final = {408, 425, 429}


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
        self._pause = Pause()

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
        return self._pause.why

    # --- A caller's requests ----------------------------------------------------------------------

    def send(
        self,
        text: str,
        *,
        session_id: str | None = None,
        draft: str | None = None,
        agent: str | None = None,
        mode: str | None = None,
        cwd: str | None = None,
        project_id: str | None = None,
        worktree: dict[str, str] | None = None,
        options: dict[str, str | bool] | None = None,
        client_msg_id: str | None = None,
        attachments: list[dict[str, Any]] | None = None,
        mentions: list[str] | None = None,
    ) -> Prompt:
        """Queue a prompt. session_id None makes a session, or joins that of its draft.

        attachments: files that were uploaded before. mentions: paths of files of the folder.
        """
        wishes = {"agent": agent, "mode": mode, "cwd": cwd, "project_id": project_id}
        wishes["client_msg_id"] = client_msg_id
        files: dict[str, Any] = {"attachments": attachments or [], "mentions": mentions or []}
        files |= {"worktree": worktree, "options": options}
        prompt = self._queue.add(text, draft=draft, session_id=session_id, **files, **wishes)
        self._pause.wake()
        return prompt

    def retry(self, prompt: Prompt) -> None:
        """Put a failed or evicted prompt back in its old place, before younger ones."""
        if prompt.state not in {PromptState.FAILED, PromptState.EVICTED}:
            return
        prompt.put_back()
        self._queue.insert(prompt)
        self._pause.wake()

    def discard(self, prompt: Prompt) -> None:
        """Forget a failed or evicted prompt."""
        if prompt.state in {PromptState.FAILED, PromptState.EVICTED}:
            self._queue.remove(prompt)

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
        if self._pause.why == "retry" and not self._pause.is_ordered:
            self._pause.end()

    def connection_changed(self, connection_id: str) -> None:
        """Note that another connection is live."""
        if self._pause.why == "connection" and connection_id != self._stale_connection:
            self._pause.end()
        else:
            self.resume()

    def logged_in(self) -> None:
        """Note that the same person is logged in again."""
        if self._pause.why == "login":
            self._pause.end()

    # --- The queue ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send until cancelled. A POST that is cut off so counts as possibly delivered."""
        while True:
            self._pause.look()
            head = self._queue.head
            if self._pause.lasts or head is None:
                await self._pause.over()
            else:
                await self._post(head)

    # --- One POST -------------------------------------------------------------------------------

    async def _post(self, prompt: Prompt) -> None:
        self._pause.forget()
        prompt.state = PromptState.SENDING
        self._queue.changed(prompt)
        connection_id = self._connection_id()
        try:
            answer = await self._command("send", prompt.body(), connection_id)
        except UNANSWERED:
            if prompt.is_seen:
                self._arrived(prompt)
            else:
                # It is unknown whether it was delivered.
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
            # Stopped on its way; but a strange page with a 2xx says nothing about the prompt.
            prompt.is_frozen = prompt.is_frozen or answer.is_good
            self._again(prompt, answer.retry_after_s)
        elif status == httpx.codes.UNAUTHORIZED or answer.code == "csrf_failed":
            prompt.state = PromptState.QUEUED
            self._hold(prompt, "login", None)
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
        self._hold(prompt, "retry", delay, is_ordered=at_least_s > 0)

    def _await_connection(self, prompt: Prompt, connection_id: str | None) -> None:
        prompt.state = PromptState.QUEUED
        if self._connection_id() not in {None, connection_id}:
            # The line was replaced while the POST was on its way.
            self._queue.changed(prompt)
            return
        self._stale_connection = connection_id
        self._hold(prompt, "connection", RECONNECT_WAIT_S)
        if self._on_unknown_connection is not None:
            self._on_unknown_connection(connection_id)

    def _hold(
        self, prompt: Prompt, why: str, for_s: float | None, *, is_ordered: bool = False
    ) -> None:
        self._pause.begin(why, for_s, is_ordered=is_ordered)
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
