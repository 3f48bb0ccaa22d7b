"""The demo agent's commands that show more than text: edits, questions, subagents, late work."""

from __future__ import annotations

import asyncio
import base64
import os
import struct
import zlib
from abc import abstractmethod
from pathlib import Path
from typing import Final

from sessions.agents.programs.stdio import Chat, Json, RequestFailed, StdioAgent

FILE: Final = "demo-notes.txt"
MAX_FILE_CHARS: Final = 100_000
SIDE: Final = 32
BACKGROUND_S: Final = 2.0
COMMANDS: Final = (
    ("help", "Show what the demo can do", ""),
    ("run", "Run a command in the chat's folder", "command"),
    ("edit", "Add a line to a file in the chat's folder", "text"),
    ("ask", "Ask a question with every kind of field", ""),
    ("picture", "Show an image of a tool", ""),
    ("subagent", "Let a subagent do a step", ""),
    ("background", "Go on after the answer", ""),
    ("plan", "Show a plan", ""),
)
FORM: Final[Json] = {
    "type": "object",
    "properties": {
        "colour": {
            "type": "string",
            "title": "Colour",
            "oneOf": [{"const": "red", "title": "Red"}, {"const": "blue", "title": "Blue"}],
        },
        "count": {"type": "integer", "title": "How many", "minimum": 1, "maximum": 9, "default": 3},
        "tags": {"type": "array", "title": "Tags", "items": {"enum": ["fast", "cheap", "good"]}},
        "sure": {"type": "boolean", "title": "Sure?"},
        "note": {"type": "string", "title": "A note", "maxLength": 200},
        "share": {"type": "number", "title": "A share", "minimum": 0, "maximum": 1},
        "mail": {"type": "string", "title": "Mail", "format": "email"},
        "link": {"type": "string", "title": "A link", "format": "uri"},
        "day": {"type": "string", "title": "A day", "format": "date"},
        "moment": {"type": "string", "title": "A moment", "format": "date-time"},
    },
    "required": ["colour"],
}


ALLOW_ONCE, ALLOW_ALWAYS, REJECT = "allow_once", "allow_always", "reject_once"
OPTIONS = [
    {"optionId": ALLOW_ONCE, "name": "Allow once", "kind": ALLOW_ONCE},
    {"optionId": ALLOW_ALWAYS, "name": "Allow for this session", "kind": ALLOW_ALWAYS},
    {"optionId": REJECT, "name": "Reject", "kind": REJECT},
]


class Shows(StdioAgent):
    """The commands, the settings and the list of commands of the demo."""

    @abstractmethod
    async def say(self, chat: Chat, text: str) -> None:
        """Speak a text, word by word."""

    def __init__(self) -> None:
        super().__init__()
        self._always: set[str] = set()

    async def may(self, chat: Chat, tool: Json, action: Json) -> bool:
        """Ask for permission, unless the mode or an earlier answer gives it."""
        if chat.mode == "auto" or chat.session_id in self._always:
            return True
        choice = await chat.ask({**tool, "rawInput": action}, OPTIONS)
        if choice is None:
            raise asyncio.CancelledError
        if choice == ALLOW_ALWAYS:
            self._always.add(chat.session_id)
        return choice in (ALLOW_ONCE, ALLOW_ALWAYS)

    async def _dispatch(self, method: str, params: Json) -> Json:
        if method == "session/set_config_option":
            return self._set_option(self._chat(params), params["configId"], params["value"])
        answer = await super()._dispatch(method, params)
        if method in ("session/new", "session/resume"):
            chat = self._chats[answer.get("sessionId") or params["sessionId"]]
            await self._offer(chat)
            answer["configOptions"] = _options(chat.facts)
        return answer

    def _set_option(self, chat: Chat, option_id: str, value: object) -> Json:
        if not _is_value(option_id, value):
            raise RequestFailed("The demo has no such setting.")
        chat.facts[option_id] = value
        self.save(chat)
        return {"configOptions": _options(chat.facts)}

    async def _offer(self, chat: Chat) -> None:
        """Tell the commands that a person may want to try first, before the session is open."""
        commands = [
            {"name": name, "description": about, "input": {"hint": hint} if hint else None}
            for name, about, hint in COMMANDS
        ]
        await chat.update("available_commands_update", availableCommands=commands)

    async def edit(self, chat: Chat, argument: str) -> str:
        """Change a file for real; its diff is shown before the decision."""
        path, diff, new = _edit_of(chat, argument)
        tool: Json = {"toolCallId": f"edit-{os.urandom(4).hex()}", "kind": "edit"}
        tool |= {"title": f"Edit {path.name}", "content": [diff]}
        tool["locations"] = [{"path": str(path), "line": max(1, new.count("\n"))}]
        await chat.update("tool_call", **tool, status="pending", rawInput={"path": str(path)})
        if not await self.may(chat, tool, {"path": str(path)}):
            await chat.update("tool_call_update", toolCallId=tool["toolCallId"], status="failed")
            await self.say(chat, "The change was rejected, so I did not make it.")
            return "end_turn"
        await asyncio.to_thread(path.write_text, new, "utf-8")
        await chat.update("tool_call_update", toolCallId=tool["toolCallId"], status="completed")
        await self.say(chat, f"I added a line to {path.name}.")
        return "end_turn"

    async def ask(self, chat: Chat, _argument: str) -> str:
        """Ask a question with every kind of field."""
        await self.say(chat, await _ask(chat))
        return "end_turn"

    async def picture(self, chat: Chat, _argument: str) -> str:
        """Show a tool whose result is an image."""
        image = {"type": "image", "data": _square(), "mimeType": "image/png"}
        tool = {"toolCallId": f"picture-{os.urandom(4).hex()}", "kind": "other"}
        tool["title"] = "Draw a square"
        await chat.update("tool_call", **tool, status="in_progress")
        content = [{"type": "content", "content": image}]
        await chat.update("tool_call_update", **tool, status="completed", content=content)
        await self.say(chat, "That was a square of one colour.")
        return "end_turn"

    async def subagent(self, chat: Chat, _argument: str) -> str:
        """Show a subagent at work."""
        await _subagent(chat)
        await self.say(chat, "That was a subagent of the demo; nothing was really done.")
        return "end_turn"

    async def background(self, chat: Chat, _argument: str) -> str:
        """Answer, and go on after the answer."""
        tool: Json = {"toolCallId": f"wait-{os.urandom(4).hex()}", "kind": "execute"}
        tool |= {"title": "Wait in the background (demo)", "rawInput": {"run_in_background": True}}
        await chat.update("tool_call", **tool, status="completed")
        await self.say(chat, "I go on in the background and come back in a moment.")
        self._keep(_background(chat))
        return "end_turn"


