"""The output of a tool call as text: raw, or of a terminal. Bounded."""

from __future__ import annotations

import json
from typing import Any, Final

from sessions.agents.acp.translation.content import block_text

# Of one tool's output; a command can print gigabytes.
MAX_RESULT_CHARS: Final = 200_000
# Names under which agents put the printed text into a structured output.
PRINTED: Final = ("formatted_output", "aggregated_output", "output", "stdout")
BLOCKS: Final = frozenset({"text", "image", "audio", "resource", "resource_link"})


def cut(text: str) -> str:
    """Return text, or its beginning and the number of characters that are left out."""
    if len(text) <= MAX_RESULT_CHARS:
        return text
    return f"{text[:MAX_RESULT_CHARS]}\n… {len(text) - MAX_RESULT_CHARS} more characters"


def raw_text(raw: Any) -> str:
    """Return a raw output as text: its printed part where it has one, else all of it as JSON."""
    if isinstance(raw, str):
        return cut(raw)
    if isinstance(raw, list) and raw and all(map(_is_block, raw)):
        return cut("\n".join(map(block_text, raw)))
    if isinstance(raw, dict):
        for name in PRINTED:
            if isinstance(raw.get(name), str):
                return cut(raw[name])
    return cut(json.dumps(raw, indent=2, ensure_ascii=False, default=str))


def _is_block(item: Any) -> bool:
    """Return whether an item is a block of content: its bytes are no text."""
    return isinstance(item, dict) and item.get("type") in BLOCKS


class Terminal:
    """The terminal of a tool call, which codex tells in the meta of its updates alone."""

    def __init__(self) -> None:
        self._text = ""
        self._fresh = ""
        self._left_out = 0
        self._ending = ""

    def take(self, meta: dict[str, Any]) -> bool:
        """Add the output and the exit that an update's meta tells; return whether it told any."""
        pieces = [
            told["data"]
            for name in ("terminal_output_delta", "terminal_output")
            if isinstance(told := meta.get(name), dict) and isinstance(told.get("data"), str)
        ]
        for piece in pieces:
            self._add(piece)
        ended = meta.get("terminal_exit")
        if isinstance(ended, dict):
            self._ending = _ending(ended)
        return bool(pieces) or isinstance(ended, dict)

    @property
    def size(self) -> int:
        """The number of characters that are held."""
        return len(self._text)

    def fresh(self) -> str:
        """Return the output since the last call."""
        fresh, self._fresh = self._fresh, ""
        return fresh

    def text(self) -> str:
        """Return all of it so far, with an exit that was not a good one."""
        left_out = f"… {self._left_out} more characters" if self._left_out else ""
        lines = (self._text.rstrip("\n"), left_out, self._ending)
        if not left_out and not self._ending:
            return self._text
        return "\n".join(line for line in lines if line)

    def _add(self, piece: str) -> None:
        room = MAX_RESULT_CHARS - len(self._text)
        self._text += piece[:room]
        self._fresh += piece[:room]
        self._left_out += len(piece[room:])


def _ending(ended: dict[str, Any]) -> str:
    signal, code = ended.get("signal"), ended.get("exit_code")
    if isinstance(signal, str | int) and signal:
        return f"[signal {str(signal)[:40]}]"
    return f"[exit code {code}]" if isinstance(code, int) and code else ""
