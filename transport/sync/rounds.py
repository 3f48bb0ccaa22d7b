"""Periodic sync: the safety net under every stream, in rounds.

It knows the streams of other processes only by their rows. A round looks at every open watch,
decides by the one rule of catch-up, and leaves an order in the row. The process that holds the
stream carries it out and drops the events that the stream has already sent. A stream of this
process tells its cursor itself: its row is up to a second older. Nothing depends on it: it repairs
the damage of a bug or a lost wake.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Final
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from sessions.core import metrics
from sessions.core.db import without_fsync
from sessions.core.errors import UnknownSession
from sessions.core.states import should_sync
from sessions.eventlog import store
from transport.live.catchup import Action, plan
from transport.models import Watch
from transport.rows import closing, connections, presence

logger = logging.getLogger(__name__)

# Closed rows stay this long for the admin to look at.
KEEP_CLOSED_S: Final = 24 * 3600
# One connection gets this many batches a round: a client with forty lagging sessions is not fed
# ahead of everybody else, and those that had to wait come first in the next round.
BATCHES_PER_CONNECTION: Final = 20
# So many watches are looked at between two renewals of the lock.
WATCHES_PER_STEP: Final = 200
# A decision that stays the same is written again after this, so that its time in the row tells
# whether rounds are run at all; writing every row in every round would cost more than the round.
NOTE_EVERY_S: Final = 60


# position(connection_id, session_id): the cursor of a stream that this process holds, else None.
Position = Callable[[UUID, UUID], int | None]


class Outcome(StrEnum):
    """The result of a round for one watch."""

    NOT_SYNCED = "not synced"
    UP_TO_DATE = "up to date"
    REPLAY = "replay"
    SKIP = "skip"
    RESET = "reset"
    NEXT_ROUND = "next round"
    BUSY = "busy"
    GONE = "gone"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Decision:
    """One watch in one round. events: how many are replayed or skipped."""

    connection_id: UUID
    session_id: UUID
    state: str
    head: int
    cursor: int
    outcome: Outcome
    events: int = 0

    @property
    def gap(self) -> int:
        """How many events the watch is behind."""
        return self.head - self.cursor


@dataclass(frozen=True, slots=True)
class Candidate:
    """An open watch as its row tells it."""

    id: int
    connection_id: UUID
    session_id: UUID
    state: str
    head: int
    cursor: int
    version: int
    is_busy: bool
    noted: str
    noted_at: datetime | None

    def is_news(self, outcome: Outcome, now: datetime) -> bool:
        """Return whether the row is to be told a decision: another one, or an old time."""
        if self.noted_at is None or self.noted != outcome:
            return True
        return now - self.noted_at >= timedelta(seconds=NOTE_EVERY_S)

    def at(self, position: int | None) -> Candidate:
        """Return the watch at its stream's own cursor, where that is ahead of the row's.

        Not beyond the head that was read with the row: the stream may have sent newer events since.
        A row that is beyond the head stays there, and is reset.
        """
        if position is None:
            return self
        return replace(self, cursor=max(self.cursor, min(position, self.head)))


def decide(
    *, state: str | None, cursor: int, head: int, max_gap: int, batch: int, pruned_to: int = 0
) -> tuple[Outcome, int]:
    """Return periodic sync's decision about a watch, and the number of its events. Pure."""
    if not should_sync(state):
        return Outcome.NOT_SYNCED, 0
    chosen = plan(cursor=cursor, head=head, max_gap=max_gap, pruned_to=pruned_to, connecting=False)
    if chosen.action is Action.REPLAY:
        return Outcome.REPLAY, min(chosen.gap, batch)
    if chosen.action is Action.SKIP:
        return Outcome.SKIP, chosen.gap
    if chosen.action is Action.RESET:
        return Outcome.RESET, 0
    return Outcome.UP_TO_DATE, 0


def _always() -> bool:
    return True


def by_the_rows(_connection_id: UUID, _session_id: UUID) -> int | None:
    """Return None: this process holds no stream."""
    return None


@metrics.SYNC_ROUND_SECONDS.time()
@without_fsync()
def sync_round(
    *,
    batch: int,
    max_gap: int,
    dry_run: bool = False,
    may_continue: Callable[[], bool] = _always,
    position: Position = by_the_rows,
) -> list[Decision]:
    """Look at every open watch once; return the decisions, in the order of the work.

    A watch that fails is logged and does not stop the round. may_continue is asked before each
    WATCHES_PER_STEP of them: False when another copy has taken over. position is asked after the
    rows are read, in this thread.
    """
    decisions: list[Decision] = []
    budgets: defaultdict[UUID, int] = defaultdict(lambda: BATCHES_PER_CONNECTION * batch)
    for step in _steps(_candidates()):
        if not may_continue():
            logger.warning("a round of periodic sync ends early: another copy has the lock")
            break
        decided = []
        for row in step:
            candidate = row.at(position(row.connection_id, row.session_id))
            budget = budgets[candidate.connection_id]
            decision = _sync_one(candidate, batch, max_gap, budget, dry_run=dry_run)
            budgets[candidate.connection_id] -= _cost(decision, batch)
            decided.append(decision)
        if not dry_run:
            _note(step, decided)
        decisions += decided
    return decisions


