"""Cursors: they tell the frames to apply from those to drop, and notice a hole. Pure bookkeeping.

A cursor is the highest seq seen of a session; None means watched, nothing seen yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """The fate of a frame."""

    DELIVER = "deliver"
    DROP = "drop"
    GAP = "gap"


class Cursors:
    """The cursor of every watched session."""

    def __init__(self) -> None:
        self._at: dict[str, int | None] = {}
        # The end of the skip that was announced and whose snapshot is still to come.
        self._skips: dict[str, int] = {}

    def __contains__(self, session_id: object) -> bool:
        return session_id in self._at

    def track(self, session_id: str, cursor: int | None = None) -> None:
        """Watch a session from a cursor on."""
        self._at[session_id] = cursor
        self._skips.pop(session_id, None)

    def untrack(self, session_id: str) -> None:
        """Watch it no more; its frames are dropped."""
        self._at.pop(session_id, None)
        self._skips.pop(session_id, None)

    def forget(self) -> None:
        """Watch every session from its snapshot on."""
        for session_id in self._at:
            self.track(session_id, None)

    def get(self, session_id: str) -> int | None:
        """Return the cursor of a session."""
        return self._at.get(session_id)

    def all(self) -> dict[str, int | None]:
        """Return every session with its cursor."""
        return dict(self._at)

    def accept(self, frame: Mapping[str, Any]) -> Verdict:
        """Judge a frame, and move the cursor when it is to be applied."""
        session_id = frame.get("sessionId")
        if session_id is None:
            return Verdict.DELIVER
        if session_id not in self._at:
            return Verdict.DROP
        kind = frame.get("type")
        if kind == "session_snapshot":
            return self._accept_snapshot(session_id, frame)
        if kind == "replay_skipped":
            return self._accept_skip(session_id, frame["from"], frame["to"])
        if "seq" not in frame:
            return Verdict.DELIVER
        return self._accept_event(session_id, frame["seq"])

    def _accept_skip(self, session_id: str, first: int, last: int) -> Verdict:
        """The cursor stays until the snapshot behind the skip is here.

        When the connection is cut in between, the skip comes again.
        """
        cursor = self._at[session_id] or 0
        # One that begins further on answers an older cursor of this client: the snapshot behind
        # it shows the hole.
        is_for_another = first > cursor + 1
        if is_for_another or last <= cursor or self._skips.get(session_id) == last:
            return Verdict.DROP
        self._skips[session_id] = last
        return Verdict.DELIVER

    def _accept_event(self, session_id: str, seq: int) -> Verdict:
        cursor = self._at[session_id]
        if cursor is None and seq != 1:
            return Verdict.DROP  # its snapshot is on the way and contains it
        if seq <= (cursor or 0):
            return Verdict.DROP
        if seq > (cursor or 0) + 1:
            return Verdict.GAP
        self._at[session_id] = seq
        return Verdict.DELIVER

    def _accept_snapshot(self, session_id: str, frame: Mapping[str, Any]) -> Verdict:
        mine, cursor = self._at[session_id], frame["cursor"]
        if mine is None and not frame["full"]:
            return Verdict.DROP
        if mine is not None and not frame.get("cursorInvalid"):
            if cursor < mine:
                return Verdict.DROP
            if cursor > max(mine, self._skips.get(session_id, 0)) or (
                cursor > mine and not frame["full"]
            ):
                # The events in between would vanish without a word.
                return Verdict.GAP
        self._at[session_id] = cursor
        self._skips.pop(session_id, None)
        return Verdict.DELIVER
