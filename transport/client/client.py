"""The client: one stream and one outbox for one user."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from transport.client.commands import Answer, Commands, Json, answer_of
from transport.client.outbox import Outbox
from transport.client.prompts import Prompt, PromptState
from transport.client.stream import Status, Stream, StreamState
from transport.client.uploads import upload

# One piece of a file may take so long.
UPLOAD_S = 60.0


class Client:
    """A user's end of the chat. Use as an async context manager; see transport.client.

    on_frame: the frames to apply, in order and once. on_raw: every frame. on_status: the state of
    the connection. on_prompt: a prompt whose state has changed. storage: the file of the outbox.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        on_frame: Callable[[Json], None],
        on_raw: Callable[[Json], None] | None = None,
        on_status: Callable[[Status], None] | None = None,
        on_prompt: Callable[[Prompt], None] | None = None,
        random: Random | None = None,
        max_pending: int = 100,
        send_timeout_s: float = 15.0,
        heartbeat_s: float = 15.0,
        storage: Path | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.AsyncClient(
            # Every POST has a deadline of its own around it.
            base_url=base_url,
            headers=headers,
            timeout=None,  # noqa: S113
            transport=transport,
        )
        self._timeout_s = send_timeout_s
        self._command = Commands(self._http, timeout_s=send_timeout_s)
        self._on_frame = on_frame
        self._on_status = on_status
        self._on_prompt = on_prompt
        self._tasks: list[asyncio.Task[None]] = []
        self.stream = Stream(
            self._http,
            command=self._command,
            on_frame=self._apply,
            on_raw=on_raw,
            on_status=self._connection_changed,
            random=random,
            heartbeat_s=heartbeat_s,
        )
        self.outbox = Outbox(
            self._command,
            connection_id=lambda: self.stream.connection_id,
            on_change=self._prompt_changed,
            on_unknown_connection=self.stream.forget,
            random=random,
            max_pending=max_pending,
            storage=storage,
        )

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self.stream.run(), name="stream"),
            asyncio.create_task(self.outbox.run(), name="outbox"),
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the stream and the sending. Waiting prompts stay in the outbox and its storage."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()

    # --- A user's actions -----------------------------------------------------------------------

    def send(self, text: str, **options: Any) -> Prompt:
        """Queue a prompt; options as of Outbox.send. A session that it makes is watched here."""
        return self.outbox.send(text, **options)

    async def upload(self, data: bytes) -> tuple[str, Answer]:
        """Store bytes for a later prompt; return their SHA-256. Raises one of UNANSWERED."""
        return await upload(self._http, data, timeout_s=UPLOAD_S)

    def watch(self, session_id: str, cursor: int | None = None) -> None:
        """Follow a session; None: its snapshot first."""
        self.stream.watch(session_id, cursor)

    def unwatch(self, session_id: str) -> None:
        """Follow a session no more."""
        self.stream.unwatch(session_id)

    async def command(self, name: str, *, timeout_s: float | None = None, **body: Any) -> Answer:
        """Send one command, once. Raises httpx.HTTPError or TimeoutError."""
        return await self._command(name, body, self.stream.connection_id, timeout_s=timeout_s)

    async def post(self, path: str, /, *, timeout_s: float | None = None, **body: Any) -> Answer:
        """Change something beside the chats, for example `/api/rules`. Raises httpx.HTTPError."""
        wait_s = timeout_s or self._timeout_s
        return answer_of(await self._http.post(path, json=body, timeout=wait_s))

    async def put(self, path: str, /, **body: Any) -> Answer:
        """Store something of the person, for example a read mark. Raises httpx.HTTPError."""
        return answer_of(await self._http.put(path, json=body, timeout=self._timeout_s))

    async def patch(self, path: str, /, **body: Any) -> Answer:
        """Change fields of a session or a project. Raises httpx.HTTPError."""
        return answer_of(await self._http.patch(path, json=body, timeout=self._timeout_s))

    async def delete(self, path: str, /, **query: Any) -> Answer:
        """Remove something, or archive a session. Raises httpx.HTTPError."""
        return answer_of(await self._http.delete(path, params=query, timeout=self._timeout_s))

    async def get(self, path: str, /, *, timeout_s: float | None = None, **query: Any) -> Answer:
        """Read one page, for example `/api/sessions`. Raises httpx.HTTPError."""
        wait_s = timeout_s or self._timeout_s
        return answer_of(await self._http.get(path, params=query, timeout=wait_s))

    async def download(self, path: str, write: Callable[[bytes], object]) -> int:
        """Write an answer piece by piece, for example a blob; return its size.

        Raises httpx.HTTPError, and LookupError when the server refuses it.
        """
        size = 0
        async with self._http.stream("GET", path, timeout=UPLOAD_S) as response:
            if not response.is_success:
                await response.aread()
                refusal = answer_of(response)
                raise LookupError(str(refusal.body.get("error", refusal.status)))
            async for piece in response.aiter_bytes():
                await asyncio.to_thread(write, piece)
                size += len(piece)
        return size

    async def whole_text(
        self, session_id: str, block_id: str, part: str = "content"
    ) -> AsyncIterator[str]:
        """Yield the pieces of a text that a frame has cut.

        part: of the block; "text" is the prompt whose messageId is given. Raises httpx.HTTPError,
        and LookupError when the server has no such text.
        """
        path = f"/api/sessions/{session_id}/blocks/{quote(block_id, safe='')}"
        start: int | None = 0
        while start is not None:
            answer = await self.get(path, part=part, start=start)
            if "text" not in answer.body:
                raise LookupError(str(answer.body.get("error", answer.status)))
            yield answer.body["text"]
            start = answer.body["next"]

    # --- Between its parts ----------------------------------------------------------------------

    def _apply(self, frame: Json) -> None:
        if frame["type"] == "user_message":
            self.outbox.confirm(frame["clientMsgId"], frame["sessionId"])
        elif frame["type"] == "session_snapshot":
            for message in frame["messages"]:
                if message["role"] == "user":
                    self.outbox.confirm(message["clientMsgId"], frame["sessionId"])
        self._on_frame(frame)

    def _connection_changed(self, status: Status) -> None:
        if status.state is StreamState.LIVE and status.connection_id is not None:
            self.outbox.connection_changed(status.connection_id)
        if self._on_status is not None:
            self._on_status(status)

    def _prompt_changed(self, prompt: Prompt) -> None:
        session_id = prompt.session_id
        is_strange = session_id is not None and session_id not in self.stream.cursors()
        if prompt.state is PromptState.ACCEPTED and session_id is not None and is_strange:
            # Its snapshot may have come before its receipt, as that of an unknown session.
            self.stream.watch(session_id)
        if self._on_prompt is not None:
            self._on_prompt(prompt)
