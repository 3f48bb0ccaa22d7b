"""Catch-up: the one rule for a first watch, a reconnect, a lagging reader and periodic sync.

plan() is pure and holds the table of docs/reference/protocol.md#catching-up. catch_up() carries
a plan out against the log. Its result ends exactly at the snapshot's cursor, the boundary.
Everything after the boundary comes live.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sessions.core.conf import chat
from sessions.eventlog import snapshot, store
from sessions.eventlog.events import LoggedEvent
from transport import frames
from transport.models import Watch
from transport.rows.orders import CatchUpRequest


class Action(StrEnum):
    """The rows of the table: the kinds of catch-up."""

    NONE = "none"
    SNAPSHOT = "snapshot"
    REPLAY = "replay"
    SKIP = "skip"
    RESET = "reset"


class SkipReason(StrEnum):
    """The reason of a skip."""

    MAX_REPLAY_GAP = "max_replay_gap"
    REPLAY_BYTES = "replay_bytes"
    PRUNED = "pruned"
    SLOW_READER = "slow_reader"


@dataclass(frozen=True, slots=True)
class Plan:
    """The choice for one catch-up. reason is set for a skip alone."""

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
    size: int = 0,
    max_bytes: int | None = None,
    pruned_to: int = 0,
    skip_reason: SkipReason = SkipReason.MAX_REPLAY_GAP,
    connecting: bool = True,
    upto: int | None = None,
) -> Plan:
    """Return the row of the catch-up table that fits. cursor None: the client has nothing yet.

    size: the bytes of the events that a replay would send, once they are weighed. connecting False
    is periodic sync, which sends nothing to a client that is at head, nor to one that is past upto,
    the end of the batch that was ordered. skip_reason names the cause when the gap is too large.
    """
    if cursor is None or (cursor == head and connecting):
        return Plan(Action.SNAPSHOT, cursor, head)
    if cursor > head:
        return Plan(Action.RESET, cursor, head)
    if cursor == head or (upto is not None and cursor >= upto):
        return Plan(Action.NONE, cursor, head)
    reason = None
    if head - cursor > max_gap:
        reason = skip_reason
    elif cursor < pruned_to:
        reason = SkipReason.PRUNED
    elif max_bytes is not None and size > max_bytes:
        reason = SkipReason.REPLAY_BYTES
    return Plan(Action.REPLAY if reason is None else Action.SKIP, cursor, head, reason)


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


def carry_out(session_id: UUID, request: CatchUpRequest, position: int | None) -> CatchUp:
    """Return the catch-up that a stream at position was asked for. Raises UnknownSession.

    A client names its own cursor; everything else counts from the stream's. Periodic sync has seen
    the cursor of the row, which may be older than the stream's or, after a reconnect that went
    back, newer. A client at the head gets nothing from periodic sync.
    """
    is_sync = request.kind is Watch.Order.SYNC
    return catch_up(
        session_id,
        cursor=request.cursor if request.is_from_client else position,
        max_gap=chat.MAX_REPLAY_GAP if request.max_gap is None else request.max_gap,
        skip_reason=SkipReason.SLOW_READER if request.is_lag else SkipReason.MAX_REPLAY_GAP,
        connecting=not is_sync,
        upto=request.upto,
    )


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

    Blocking: call it in transport.rows.pool. At most max_gap events of REPLAY_BYTES together, and
    one snapshot. upto ends a
    replay before the head, without a snapshot: one batch of periodic sync. The cursor after it is
    never below the one before, except where that was beyond the head.
    """
    edge = store.boundary(session_id)

    def planned(head: int, size: int = 0) -> Plan:
        return plan(
            cursor=cursor,
            head=head,
            max_gap=max_gap,
            size=size,
            max_bytes=chat.REPLAY_BYTES,
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
    last = chosen.head if upto is None else min(upto, chosen.head)
    if chosen.action is Action.REPLAY:
        enough = chat.REPLAY_BYTES + 1
        size = store.weigh(session_id, after=cursor or 0, upto=last, enough=enough)
        chosen = planned(chosen.head, size)
    if chosen.action is Action.REPLAY:
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
    chunks = [frames.encode(event) for event in events]
    if last == chosen.head:
        chunks.append(frames.snapshot(taken))
    return CatchUp(chosen, frames.join_chunks(chunks), last, replayed=len(events))


def _is_whole(events: list[LoggedEvent], *, after: int, last: int) -> bool:
    return [event.seq for event in events] == list(range(after + 1, last + 1))


def _jump(session_id: UUID, chosen: Plan, full: Any) -> CatchUp:
    """Return a full snapshot after the announcement of its skip."""
    boundary: int = full["cursor"]
    if chosen.action is Action.SKIP and chosen.cursor is not None and chosen.reason is not None:
        notice = frames.skip(
            session_id, first=chosen.cursor + 1, last=boundary, reason=chosen.reason
        )
        chunks = frames.join_chunks([notice, frames.snapshot(full)])
        return CatchUp(chosen, chunks, boundary, skipped=boundary - chosen.cursor)
    invalid = chosen.action is Action.RESET
    return CatchUp(chosen, [frames.snapshot(full, cursor_invalid=invalid)], boundary)
