"""The agent's side of ACP over stdin and stdout, common to the agents of this project.

Written without the ACP library, because its models cost a second to import and an agent of ours
starts in a tenth. A subclass gives `turn`; everything a turn does goes through its `Chat`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
import traceback
import uuid
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sessions.core.clean import clean, clean_text

# The server puts the folder there in which agents of ours keep their conversations.
STATE_DIR = "BACKSTAY_AGENT_STATE"
MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_HISTORY = 200
# The words of a mistake in the agent itself; the details are for the server's log.
FAILED = "The agent made a mistake in this turn; its error output has the details."
# The field of a permission's result that carries a sentence of the person.
MESSAGE = "backstay.message"
# The settings that Claude reads: of the person alone, but in a folder that a person trusts.
SETTING_SOURCES = "BACKSTAY_SETTING_SOURCES"
SESSION_ID = re.compile(r"[0-9a-f]{32}")

Json = dict[str, Any]


def setting_sources() -> list[str]:
    """Return the places of the settings that Claude reads."""
    return os.environ.get(SETTING_SOURCES, "user").split(",")


class RequestFailed(Exception):
    """A request that the agent answers with a JSON-RPC error."""


@dataclass
class Chat:
    """One session of the agent and the way to speak in it. mode: one of the agent's MODES."""

    agent: StdioAgent
    session_id: str
    cwd: Path
    mode: str
    history: list[Json] = field(default_factory=list)
    # The agent's own facts, which it finds again when the session is resumed.
    facts: Json = field(default_factory=dict)
    task: asyncio.Task[str] | None = None
    usage: Json | None = None
    servers: list[Json] = field(default_factory=list)  # of tools, as the client gave them
    # Of the prompt that is answered.
    images: list[Json] = field(default_factory=list)

    async def text(self, text: str) -> None:
        """Stream a piece of the answer."""
        await self._chunk("agent_message_chunk", text)

    async def texts(self, pieces: Iterable[str]) -> None:
        """Stream many pieces at once, each a message of its own."""
        lines = [self._line("agent_message_chunk", piece) for piece in pieces]
        await self.agent.write_raw(b"".join(lines))

    async def thinking(self, text: str) -> None:
        """Stream a piece of reasoning."""
        await self._chunk("agent_thought_chunk", text)

    async def update(self, kind: str, /, **fields: Any) -> None:
        """Send any other update, such as plan, tool_call or tool_call_update."""
        await self.agent.write_raw(_encode(self._notification(kind, **fields)))

    async def ask(self, tool_call: Json, options: list[Json]) -> str | None:
        """Ask for permission; return the id of the chosen option, None when it was cancelled."""
        choice, _ = await self.decision(tool_call, options)
        return choice

    async def decision(self, tool_call: Json, options: list[Json]) -> tuple[str | None, str]:
        """Ask as `ask` does; return the person's sentence, too, "" without one."""
        params = {"sessionId": self.session_id, "toolCall": tool_call, "options": options}
        result = await self.agent.request("session/request_permission", params)
        outcome, message = result["outcome"], result.get("_meta", {}).get(MESSAGE, "")
        return (outcome["optionId"] if outcome["outcome"] == "selected" else None), message

    async def _chunk(self, kind: str, text: str) -> None:
        await self.agent.write_raw(self._line(kind, text))

    def _line(self, kind: str, text: str) -> bytes:
        return _encode(self._notification(kind, content={"type": "text", "text": text}))

    def _notification(self, kind: str, /, **fields: Any) -> Json:
        params = {"sessionId": self.session_id, "update": {"sessionUpdate": kind, **fields}}
        return {"jsonrpc": "2.0", "method": "session/update", "params": params}


