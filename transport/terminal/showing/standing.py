"""The standing of a session: its turn, how full its context is, its files, what ran out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sessions.text.asking import EXPIRED

Event = Mapping[str, Any]
# A chat that tells more files forgets the oldest.
MAX_BLOBS: Final = 1000
# Of the requests that ran out, the oldest are forgotten.
MAX_EXPIRED: Final = 100


class Standing:
    """The facts of one session that a terminal does not write down as lines."""

    def __init__(self) -> None:
        # The turns that run, with the clientMsgId of their prompts, "" for the agent's own.
        self.prompts: dict[str, str] = {}
        self._context: Mapping[str, int] | None = None
        self._told_fill = ""
        self._blobs: dict[str, None] = {}
        self._expired: list[str] = []

    @property
    def turn_id(self) -> str | None:
        """The turn that runs."""
        return next(iter(self.prompts), None)

    def apply(self, frame: Event) -> None:
        """Take a frame."""
        match frame["type"]:
            case "session_snapshot":
                self.prompts = {}
                if frame["turn"]:
                    self._begin(frame["turn"])
                self._context = frame.get("context")
                if frame["full"]:
                    self._expired = []
                for message in frame.get("messages", ()):
                    self._note(message)
                    self._note_expired(message.get("code"), message.get("text", ""))
                    for block in message.get("blocks", ()):
                        self._note(block)
            case "turn_start":
                self._begin(frame)
            case "context":
                self._context = frame
            case "user_message" | "tool_result":
                self._note(frame)
            case "error":
                self._note_expired(frame["code"], frame["error"])

    def fill(self) -> str:
        """Return how full the context is; "" where nothing has changed since it was told."""
        if self._context is None or not self._context["size"]:
            return ""
        used, size = self._context["used"], self._context["size"]
        told = f"context: {100 * used // size} % of {size:,} tokens"
        if told == self._told_fill:
            return ""
        self._told_fill = told
        return told

    def take_expired(self) -> str | None:
        """Return the notice of the request that ran out last, and forget it; None without one."""
        return self._expired.pop() if self._expired else None

    def blobs(self, beginning: str) -> list[str]:
        """Return the files of the session whose SHA-256 begins so."""
        return [blob for blob in self._blobs if blob.startswith(beginning)]

    def _begin(self, turn: Event) -> None:
        self.prompts[turn["turnId"]] = turn.get("clientMsgId") or ""

    def _note_expired(self, code: str | None, notice: str) -> None:
        if code in EXPIRED:
            self._expired = [*self._expired[1 - MAX_EXPIRED :], notice]

    def _note(self, event: Event) -> None:
        for blob in _named(event):
            self._blobs[blob] = None
        while len(self._blobs) > MAX_BLOBS:
            del self._blobs[next(iter(self._blobs))]


def _named(event: Event) -> Iterator[str]:
    for part in ("attachments", "images", "resources"):
        yield from (each["blob"] for each in event.get(part, ()) if each.get("blob"))
