"""The demo agent, no AI: it explains the product, and every fault can be tried by hand."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, NoReturn

from sessions.agents.programs import demo_texts
from sessions.agents.programs.stdio import (
    Chat,
    Json,
    RequestFailed,
    StdioAgent,
    environment_of_tools,
)

# Words come in twos: about 30 chunks a second, as fast as a person reads along.
CHUNK_WORDS = 2
CHUNK_S = 0.033
SLOW_WORD_S = 0.1
FLOOD_BATCH = 100
MAX_COUNT = 2_000_000
MAX_OUTPUT_BYTES = 256 * 1024
REAP_S = 1.0

ALLOW_ONCE, ALLOW_ALWAYS, REJECT = "allow_once", "allow_always", "reject_once"
OPTIONS = [
    {"optionId": ALLOW_ONCE, "name": "Allow once", "kind": ALLOW_ONCE},
    {"optionId": ALLOW_ALWAYS, "name": "Allow for this session", "kind": ALLOW_ALWAYS},
    {"optionId": REJECT, "name": "Reject", "kind": REJECT},
]

Command = Callable[["DemoAgent", Chat, str], Awaitable[str]]


class DemoAgent(StdioAgent):
    """Commands begin with a slash; anything else is answered with a page about the product."""

    NAME = "demo"
    MODES = (
        {"id": "ask", "name": "Ask", "description": "Ask before each command"},
        {"id": "auto", "name": "Auto", "description": "Run commands without asking"},
    )

    def __init__(self) -> None:
        super().__init__()
        self._is_deaf = False
        self._refuses = False
        self._always: set[str] = set()
        self._spoken: list[str] = []

    async def turn(self, chat: Chat, text: str) -> str:
        """Answer a prompt or run a command."""
        self._spoken = []
        self._refuses = False
        name, _, argument = text.strip().partition(" ")
        command = self._commands.get(name)
        if command is None and name.startswith("/"):
            await self._say(chat, f"There is no command `{name}`.\n\n{demo_texts.HELP}")
            return "end_turn"
        try:
            return await (command or DemoAgent._answer)(self, chat, argument if command else text)
        finally:
            answer = "".join(self._spoken)
            chat.usage = _usage(chat, text, answer)
            self.remember(chat, text, answer[:20_000])

    async def cancel(self, chat: Chat) -> None:
        """End the turn, or act as an agent that will not."""
        if self._is_deaf:
            return
        if self._refuses:
            error = {"code": -32000, "message": "The demo agent was told to refuse interrupts."}
            await self.write({"jsonrpc": "2.0", "id": None, "error": error})
            return
        await super().cancel(chat)

    # --- speaking ---

    async def _emit(self, chat: Chat, piece: str) -> None:
        self._spoken.append(piece)
        await chat.text(piece)

    async def _say(self, chat: Chat, text: str) -> None:
        for piece in _pieces(text):
            await self._emit(chat, piece)
            await asyncio.sleep(CHUNK_S)

    async def _think(self, chat: Chat, text: str) -> None:
        for piece in _pieces(text):
            await chat.thinking(piece)
            await asyncio.sleep(CHUNK_S)

    # --- commands ---

    async def _answer(self, chat: Chat, text: str) -> str:
        earlier = sum(entry["role"] == "user" for entry in chat.history)
        await self._think(chat, demo_texts.thinking(text, earlier=earlier))
        await self._say(chat, demo_texts.answer(text, earlier=earlier))
        return "end_turn"

    async def _help(self, chat: Chat, _argument: str) -> str:
        await self._say(chat, demo_texts.HELP)
        return "end_turn"

    async def _slow(self, chat: Chat, argument: str) -> str:
        for number in range(1, _count(argument, 20) + 1):
            await self._emit(chat, f"word{number} ")
            await asyncio.sleep(SLOW_WORD_S)
        return "end_turn"

    async def _flood(self, chat: Chat, argument: str) -> str:
        total = _count(argument, 1000)
        for first in range(1, total + 1, FLOOD_BATCH):
            last = min(first + FLOOD_BATCH, total + 1)
            await chat.texts(f"{number} " for number in range(first, last))
        return "end_turn"

    async def _crash(self, chat: Chat, argument: str) -> str:
        await self._say(chat, "I shall end in the middle of this sen")
        sys.stderr.write("the demo agent was told to crash\n")
        sys.stderr.flush()
        os._exit(_count(argument, 3))

    async def _hang(self, chat: Chat, argument: str) -> str:
        # Deaf before the first word: a reader may rely on it.
        self._is_deaf = True
        is_hard = argument.strip() == "hard"
        if is_hard:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        await self._say(chat, "From here on I answer nothing any more …")
        if is_hard:
            _stand_still()
        await asyncio.Event().wait()
        return "end_turn"

    async def _refuse(self, chat: Chat, argument: str) -> str:
        self._refuses = True
        return await self._slow(chat, argument or "600")

    async def _plan(self, chat: Chat, _argument: str) -> str:
        for done in range(len(demo_texts.PLAN) + 1):
            await chat.update("plan", entries=_plan_entries(done))
            await asyncio.sleep(10 * CHUNK_S)
        await self._say(chat, "That was the plan; nothing was really done.")
        return "end_turn"

    async def _run_command(self, chat: Chat, argument: str) -> str:
        if not argument.strip():
            await self._say(chat, "Give a command: `/run ls -l`")
            return "end_turn"
        tool: Json = {
            "toolCallId": f"run-{os.urandom(4).hex()}",
            "title": argument,
            "kind": "execute",
        }
        await chat.update("tool_call", **tool, status="pending", rawInput={"command": argument})
        if not await self._may_run(chat, tool, argument):
            await chat.update(
                "tool_call_update", **tool, status="failed", content=_content("Rejected.")
            )
            await self._say(chat, "The command was rejected, so I did not run it.")
            return "end_turn"
        await chat.update("tool_call_update", **tool, status="in_progress")
        code, output = await _run_shell(argument, chat)
        status = "completed" if code == 0 else "failed"
        await chat.update("tool_call_update", **tool, status=status, content=_content(output))
        await self._say(chat, f"The command ended with exit code {code}.")
        return "end_turn"

    async def _parts(self, chat: Chat, _argument: str) -> str:
        """Tell a call in parts, as real agents do: placeholder, input, output, a bare end."""
        tool: Json = {"toolCallId": f"parts-{os.urandom(4).hex()}"}
        await chat.update("tool_call", **tool, title="Terminal", kind="execute", rawInput={})
        for command in ("make", "make test"):
            await chat.update(
                "tool_call_update", **tool, title=command, rawInput={"command": command}
            )
            await asyncio.sleep(SLOW_WORD_S)
        for output in ("one\n", "one\ntwo\n"):
            await chat.update("tool_call_update", **tool, content=_content(output))
            await asyncio.sleep(SLOW_WORD_S)
        await chat.update("tool_call_update", **tool, status="completed")
        await self._say(chat, "That was a call told in parts; nothing was run.")
        return "end_turn"

    async def _may_run(self, chat: Chat, tool: Json, command: str) -> bool:
        if chat.mode == "auto" or chat.session_id in self._always:
            return True
        choice = await chat.ask({**tool, "rawInput": {"command": command}}, OPTIONS)
        if choice is None:
            raise asyncio.CancelledError
        if choice == ALLOW_ALWAYS:
            self._always.add(chat.session_id)
        return choice in (ALLOW_ONCE, ALLOW_ALWAYS)

    async def _garbage(self, chat: Chat, argument: str) -> str:
        await self._say(chat, "Now follow bytes that are no message.")
        await self.write_raw(os.urandom(64 * 1024) + b"\n")
        return await self._slow(chat, argument or "600")

    async def _stderr(self, chat: Chat, argument: str) -> str:
        line = b"x" * 1023 + b"\n"
        megabytes = _count(argument, 1)
        for _ in range(megabytes):
            await asyncio.to_thread(_write_all, sys.stderr.fileno(), line * 1024)
        await self._say(chat, f"{megabytes} MB went to stderr.")
        return "end_turn"

    async def _fail(self, chat: Chat, _argument: str) -> str:
        await self._say(chat, "This turn ends with an error.")
        raise RequestFailed("The demo agent was told to fail.")

    _commands: ClassVar[dict[str, Command]] = {
        "/help": _help,
        "/run": _run_command,
        "/plan": _plan,
        "/parts": _parts,
        "/slow": _slow,
        "/flood": _flood,
        "/crash": _crash,
        "/hang": _hang,
        "/refuse-interrupt": _refuse,
        "/garbage": _garbage,
        "/stderr": _stderr,
        "/fail": _fail,
    }


async def _run_shell(command: str, chat: Chat) -> tuple[int, str]:
    """Run command in the session's folder, in a group of its own that ends with the turn."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_shell(
            command,
            cwd=chat.cwd,
            env=environment_of_tools(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            process_group=0,
        )
    )
    try:
        # A cancel in the middle of a start would end the shell alone, not what it has started.
        process = await asyncio.shield(starting)
        output = await _read_bounded(process)
        return await process.wait(), output.decode("utf-8", "replace")
    finally:
        process = await starting
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # Reaped, unless a child outside the group still holds its output.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REAP_S):
                await process.wait()


