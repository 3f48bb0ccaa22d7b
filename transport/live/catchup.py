"""Catch-up: the one rule for a first watch, a reconnect, a lagging reader and periodic sync.

plan() is pure and holds the table of docs/reference/protocol.md#catching-up. catch_up() carries
a plan out against the log. Its result ends exactly at the snapshot's cursor, the boundary.
Everything after the boundary comes live.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sessions.eventlog import snapshot, store
from sessions.eventlog.events import VERSION, LoggedEvent, encode, encode_frame

# One write to a socket. What a reader that has stopped reading can hold is bounded by it.
CHUNK_BYTES: Final = 64 * 1024


class Action(StrEnum):
    """What a catch-up sends: the rows of the table."""

    NONE = "none"
    SNAPSHOT = "snapshot"
    REPLAY = "replay"
    SKIP = "skip"
    RESET = "reset"


class SkipReason(StrEnum):
    """Why events were left out."""

    MAX_REPLAY_GAP = "max_replay_gap"
    PRUNED = "pruned"
    SLOW_READER = "slow_reader"


@dataclass(frozen=True, slots=True)
class Plan:
    """What one catch-up does. reason is set for a skip alone."""

    action: Action
    cursor: int | None
    head: int
    reason: SkipReason | None = None

    @property
    def gap(self) -> int:
        """How many events the client is behind; negative when it claims events that never were."""
        return 0 if self.cursor is None else self.head - self.cursor

    @property
    def is_full(self) -> bool:
        """Whether the snapshot brings the transcript; after a replay the client has it already."""
        return self.action is not Action.REPLAY


def plan(
    *,
    cursor: int | None,
    head: int,
    max_gap: int,
    pruned_to: int = 0,
    skip_reason: SkipReason = SkipReason.MAX_REPLAY_GAP,
    connecting: bool = True,
    upto: int | None = None,
) -> Plan:
    """Return the row of the catch-up table that fits. cursor None: the client has nothing yet.

    connecting False is periodic sync, which sends nothing to a client that is at head, nor to one
    that is past upto, the end of the batch that was ordered. skip_reason names the cause when the
    gap is too large.
    """
    if cursor is None or (cursor == head and connecting):
        return Plan(Action.SNAPSHOT, cursor, head)
    if cursor > head:
        return Plan(Action.RESET, cursor, head)
    if cursor == head or (upto is not None and cursor >= upto):
        return Plan(Action.NONE, cursor, head)
    if head - cursor > max_gap:
        return Plan(Action.SKIP, cursor, head, skip_reason)
    if cursor < pruned_to:
        return Plan(Action.SKIP, cursor, head, SkipReason.PRUNED)
    return Plan(Action.REPLAY, cursor, head)


@dataclass(frozen=True, slots=True)
class CatchUp:
    """A catch-up ready to be sent: chunks of whole frames, and the cursor after them."""

    plan: Plan
    chunks: list[bytes]
    cursor: int
    replayed: int = 0
    skipped: int = 0

    @property
    def decision(self) -> str:
        """A short sentence for the Watch row and the admin."""
        if self.plan.action is Action.REPLAY:
            return f"replayed {self.replayed}"
        if self.plan.action is Action.SKIP:
            return f"skipped {self.skipped} ({self.plan.reason})"
        return str(self.plan.action)


def catch_up(
    session_id: UUID,
    *,
    cursor: int | None,
    max_gap: int,
    skip_reason: SkipReason = SkipReason.MAX_REPLAY_GAP,
    connecting: bool = True,
    upto: int | None = None,
) -> CatchUp:
    """Return the frames that bring a client from cursor to the head. Raises UnknownSession.

    Blocking: call it in transport.rows.pool. At most max_gap events and one snapshot. upto ends a
    replay before the head, without a snapshot: one batch of periodic sync. The cursor after it is
    never below the one before, except where that was beyond the head.
    """
    edge = store.boundary(session_id)

    def planned(head: int) -> Plan:
        return plan(
            cursor=cursor,
            head=head,
            max_gap=max_gap,
            pruned_to=edge.pruned_to,
            skip_reason=skip_reason,
            connecting=connecting,
            upto=upto,
        )

    chosen = planned(edge.head)
    if chosen.action is Action.NONE and cursor is not None:
        return CatchUp(chosen, [], cursor)
    taken = snapshot.take(session_id, messages=chosen.is_full)
    if chosen.action is not Action.RESET:
        # The snapshot may be a little younger than the first look; it is the boundary. An event
        # that came in between is sent, also to a client that was at the head.
        chosen = planned(taken["cursor"])
    if chosen.action is Action.REPLAY:
        last = chosen.head if upto is None else min(upto, chosen.head)
        replayed = _replay(session_id, chosen, taken, last)
        if replayed is not None:
            return replayed
        chosen = Plan(Action.SKIP, cursor, chosen.head, SkipReason.PRUNED)
    if not taken["full"]:
        taken = snapshot.take(session_id, messages=True)
    return _jump(session_id, chosen, taken)


def _replay(session_id: UUID, chosen: Plan, taken: Any, last: int) -> CatchUp | None:
    """Return the events up to last and the snapshot; None when some were pruned just now."""
    after = chosen.cursor or 0
    events = store.read(session_id, after=after, limit=chosen.gap, upto=last)
    if not _is_whole(events, after=after, last=last):
        return None
    frames = [encode(event) for event in events]
    if last == chosen.head:
        frames.append(snapshot_frame(taken))
    return CatchUp(chosen, join_chunks(frames), last, replayed=len(events))


def _is_whole(events: list[LoggedEvent], *, after: int, last: int) -> bool:
    return [event.seq for event in events] == list(range(after + 1, last + 1))


def _jump(session_id: UUID, chosen: Plan, full: Any) -> CatchUp:
    """Return a full snapshot, behind the announcement of what it leaves out."""
    boundary: int = full["cursor"]
    if chosen.action is Action.SKIP and chosen.cursor is not None and chosen.reason is not None:
        notice = skip_frame(
            session_id, first=chosen.cursor + 1, last=boundary, reason=chosen.reason
        )
        chunks = join_chunks([notice, snapshot_frame(full)])
        return CatchUp(chosen, chunks, boundary, skipped=boundary - chosen.cursor)
    invalid = chosen.action is Action.RESET
    return CatchUp(chosen, [snapshot_frame(full, cursor_invalid=invalid)], boundary)


def snapshot_frame(data: Any, *, cursor_invalid: bool = False) -> bytes:
    """Return the `session_snapshot` frame of a snapshot."""
    envelope = {"v": VERSION, "type": "session_snapshot", **data}
    if cursor_invalid:
        envelope["cursorInvalid"] = True
    return encode_frame(envelope)


def skip_frame(session_id: UUID, *, first: int, last: int, reason: SkipReason) -> bytes:
    """Return the `replay_skipped` frame that announces first..last as not sent."""
    return encode_frame(
        {
            "v": VERSION,
            "type": "replay_skipped",
            "sessionId": str(session_id),
            "from": first,
            "to": last,
            "reason": str(reason),
        }
    )


def join_chunks(frames: Iterable[bytes]) -> list[bytes]:
    """Join whole frames into chunks of about CHUNK_BYTES; a larger frame is a chunk alone."""
    chunks: list[bytes] = []
    waiting: list[bytes] = []
    size = 0
    for frame in frames:
        if waiting and size + len(frame) > CHUNK_BYTES:
            chunks.append(b"".join(waiting))
            waiting, size = [], 0
        waiting.append(frame)
        size += len(frame)
    if waiting:
        chunks.append(b"".join(waiting))
    return chunks
