"""The files of Claude Code: ~/.claude/projects/<folder>/<session>.jsonl."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

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
from sessions.agents.port import TextDelta, ThinkingDelta, ToolCall, ToolDone, Update
from sessions.core.clean import clean, clean_text

MAX_CHATS: Final = 2_000
# Claude cuts the name of a long folder and adds a digest.
MAX_NAME_CHARS: Final = 200
# Words of the program itself in the place of a person's.
_OWN_WORDS: Final = ("<command-", "<local-command", "<bash-", "<system-reminder", "Caveat:")
# Marks of lines that a person neither wrote nor saw.
_HIDDEN: Final = ("isMeta", "isCompactSummary", "isVisibleInTranscriptOnly")
# The parts that count in a line of each type; the requests to the model repeat all of them.
_PARTS: Final = {"assistant": {"text", "thinking", "tool_use"}, "user": {"tool_result"}}
# Lines that name a chat, and the field with its name; the first has the last word.
_TITLES: Final = {"custom-title": "customTitle", "ai-title": "aiTitle", "summary": "summary"}


def _projects() -> Path:
    return home_of("CLAUDE_CONFIG_DIR", ".claude") / "projects"


def _folders(cwd: str) -> list[Path]:
    """Return the folders that may hold the chats of a folder."""
    name = re.sub(r"[^a-zA-Z0-9]", "-", cwd)
    if len(name) <= MAX_NAME_CHARS:
        return [_projects() / name]
    start = name[:MAX_NAME_CHARS]
    return [folder for folder in lines.folders(_projects()) if folder.name.startswith(start)]


def listed(cwd: str) -> list[FoundChat]:
    """Return the chats of a folder, the last changed first."""
    found = (_chat(entry) for entry in lines.files(_folders(cwd), ".jsonl")[:MAX_CHATS])
    return [chat for chat in found if chat is not None and is_in(chat, cwd)]


def place(agent_session_id: str, cwd: str) -> Path | None:
    """Return the file of a chat in a folder."""
    if not _is_id(agent_session_id):
        return None
    paths = (folder / f"{agent_session_id}.jsonl" for folder in _folders(cwd))
    return next((path for path in paths if lines.changed_at(path)), None)


def read(path: Path) -> Past:
    """Return the past that a file tells."""
    return newest(_turns(path))


def _is_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False


def _chat(entry: Entry) -> FoundChat | None:
    """Return the chat of a file; None for a subagent's and for one without a prompt."""
    if not _is_id(entry.path.stem):
        return None
    ends = lines.ends(entry.path)
    cwd, prompt = "", ""
    for line in lines.objects(ends.head):
        if line.get("isSidechain") is True:
            return None
        cwd = cwd or text(line, "cwd")
        prompt = prompt or _prompt(line)
        if cwd and prompt:
            break
    title = _title(ends) or prompt
    if not cwd or not title:
        return None
    return FoundChat(entry.path.stem, cwd, title_of(clean_text(title)), entry.changed_at)


def _title(ends: lines.Ends) -> str:
    found: dict[str, str] = {}
    for part in (ends.head, ends.tail):
        named = (line for line in part if b"itle" in line[:200] or b"summary" in line[:200])
        for line in lines.objects(named):
            kind = text(line, "type")
            if kind in _TITLES:
                found[kind] = text(line, _TITLES[kind])
    return next((found[kind] for kind in _TITLES if found.get(kind)), "")


def _prompt(line: Json) -> str:
    """Return the words of a person in a line, "" for none."""
    if line.get("type") != "user" or any(line.get(name) is True for name in _HIDDEN):
        return ""
    message = line.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        said = content
    else:
        parts = objects_of(content)
        said = "\n".join(text(part, "text") for part in parts if part.get("type") == "text")
    return "" if said.lstrip().startswith(_OWN_WORDS) else said.strip()


def _turns(path: Path) -> Iterator[PastTurn]:
    turn = PastTurn()
    for line in lines.whole(path):
        if line.get("isSidechain") is True:
            continue
        if prompt := _prompt(line):
            yield turn
            turn = PastTurn(clean_text(prompt))
            continue
        turn.said += _said(line)
    yield turn


def _said(line: Json) -> list[Update]:
    """Return the updates of a line."""
    wanted, message = _PARTS.get(text(line, "type"), set()), line.get("message")
    parts = objects_of(message.get("content") if isinstance(message, dict) else None)
    told = (_update(clean(part)) for part in parts if text(part, "type") in wanted)
    return [update for update in told if update is not None]


def _update(part: Json) -> Update | None:
    match part.get("type"):
        case "text" if text(part, "text"):
            return TextDelta(text(part, "text") + "\n\n")
        case "thinking" if text(part, "thinking"):
            return ThinkingDelta(text(part, "thinking"))
        case "tool_use" if text(part, "id"):
            name = text(part, "name")[:300] or "tool"
            return ToolCall(text(part, "id")[:64], name, "other", name, part.get("input"))
        case "tool_result" if text(part, "tool_use_id"):
            status = "failed" if part.get("is_error") is True else "completed"
            words = _result(part.get("content"))
            return ToolDone(text(part, "tool_use_id")[:64], status, words)  # type: ignore[arg-type]
    return None


def _result(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(text(part, "text") for part in objects_of(content))


FILES: Final = ChatFiles(listed, place, read)
