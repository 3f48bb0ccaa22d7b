"""Any OpenAI-compatible endpoint (Ollama, vLLM, llama.cpp …) as an agent: talk, no tools.

A process of its own like every other agent, so that a stop, a crash or a flood is the same for all.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any

from sessions.agents.programs import history
from sessions.agents.programs.history import ContextFull
from sessions.agents.programs.openai_chunks import (
    Chunk,
    EndpointError,
    OtherForm,
    error_text,
    parsed,
)
from sessions.agents.programs.stdio import Chat, Json, RequestFailed, StdioAgent, variable

# The variable that carries the endpoint from the registry to this process.
ENDPOINT = "BACKSTAY_ENDPOINT"
CONNECT_S = 10.0
FINISH_REASONS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
# The model waits for the result of a tool, which it has not been offered.
OF_TOOLS = frozenset({"tool_calls", "function_call"})


@dataclass(frozen=True)
class Endpoint:
    """Where the model is.

    max_tokens: of one answer, 0 leaves it to the endpoint; stall_s: how long the endpoint may send
    nothing before the turn fails.
    """

    base_url: str
    model: str
    api_key_env: str = ""
    system: str = "You are a helpful assistant."
    context_tokens: int = 8192
    max_tokens: int = 0
    stall_s: float = 120.0

    def to_json(self) -> str:
        """Return it as the value of ENDPOINT."""
        return json.dumps(asdict(self))


class OpenAIAgent(StdioAgent):
    """Keeps the conversation itself: the endpoint has no memory."""

    NAME = "openai"

    def __init__(self, endpoint: Endpoint, api_key: str) -> None:
        super().__init__()
        self._endpoint = endpoint
        # The package takes a second to import: the handshake does not wait for it.
        self._client = asyncio.ensure_future(asyncio.to_thread(_connect, endpoint, api_key))

    async def turn(self, chat: Chat, text: str) -> str:
        """Stream the answer to text; remember it, also one that a cancel or an error cut off."""
        said: list[str] = []
        try:
            return await self._answer(chat, text, said)
        finally:
            self.remember(chat, text, "".join(said))

    async def _answer(self, chat: Chat, text: str, said: list[str]) -> str:
        endpoint = self._endpoint
        conversation = [*chat.history, {"role": "user", "content": text}]
        messages = history.fitting(endpoint.system, conversation, tokens=endpoint.context_tokens)
        while True:
            try:
                return await self._stream(chat, messages, said)
            except ContextFull as exc:
                if len(messages) == 2 and len(messages[1]["content"]) < 100:
                    raise RequestFailed(
                        f"The endpoint says that the prompt is too long: {exc}"
                    ) from exc
                messages = history.shorter(messages)

    async def _stream(self, chat: Chat, messages: list[Json], said: list[str]) -> str:
        finish, has_begun = None, False
        async for chunk in self._chunks(messages):
            has_begun = True
            chat.usage = _usage(chunk) or chat.usage
            for choice in chunk.choices:
                if thought := choice.delta.thought:
                    await chat.thinking(thought)
                if text := choice.delta.content:
                    said.append(text)
                    await chat.text(text)
                finish = choice.finish_reason or finish
        if not has_begun:
            raise RequestFailed("The endpoint sent no stream of events.")
        if finish is None:
            raise RequestFailed("The endpoint ended its answer in the middle.")
        if finish in OF_TOOLS:
            raise RequestFailed("The model asked for a tool, and it has none here.")
        return FINISH_REASONS.get(finish, "end_turn")

    async def _chunks(self, messages: list[Json]) -> AsyncIterator[Chunk]:
        """Yield the endpoint's chunks. Raises RequestFailed with a sentence, ContextFull."""
        client = await self._client
        try:
            async with await _open_stream(client, self._endpoint, messages) as stream:
                async for event in stream:
                    yield parsed(event)
        except Exception as exc:
            raise _translated(exc, self._endpoint) from exc


def _connect(endpoint: Endpoint, api_key: str) -> Any:
    import openai  # noqa: PLC0415 (takes a second; see OpenAIAgent)

    timeout = openai.Timeout(endpoint.stall_s, connect=CONNECT_S)
    return openai.AsyncOpenAI(
        base_url=endpoint.base_url, api_key=api_key or "none", timeout=timeout, max_retries=1
    )


async def _open_stream(client: Any, endpoint: Endpoint, messages: list[Json]) -> Any:
    """Ask for an answer; return the stream of its events as plain JSON.

    The package's own models take any JSON for a chunk, and fail where a field is read.
    """
    import openai  # noqa: PLC0415 (is loaded by now)

    body: Json = {
        "model": endpoint.model,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if endpoint.max_tokens:
        body["max_tokens"] = endpoint.max_tokens
    return await client.post(
        "/chat/completions",
        body=body,
        cast_to=object,
        stream=True,
        stream_cls=openai.AsyncStream[object],
    )


def _translated(exc: Exception, endpoint: Endpoint) -> Exception:
    import openai  # noqa: PLC0415 (is loaded by now)

    if isinstance(exc, openai.APITimeoutError):
        return RequestFailed(f"{endpoint.base_url} sent nothing for {endpoint.stall_s:g} s.")
    if isinstance(exc, openai.APIStatusError):
        text = error_text(exc.body)
        if exc.status_code in (400, 413) and "context" in text.lower():
            return ContextFull(text)
        return RequestFailed(f"{endpoint.base_url} answered {exc.status_code}: {text}")
    if isinstance(exc, openai.APIConnectionError):
        return RequestFailed(f"There is no connection to {endpoint.base_url}.")
    if isinstance(exc, openai.APIError):
        return RequestFailed(f"{endpoint.base_url} reported an error: {error_text(exc.body)}")
    return RequestFailed(f"{endpoint.base_url} {_other_form(exc)}.")


def _other_form(exc: Exception) -> str:
    """Return how an answer differs from the API's, for a person."""
    if isinstance(exc, EndpointError):
        return f"reported an error: {exc}"
    if isinstance(exc, OtherForm):
        return f"sent an answer of another form than the API's, at {exc}"
    if isinstance(exc, ValueError):
        return "sent an event that is not JSON"
    return "could not be asked"


def _usage(chunk: Chunk) -> Json | None:
    """Return the counts that a chunk tells, in ACP's words."""
    if chunk.usage is None:
        return None
    read, written = chunk.usage.prompt_tokens or 0, chunk.usage.completion_tokens or 0
    return {"inputTokens": read, "outputTokens": written, "totalTokens": read + written}


async def _main() -> None:
    endpoint = Endpoint(**json.loads(variable(ENDPOINT)))
    await OpenAIAgent(endpoint, variable(endpoint.api_key_env)).serve()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main())