def _steps(candidates: Iterator[Candidate]) -> Iterator[list[Candidate]]:
    while step := list(islice(candidates, WATCHES_PER_STEP)):
        yield step


def _cost(decision: Decision, batch: int) -> int:
    """Return the cost of a decision in its connection's budget, in events."""
    if decision.outcome is Outcome.REPLAY:
        return decision.events
    # A snapshot costs about as much as a batch of events.
    return batch if decision.outcome in {Outcome.SKIP, Outcome.RESET} else 0


def _candidates() -> Iterator[Candidate]:
    """Yield the open watches of live connections, those that were served longest ago first."""
    rows = (
        Watch.objects.filter(
            closed_at__isnull=True,
            cursor_sent__isnull=False,
            connection__in=connections.live_connections(),
        )
        .order_by("connection_id", F("decided_at").asc(nulls_first=True), "pk")
        .values_list(
            "pk",
            "connection_id",
            "session_id",
            "session__state",
            "session__head_seq",
            "cursor_sent",
            "order_version",
            "done_version",
            "sync_decision",
            "synced_at",
        )
    )
    for pk, connection_id, session_id, state, head, cursor, version, done, noted, noted_at in rows:
        yield Candidate(
            pk,
            connection_id,
            session_id,
            state,
            head,
            cursor or 0,
            version,
            is_busy=version > done,
            noted=noted,
            noted_at=noted_at,
        )


def _note(candidates: Sequence[Candidate], decisions: Sequence[Decision]) -> None:
    """Write decisions into the rows of their watches: one statement for each kind of decision."""
    now = timezone.now()
    told: defaultdict[Outcome, list[int]] = defaultdict(list)
    for candidate, decision in zip(candidates, decisions, strict=True):
        metrics.SYNC_DECISIONS.labels(decision=str(decision.outcome)).inc()
        if candidate.is_news(decision.outcome, now):
            told[decision.outcome].append(candidate.id)
    for outcome, ids in told.items():
        Watch.objects.filter(pk__in=ids).update(sync_decision=outcome, synced_at=now)


def _sync_one(seen: Candidate, batch: int, max_gap: int, budget: int, *, dry_run: bool) -> Decision:
    def decided(outcome: Outcome, events: int = 0, head: int = seen.head) -> Decision:
        return Decision(
            seen.connection_id, seen.session_id, seen.state, head, seen.cursor, outcome, events
        )

    try:
        outcome, events = decide(
            state=seen.state, cursor=seen.cursor, head=seen.head, max_gap=max_gap, batch=batch
        )
        if outcome in {Outcome.NOT_SYNCED, Outcome.UP_TO_DATE}:
            return decided(outcome)
        if seen.is_busy:
            return decided(Outcome.BUSY)
        if budget <= 0:
            return decided(Outcome.NEXT_ROUND)
        # The rows were read a while ago; the boundary counts.
        edge = store.boundary(seen.session_id)
        outcome, events = decide(
            state=edge.state,
            cursor=seen.cursor,
            head=edge.head,
            max_gap=max_gap,
            batch=batch,
            pruned_to=edge.pruned_to,
        )
        is_done = dry_run or outcome not in {Outcome.REPLAY, Outcome.SKIP, Outcome.RESET}
        is_done = is_done or _order(seen, outcome, head=edge.head, events=events, max_gap=max_gap)
        return decided(outcome, events, edge.head) if is_done else decided(Outcome.BUSY)
    except UnknownSession:
        return decided(Outcome.GONE)
    except Exception:
        logger.exception(
            "periodic sync failed for one watch",
            extra={"connection": str(seen.connection_id), "session": str(seen.session_id)},
        )
        return decided(Outcome.FAILED)


def _order(seen: Candidate, outcome: Outcome, *, head: int, events: int, max_gap: int) -> bool:
    """Leave the order in the row; False when another order has come meanwhile."""
    left = Watch.objects.filter(
        pk=seen.id,
        closed_at__isnull=True,
        order_version=seen.version,
        done_version=seen.version,
    ).update(
        order=Watch.Order.SYNC,
        order_cursor=seen.cursor,
        order_upto=seen.cursor + events if outcome is Outcome.REPLAY else head,
        order_max_gap=max_gap,
        order_version=F("order_version") + 1,
    )
    return bool(left)


def clean_up(uncounted: set[UUID]) -> None:
    """Close connections whose process is gone, and forget those closed long ago.

    uncounted: sessions whose watchers an earlier clean-up could not count; those of this one while
    it has not. No other process would count them.
    """
    uncounted.update(closing.reap())
    presence.refresh(uncounted)
    uncounted.clear()
    closing.forget_closed(older_than_s=KEEP_CLOSED_S)


def table(decisions: Iterable[Decision]) -> str:
    """Return the decisions as a table for a person."""
    head = ("connection", "session", "state", "head", "cursor", "gap", "decision", "events")
    rows = [
        (
            str(d.connection_id)[:8],
            str(d.session_id)[:8],
            d.state,
            str(d.head),
            str(d.cursor),
            str(d.gap),
            str(d.outcome),
            str(d.events),
        )
        for d in decisions
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    )
    return "\n".join(lines)
