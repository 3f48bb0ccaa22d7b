"""The sessions that one stream carries: their cursors, their waiting catch-ups, their progress."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from sessions.core import metrics
from transport.live.catchup import CatchUp
from transport.models import Watch
from transport.rows.orders import CatchUpRequest
from transport.rows.progress import Progress


@dataclass(slots=True)
class Following:
    """One watched session. cursor None: not caught up yet."""

    cursor: int | None = None
    replayed: int = 0
    skipped: int = 0
    # decided_at None: the row has the decision already.
    decision: str = ""
    decided_at: datetime | None = None
    done_version: int = 1
    # Something here is newer than the Watch row; the counts began at the last flush.
    is_dirty: bool = False

    def note(self, done: CatchUp, version: int) -> None:
        """Take the outcome of a catch-up."""
        metrics.CATCH_UPS.labels(kind=str(done.plan.action)).inc()
        metrics.EVENTS_DELIVERED.inc(done.replayed)
        if done.skipped:
            metrics.EVENTS_SKIPPED.labels(reason=str(done.plan.reason)).inc(done.skipped)
        self.cursor = done.cursor
        self.replayed += done.replayed
        self.skipped += done.skipped
        self.decision = done.decision
        self.decided_at = timezone.now()
        self.carried_out(version)

    def moved(self, cursor: int) -> None:
        """Take the cursor behind a chunk of live events."""
        metrics.EVENTS_DELIVERED.inc(cursor - (self.cursor or 0))
        self.cursor = cursor
        self.is_dirty = True

    def carried_out(self, version: int) -> None:
        """Note that the order of this version needs nothing more."""
        self.done_version = max(self.done_version, version)
        self.is_dirty = True


class Watches:
    """The watched sessions of one stream, and the catch-ups that wait for it, oldest first."""

    def __init__(self, connection_id: UUID) -> None:
        self._connection_id = connection_id
        self._following: dict[UUID, Following] = {}
        self._waiting: dict[UUID, CatchUpRequest] = {}
        # The newest order taken of each session; an older one that arrives later is dropped.
        self._orders_taken: dict[UUID, int] = {}
        self._left: list[Progress] = []

    def __iter__(self) -> Iterator[UUID]:
        return iter(list(self._following))

    def __contains__(self, session_id: object) -> bool:
        return session_id in self._following

    @property
    def has_waiting(self) -> bool:
        """Whether a catch-up waits."""
        return bool(self._waiting)

    def is_waiting(self, session_id: UUID) -> bool:
        """Return whether a catch-up of a session waits."""
        return session_id in self._waiting

    def cursor(self, session_id: UUID) -> int | None:
        """Return the cursor of a session; None before its catch-up, and for another session."""
        following = self._following.get(session_id)
        return None if following is None else following.cursor

    def ready(self, session_id: UUID) -> Following | None:
        """Return a session whose live events may be sent: no catch-up of it is to come."""
        following = self._following.get(session_id)
        if following is None or following.cursor is None or self.is_waiting(session_id):
            return None
        return following

    def begin(self, session_id: UUID) -> None:
        """Follow a session."""
        self._following[session_id] = Following()

    def end(self, session_id: UUID, version: int) -> bool:
        """Follow a session no longer; return whether it was followed."""
        following = self._following.pop(session_id, None)
        last = following or Following()
        last.carried_out(version)
        self._left.append(self._report(session_id, last))
        self._waiting.pop(session_id, None)
        return following is not None

    def take_order(self, session_id: UUID, version: int) -> bool:
        """Return whether an order is newer than those taken, and take it."""
        if version <= self._orders_taken.get(session_id, 0):
            return False
        self._orders_taken[session_id] = version
        return True

    def ask(self, session_id: UUID, request: CatchUpRequest) -> bool:
        """Let a catch-up wait for its turn; return False when nothing is left to do for it."""
        following = self._following[session_id]
        if request.kind is Watch.Order.SYNC and self._makes_needless(session_id, request):
            following.carried_out(request.version)
            return False
        self._waiting[session_id] = request
        return True

    def _makes_needless(self, session_id: UUID, request: CatchUpRequest) -> bool:
        """Return whether the stream does all that a round of periodic sync wants, or has done it.

        The usual case: the rows that periodic sync reads are a little older than the stream.
        """
        cursor = self._following[session_id].cursor
        if self.is_waiting(session_id) or cursor is None:
            return True
        return request.upto is not None and cursor >= request.upto

    def next_waiting(self) -> tuple[UUID, CatchUpRequest]:
        """Take the oldest catch-up that waits."""
        session_id = next(iter(self._waiting))
        return session_id, self._waiting.pop(session_id)

    def caught_up(self, session_id: UUID, done: CatchUp, version: int) -> bool:
        """Take the outcome of a catch-up; return False when the session was left meanwhile."""
        following = self._following.get(session_id)
        if following is None:
            return False
        following.note(done, version)
        return True

    # --- Progress ---------------------------------------------------------------------------------

    def take_progress(self) -> list[Progress]:
        """Return the reports that are newer than the rows, and regard them as written."""
        progress, self._left = self._left, []
        for session_id, following in self._following.items():
            if following.is_dirty:
                progress.append(self._report(session_id, following))
                following.is_dirty = False
                following.replayed = following.skipped = 0
                following.decided_at = None
        return progress

    def give_back(self, progress: Progress) -> None:
        """Take a report back that could not be written; it goes with the next flush."""
        following = self._following.get(progress.session_id)
        if following is None:
            self._left.append(progress)
            return
        following.is_dirty = True
        following.replayed += progress.replayed
        following.skipped += progress.skipped
        following.decided_at = following.decided_at or progress.decided_at

    def _report(self, session_id: UUID, following: Following) -> Progress:
        return Progress(
            connection_id=self._connection_id,
            session_id=session_id,
            cursor_sent=following.cursor,
            replayed=following.replayed,
            skipped=following.skipped,
            decision=following.decision if following.decided_at else "",
            decided_at=following.decided_at,
            done_version=following.done_version,
        )