async def _read_bounded(process: asyncio.subprocess.Process) -> bytes:
    output = bytearray()
    while process.stdout is not None and (chunk := await process.stdout.read(64 * 1024)):
        output += chunk[: MAX_OUTPUT_BYTES - len(output)]
    return bytes(output)


def _pieces(text: str) -> list[str]:
    """Cut text into chunks of a few words that join to the same text again."""
    words = text.split(" ")
    spaced = [word + " " for word in words[:-1]] + words[-1:]
    return ["".join(spaced[at : at + CHUNK_WORDS]) for at in range(0, len(spaced), CHUNK_WORDS)]


def _count(argument: str, default: int) -> int:
    """Return the number after a command, default when there is none."""
    try:
        return max(0, min(int(argument.split(maxsplit=1)[0]), MAX_COUNT))
    except (ValueError, IndexError):
        return default


def _usage(chat: Chat, prompt: str, answer: str) -> Json:
    """Count words as a model would count tokens; there is no model here."""
    known = sum(len(entry["content"].split()) for entry in chat.history)
    read, written = known + len(prompt.split()), len(answer.split())
    return {"inputTokens": read, "outputTokens": written, "totalTokens": read + written}


def _plan_entries(done: int) -> list[dict[str, Any]]:
    states = ["completed"] * done + ["in_progress"] + ["pending"] * len(demo_texts.PLAN)
    return [
        {"content": text, "status": state, "priority": "medium"}
        for text, state in zip(demo_texts.PLAN, states, strict=False)
    ]


def _stand_still() -> NoReturn:
    """Hang as a whole process: read nothing, write nothing."""
    while True:
        signal.pause()


def _content(text: str) -> list[Json]:
    return [{"type": "content", "content": {"type": "text", "text": text}}]


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(DemoAgent().serve())