class StdioAgent(ABC):
    """An agent process: reads requests from stdin until its end, one turn at a time per session."""

    NAME = "agent"
    MODES: tuple[Json, ...] = ()
    # Whether it looks at images; they are in `chat.images` then.
    TAKES_IMAGES = False
    TAKES_SERVERS = False  # of MCP, at an address, too

    def __init__(self) -> None:
        self._chats: dict[str, Chat] = {}
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._last_id = 0
        self._writer: asyncio.StreamWriter

    @abstractmethod
    async def turn(self, chat: Chat, text: str) -> str:
        """Answer a prompt; return ACP's stop reason. Cancelled when the client cancels."""

    async def opened(self, chat: Chat) -> None:  # noqa: B027 (most agents need nothing here)
        """Get ready for a new or resumed session. Raises RequestFailed."""

    async def mode_set(self, chat: Chat) -> None:  # noqa: B027 (most agents only read chat.mode)
        """Take a changed mode into account. Raises RequestFailed, which leaves the old one."""

    def foreign(self, session_id: str) -> Json | None:  # noqa: ARG002 (of the session)
        """Return the facts of a session that another program of the agent began; None: unknown."""
        return None

    async def cancel(self, chat: Chat) -> None:
        """Handle the client's cancel: end the turn. A subclass may misbehave here."""
        if chat.task is not None:
            chat.task.cancel()

    # --- the wire ---

    async def serve(self) -> None:
        """Serve requests until stdin ends."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=MAX_LINE_BYTES)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        # The pipe is for the protocol alone: a library prints to the error output.
        pipe = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, pipe)
        self._writer = asyncio.StreamWriter(transport, protocol, None, loop)
        while line := await reader.readline():
            self._keep(self._handle(json.loads(line)))
        turns = [chat.task for chat in self._chats.values() if chat.task is not None]
        for task in [*turns, *self._running]:
            task.cancel()
        await asyncio.wait([asyncio.ensure_future(asyncio.sleep(0)), *turns, *self._running])

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work beside the reader."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def request(self, method: str, params: Json) -> Json:
        """Send a request and wait for its answer."""
        self._last_id += 1
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._answers[self._last_id] = answer
        await self.write(
            {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}
        )
        return await answer

    async def write(self, message: Json) -> None:
        """Send one message; wait while the client does not read."""
        await self.write_raw(_encode(message))

    async def write_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    async def _handle(self, message: Json) -> None:
        if "method" not in message:
            answer = self._answers.pop(message["id"], None)
            if answer is not None and not answer.done():
                answer.set_result(message.get("result") or {"outcome": {"outcome": "cancelled"}})
            return
        if message["method"] == "session/prompt":
            self._begin(message)
            return
        reply: Json
        try:
            reply = {"result": await self._dispatch(message["method"], message.get("params") or {})}
        except RequestFailed as exc:
            reply = {"error": {"code": -32602, "message": str(exc)}}
        if "id" in message:
            await self.write({"jsonrpc": "2.0", "id": message["id"], **reply})

    async def _dispatch(self, method: str, params: Json) -> Json:
        match method:
            case "initialize":
                return _hello(self)
            case "session/new":
                chat = self._open(uuid.uuid4().hex, params)
                await self.opened(chat)
                return {"sessionId": chat.session_id, "modes": self._modes(chat)}
            case "session/resume":
                return await self._resume(params)
            case "session/set_mode":
                await self._set_mode(self._chat(params), params["modeId"])
                return {}
            case "session/cancel":
                await self.cancel(self._chat(params))
                return {}
        raise RequestFailed(f"This agent knows no {method}.")

    # --- sessions ---

    def _open(self, session_id: str, params: Json) -> Chat:
        mode = self.MODES[0]["id"] if self.MODES else ""
        chat = Chat(self, session_id, Path(params["cwd"]), mode)
        chat.servers = params.get("mcpServers") or []
        self._chats[session_id] = chat
        return chat

    async def _resume(self, params: Json) -> Json:
        own = params["sessionId"]
        kept = _kept(own, self.foreign(own))
        chat = self._open(own, params)
        chat.history, chat.facts = kept["history"], kept["facts"]
        await self.opened(chat)
        return {"modes": self._modes(chat)}

    def _chat(self, params: Json) -> Chat:
        try:
            return self._chats[params["sessionId"]]
        except KeyError:
            raise RequestFailed("This session is not known.") from None

    async def _set_mode(self, chat: Chat, mode: str) -> None:
        if mode not in {offered["id"] for offered in self.MODES}:
            raise RequestFailed(f"This agent has no mode {mode!r}.")
        before, chat.mode = chat.mode, mode
        try:
            await self.mode_set(chat)
        except RequestFailed:
            chat.mode = before
            raise
        await chat.update("current_mode_update", currentModeId=mode)

    def _modes(self, chat: Chat) -> Json | None:
        if not self.MODES:
            return None
        return {"currentModeId": chat.mode, "availableModes": list(self.MODES)}

    def remember(self, chat: Chat, prompt: str, answer: str) -> None:
        """Keep a turn for later ones."""
        chat.history += [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": clean_text(answer)},
        ]
        del chat.history[:-MAX_HISTORY]
        self.save(chat)

    def save(self, chat: Chat) -> None:
        """Write the session's history and facts, for a later process."""
        path = _history_path(chat.session_id)
        if path is None:
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(json.dumps({"history": chat.history, "facts": chat.facts}), "utf-8")
        new.replace(path)  # a kill in between leaves the old file whole

    # --- turns ---

    def _begin(self, message: Json) -> None:
        chat = self._chat(message["params"])
        if chat.task is not None and not chat.task.done():
            chat.task.cancel()
        blocks = message["params"]["prompt"]
        text, chat.images = "".join(map(_text_of, blocks)), [*filter(_is_image, blocks)]
        chat.usage = None
        chat.task = asyncio.create_task(self.turn(chat, text))
        self._keep(self._reply(chat, chat.task, message["id"]))

    async def _reply(self, chat: Chat, turn: asyncio.Task[str], request_id: int) -> None:
        """Answer the prompt when its turn ends; a turn can be cancelled before it has begun."""
        reply: Json
        try:
            reply = {"result": {"stopReason": await turn}}
        except asyncio.CancelledError:
            reply = {"result": {"stopReason": "cancelled"}}
        except RequestFailed as exc:
            reply = {"error": {"code": -32603, "message": str(exc)}}
        except Exception:  # noqa: BLE001 (a turn that fails is answered, the agent lives on)
            traceback.print_exc()
            reply = {"error": {"code": -32603, "message": FAILED}}
        if "result" in reply and chat.usage is not None:
            reply["result"]["usage"] = chat.usage
        with contextlib.suppress(ConnectionError):
            await self.write({"jsonrpc": "2.0", "id": request_id, **reply})


