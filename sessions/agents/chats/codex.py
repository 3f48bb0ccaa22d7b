"""The files of Codex: ~/.codex/sessions/<year>/<month>/<day>/rollout-<time>-<session>.jsonl."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sessions.agents.chats import lines
from sessions.agents.chats.found import (
    ChatFiles,
    FoundChat,
    Past,
    PastTurn,
    is_in,
    newest,
    title_of,
)
from sessions.agents.chats.lines import Entry, Json, home_of, objects_of, text
from sessions.agents.port import TextDelta, ThinkingDelta, ToolCall, ToolDone
from sessions.core.clean import clean, clean_text

MAX_CHATS: Final = 2_000
# Days with chats; older ones are not listed.
MAX_DAYS: Final = 1_000
_NAME: Final = re.compile(
    r"rollout-.*-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.jsonl"
)
# Words of the program itself in the place of a person's.
_OWN_WORDS: Final = ("<environment_context", "<user_instructions", "# AGENTS.md", "<turn_aborted")


def _days() -> Iterator[Path]:
    for year in lines.folders(home_of("CODEX_HOME", ".codex") / "sessions"):
        for month in lines.folders(year):
            yield from lines.folders(month)


def _entries() -> list[Entry]:
    days = [day for _, day in zip(range(MAX_DAYS), _days(), strict=False)]
    return [entry for entry in lines.files(days, ".jsonl") if _NAME.fullmatch(entry.path.name)]


def listed(cwd: str) -> list[FoundChat]:
    """Return the chats of a folder, the last changed first."""
    found = (_chat(entry) for entry in _entries()[:MAX_CHATS])
    return [chat for chat in found if chat is not None and is_in(chat, cwd)]


def place(agent_session_id: str, cwd: str) -> Path | None:  # noqa: ARG001 (files are by day)
    """Return the file of a chat."""
    return next((e.path for e in _entries() if _id_of(e.path) == agent_session_id), None)


def read(path: Path) -> Past:
    """Return the past that a file tells."""
    return newest(_turns(path))


def _id_of(path: Path) -> str:
    named = _NAME.fullmatch(path.name)
    return named.group(1) if named else ""


def _chat(entry: Entry) -> FoundChat | None:
    """Return the chat of a file; None for a subagent's and for one without a prompt."""
    cwd, prompt = "", ""
    for line in lines.objects(lines.ends(entry.path).head):
        told = line.get("payload")
        if not isinstance(told, dict):
            continue
        if line.get("type") == "session_meta":
            if isinstance(told.get("source"), dict):
                return None
            cwd = text(told, "cwd")
        prompt = prompt or _prompt(line, told) or _event(line, told)
        if cwd and prompt:
            break
    if not cwd or not prompt:
        return None
    return FoundChat(_id_of(entry.path), cwd, title_of(clean_text(prompt)), entry.changed_at)


def _event(line: Json, told: Json) -> str:
    is_prompt = line.get("type") == "event_msg" and told.get("type") == "user_message"
    return text(told, "message") if is_prompt else ""


def _prompt(line: Json, told: Json) -> str:
    """Return the words of a person in a line, "" for none."""
    is_message = line.get("type") == "response_item" and told.get("type") == "message"
    if not is_message or told.get("role") != "user":
        return ""
    said = _words(told.get("content"))
    return "" if said.lstrip().startswith(_OWN_WORDS) else said.strip()


def _turns(path: Path) -> Iterator[PastTurn]:
    turn = PastTurn()
    for line in lines.whole(path):
        told = line.get("payload")
        if not isinstance(told, dict) or line.get("type") != "response_item":
            continue
        if prompt := _prompt(line, told):
            yield turn
            turn = PastTurn(clean_text(prompt))
        elif update := _update(clean(told)):
            turn.said.append(update)
    yield turn


def _update(told: Json) -> TextDelta | ThinkingDelta | ToolCall | ToolDone | None:
    call = text(told, "call_id")[:64]
    match told.get("type"):
        case "message" if told.get("role") == "assistant" and (said := _words(told["content"])):
            return TextDelta(said + "\n\n")
        case "reasoning" if said := _words(told.get("summary")):
            return ThinkingDelta(said)
        case "function_call" | "custom_tool_call" | "local_shell_call" if call:
            name = text(told, "name")[:300] or "shell"
            return ToolCall(call, name, "other", name, _input(told))
        case "function_call_output" | "custom_tool_call_output" if call:
            return ToolDone(call, "completed", _output(told.get("output")))
    return None


def _input(told: Json) -> Any:
    """Return the input of a call, which is JSON in a text for a function."""
    if told.get("action") is not None:
        return told["action"]
    raw = text(told, "arguments") or text(told, "input")
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return {"input": raw} if raw else None


def _output(told: Any) -> str:
    if isinstance(told, dict):
        return text(told, "content") or text(told, "output")
    return told if isinstance(told, str) else _words(told)


def _words(parts: Any) -> str:
    return "\n".join(said for part in objects_of(parts) if (said := text(part, "text")))


FILES: Final = ChatFiles(listed, place, read)