def _square() -> str:
    """Return a PNG of one colour by chance, in base64."""
    line = b"\0" + os.urandom(3) * SIDE
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(line * SIDE)), (b"IEND", b""))
    image = b"\x89PNG\r\n\x1a\n" + b"".join(_part(*part) for part in parts)
    return base64.b64encode(image).decode()


def _part(kind: bytes, data: bytes) -> bytes:
    checked = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checked


def _options(facts: Json) -> list[Json]:
    """Return the settings of the demo, as they are in a session."""
    names = {"normal": "Normal", "fast": "Fast"}
    values = [{"value": value, "name": name} for value, name in names.items()]
    pace = {"type": "select", "currentValue": facts.get("pace", "normal"), "options": values}
    capitals = {"type": "boolean", "currentValue": facts.get("capitals") is True}
    return [
        {"id": "pace", "name": "Pace", "category": "", **pace},
        {"id": "capitals", "name": "Capitals", "category": "", **capitals},
    ]


def _is_value(option_id: object, value: object) -> bool:
    """Return whether a setting takes a value."""
    if option_id == "capitals":
        return isinstance(value, bool)
    return option_id == "pace" and value in ("normal", "fast")


def _edit_of(chat: Chat, text: str) -> tuple[Path, Json, str]:
    """Return the file to change, its diff and its new text."""
    path = chat.cwd / FILE
    old = path.read_text("utf-8", "replace")[:MAX_FILE_CHARS] if path.is_file() else None
    new = (old or "") + f"{text.strip() or 'A line of the demo.'}\n"
    return path, {"type": "diff", "path": str(path), "oldText": old, "newText": new}, new


async def _ask(chat: Chat) -> str:
    """Ask a question; return a sentence about its answer."""
    params = {
        "sessionId": chat.session_id,
        "mode": "form",
        "message": "The demo asks: how shall it be?",
        "requestedSchema": FORM,
    }
    answer = await chat.agent.request("elicitation/create", params)
    if answer.get("action") != "accept":
        return f"You did not answer ({answer.get('action', 'cancel')})."
    given = ", ".join(f"{name}: {value}" for name, value in answer.get("content", {}).items())
    return f"You answered {given}. The demo does nothing with it."


async def _subagent(chat: Chat) -> None:
    """Show a call of a subagent with its words and a step of its own; nothing is done."""
    task, step = (f"{kind}-{os.urandom(4).hex()}" for kind in ("task", "step"))
    child: Json = {"_meta": {"claudeCode": {"parentToolUseId": task}}}
    start: Json = {"kind": "think", "title": "Subagent (demo)", "rawInput": {"task": "look around"}}
    await chat.update("tool_call", toolCallId=task, status="in_progress", **start)
    words = {"type": "text", "text": "I am the demo's subagent, no AI. I pretend to look around."}
    await chat.update("agent_message_chunk", content=words, **child)
    read: Json = {"kind": "read", "title": "Look around", "rawInput": {"path": "."}}
    await chat.update("tool_call", toolCallId=step, status="completed", **read, **child)
    await chat.update("tool_call_update", toolCallId=task, status="completed")


async def _background(chat: Chat) -> None:
    """Speak once more after the answer, as agents do whose work in the background is done."""
    await asyncio.sleep(BACKGROUND_S)
    words = {"type": "text", "text": "The demo's work in the background is done: it waited."}
    end = {"_meta": {"_claude/origin": {"kind": "task-notification"}}}
    await chat.update("agent_message_chunk", content=words)
    await chat.update("usage_update", used=1, size=1000, **end)