def _hello(agent: StdioAgent) -> Json:
    return {
        "protocolVersion": 1,
        "agentInfo": {"name": agent.NAME, "version": "1"},
        "agentCapabilities": {
            "sessionCapabilities": {"resume": {}},
            "promptCapabilities": {"image": agent.TAKES_IMAGES},
            "mcpCapabilities": {"http": agent.TAKES_SERVERS},
        },
    }


def _is_image(block: Json) -> bool:
    return bool(block.get("type") == "image")


def _text_of(block: Json) -> str:
    """Return the text of a block of a prompt; a link to a file is one."""
    if block.get("type") == "resource_link":
        return f"\n[file: {block['name']}]({block['uri']})"
    if block.get("type") == "resource":
        resource = block.get("resource", {})
        return f"\n[file: {resource.get('uri', '')}]\n{resource.get('text', '')}\n"
    return str(block.get("text", ""))


def variable(name: str, default: str = "") -> str:
    """Return a variable of this process, set by the server at its start."""
    return os.environ.get(name, default)


def environment_of_tools() -> dict[str, str]:
    """Return the environment for commands that an agent runs: its own but for how it started."""
    own = ("PYTHONPATH", STATE_DIR)
    return {name: value for name, value in os.environ.items() if name not in own}


def _encode(message: Json) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def _kept(session_id: str, foreign: Json | None) -> Json:
    """Return history and facts of a session to resume. Raises RequestFailed for an unknown one."""
    if foreign is not None:
        return {"history": [], "facts": foreign}
    path = _history_path(session_id)
    if path is None or not path.exists():
        raise RequestFailed("This session is not known.")
    kept: Json = clean(json.loads(path.read_text("utf-8")))
    return kept


def _history_path(session_id: str) -> Path | None:
    """Return the file of a session's history; None without a state folder or for an odd id."""
    folder = variable(STATE_DIR)
    if not folder or not SESSION_ID.fullmatch(session_id):
        return None
    return Path(folder) / f"{session_id}.json"
