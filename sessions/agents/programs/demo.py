"""The demo agent, no AI: it explains the product, and every fault can be tried by hand."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from codecs import getincrementaldecoder
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, ClassVar, NoReturn

from sessions.agents.programs import demo_texts
from sessions.agents.programs.demo_shows import Shows
from sessions.agents.programs.stdio import (
    Chat,
    Json,
    RequestFailed,
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

Command = Callable[["DemoAgent", Chat, str], Awaitable[str]]
Tell = Callable[[str], Awaitable[None]]


class DemoAgent(Shows):
    """Commands begin with a slash; anything else is answered with a page about the product."""

    NAME = "demo"
    TAKES_IMAGES = True
    MODES = (
        {"id": "ask", "name": "Ask", "description": "Ask before each command"},
        {"id": "auto", "name": "Auto", "description": "Run commands without asking"},
    )

    def __init__(self) -> None:
        super().__init__()
        self._is_deaf = False
        self._refuses = False
        self._spoken: list[str] = []

    async def turn(self, chat: Chat, text: str) -> str:
        """Answer a prompt or run a command."""
        self._spoken = []
        self._refuses = False
        if chat.images:
            await self.say(chat, demo_texts.seen(chat.images))
        name, _, argument = text.strip().partition(" ")
        command = self._commands.get(name)
        if command is None and name.startswith("/"):
            await self.say(chat, f"There is no command `{name}`.\n\n{demo_texts.HELP}")
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

    async def say(self, chat: Chat, text: str) -> None:
        """Speak a text, word by word."""
        pause_s = CHUNK_S / 10 if chat.facts.get("pace") == "fast" else CHUNK_S
        await self._say(
            chat, _pieces(text.upper() if chat.facts.get("capitals") else text), pause_s
        )

    async def _say(self, chat: Chat, pieces: Iterable[str], pause_s: float = CHUNK_S) -> None:
        for piece in pieces:
            self._spoken.append(piece)
            await chat.text(piece)
            await asyncio.sleep(pause_s)

    async def _think(self, chat: Chat, text: str) -> None:
        for piece in _pieces(text):
            await chat.thinking(piece)
            await asyncio.sleep(CHUNK_S)

    # --- commands ---

    async def _answer(self, chat: Chat, text: str) -> str:
        earlier = sum(entry["role"] == "user" for entry in chat.history)
        await self._think(chat, demo_texts.thinking(text, earlier=earlier))
        await self.say(chat, demo_texts.answer(text, earlier=earlier))
        return "end_turn"

    async def _help(self, chat: Chat, _argument: str) -> str:
        await self.say(chat, demo_texts.HELP)
        return "end_turn"

    async def _slow(self, chat: Chat, argument: str) -> str:
        numbers = range(1, _count(argument, 20) + 1)
        await self._say(chat, (f"word{number} " for number in numbers), SLOW_WORD_S)
        return "end_turn"

    async def _essay(self, chat: Chat, argument: str) -> str:
        await self._say(chat, demo_texts.essay(_count(argument, 5)), SLOW_WORD_S)
        return "end_turn"

    async def _flood(self, chat: Chat, argument: str) -> str:
        total = _count(argument, 1000)
        for first in range(1, total + 1, FLOOD_BATCH):
            last = min(first + FLOOD_BATCH, total + 1)
            await chat.texts(f"{number} " for number in range(first, last))
        return "end_turn"

    async def _crash(self, chat: Chat, argument: str) -> str:
        await self.say(chat, "I shall end in the middle of this sen")
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
        await self.say(chat, "From here on I answer nothing any more …")
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
        await self.say(chat, "That was the plan; nothing was really done.")
        return "end_turn"

    async def _run_command(self, chat: Chat, argument: str) -> str:
        if not argument.strip():
            await self.say(chat, "Give a command: `/run ls -l`")
            return "end_turn"
        tool: Json = {
            "toolCallId": f"run-{os.urandom(4).hex()}",
            "title": argument,
            "kind": "execute",
        }
        await chat.update("tool_call", **tool, status="pending", rawInput={"command": argument})
        if not await self.may(chat, tool, {"command": argument}):
            await chat.update(
                "tool_call_update", **tool, status="failed", content=_content("Rejected.")
            )
            await self.say(chat, "The command was rejected, so I did not run it.")
            return "end_turn"
        await chat.update("tool_call_update", **tool, status="in_progress")
        tell = partial(_tell_output, chat, tool["toolCallId"])
        code = await _run_shell(argument, chat, tell)
        status = "completed" if code == 0 else "failed"
        await chat.update("tool_call_update", **tool, status=status)
        await self.say(chat, f"The command ended with exit code {code}.")
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
        await self.say(chat, "That was a call told in parts; nothing was run.")
        return "end_turn"

    async def _garbage(self, chat: Chat, argument: str) -> str:
        await self.say(chat, "Now follow bytes that are no message.")
        await self.write_raw(os.urandom(64 * 1024) + b"\n")
        return await self._slow(chat, argument or "600")

    async def _stderr(self, chat: Chat, argument: str) -> str:
        line = b"x" * 1023 + b"\n"
        megabytes = _count(argument, 1)
        for _ in range(megabytes):
            await asyncio.to_thread(_write_all, sys.stderr.fileno(), line * 1024)
        await self.say(chat, f"{megabytes} MB went to stderr.")
        return "end_turn"

    async def _fail(self, chat: Chat, _argument: str) -> str:
        await self.say(chat, "This turn ends with an error.")
        raise RequestFailed("The demo agent was told to fail.")

    _commands: ClassVar[dict[str, Command]] = {
        "/help": _help,
        "/run": _run_command,
        "/plan": _plan,
        "/edit": Shows.edit,
        "/ask": Shows.ask,
        "/picture": Shows.picture,
        "/subagent": Shows.subagent,
        "/background": Shows.background,
        "/parts": _parts,
        "/slow": _slow,
        "/essay": _essay,
        "/flood": _flood,
        "/crash": _crash,
        "/hang": _hang,
        "/refuse-interrupt": _refuse,
        "/garbage": _garbage,
        "/stderr": _stderr,
        "/fail": _fail,
    }


async def _tell_output(chat: Chat, tool_id: str, output: str) -> None:
    grown = {"terminal_output_delta": {"data": output}}
    await chat.update("tool_call_update", toolCallId=tool_id, _meta=grown)


async def _run_shell(command: str, chat: Chat, tell: Tell) -> int:
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
        # A cancel in the middle of a start would end the shell alone, not its children.
        process = await asyncio.shield(starting)
        await _read_bounded(process, tell)
        return await process.wait()
    finally:
        process = await starting
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # Reaped, unless a child outside the group still holds its output.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REAP_S):
                await process.wait()


async def _read_bounded(process: asyncio.subprocess.Process, tell: Tell) -> None:
    """Tell the output as it comes, up to a bound."""
    decoder, room = getincrementaldecoder("utf-8")("replace"), MAX_OUTPUT_BYTES
    while process.stdout is not None and (chunk := await process.stdout.read(64 * 1024)):
        if text := decoder.decode(chunk[:room]):
            await tell(text)
        room -= min(room, len(chunk))


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
