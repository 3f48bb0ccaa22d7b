"""A client's applied frames, held against the log: I3 and I12 as a person sees them."""

from __future__ import annotations

from collections.abc import Iterator

from lab.chaos.evidence import Evidence, Json, Record, SessionEvidence, Violation
from lab.chaos.folding import empty, fold, fold_all

# Set by every snapshot, also by one without messages.
_LIGHT = (
    *("cursor", "state", "runState", "permissions", "title", "agent", "mode", "modes"),
    *("usage", "turn"),
)
_COMPARED = ("state", "runState", "permissions", "title", "mode", "modes", "usage", "turn")


def check_applied(record: Record, evidence: Evidence) -> Iterator[Violation]:
    """I3, I12: applied frames are the log without hole or repeat, and fold to its end."""
    for life in record.lives:
        for session_id, cursor in life.began.items():
            session = evidence.sessions.get(session_id)
            if session is None or session.owner != record.user:
                continue
            reader = _Reader(record.device, session_id, session, cursor, life.held.get(session_id))
            for _, frame in life.applied:
                if frame.get("sessionId") == session_id:
                    yield from reader.take(frame)
            if life is record.lives[-1]:
                yield from reader.end()


def differing(some: list[Json], others: list[Json]) -> tuple[int, ...]:
    """Return the seqs of the messages that two transcripts do not have alike."""
    mine = {message["seq"]: message for message in some}
    theirs = {message["seq"]: message for message in others}
    return tuple(seq for seq in sorted({*mine, *theirs}) if mine.get(seq) != theirs.get(seq))


class _Reader:
    """Applies one session's frames as a client does. state None: nothing is shown yet."""

    def __init__(
        self,
        device: str,
        session_id: str,
        session: SessionEvidence,
        cursor: int | None,
        state: Json | None,
    ) -> None:
        self._device = device
        self._session_id = session_id
        self._session = session
        self._cursor = cursor
        self._state = state
        self._skipped_to = 0

    def take(self, frame: Json) -> Iterator[Violation]:
        """Apply one frame."""
        if frame["type"] == "client_stands":
            self._stand(frame["cursor"])
        elif frame["type"] == "replay_skipped":
            # It may begin earlier: frames on their way when a client named its cursor came first.
            if frame["from"] > (self._cursor or 0) + 1:
                what = f"a skip of {frame['from']}..{frame['to']} at cursor {self._cursor}"
                yield self._found("I3", what, frame["from"])
            self._skipped_to = frame["to"]
        elif frame["type"] == "session_snapshot":
            yield from self._check_jump(frame)
            self._show(frame)
        elif "seq" in frame:
            yield from self._check_event(frame)
            self._cursor = frame["seq"]
            self._state = None if self._state is None else fold(self._state, frame)

    def end(self) -> Iterator[Violation]:
        """At the end every client is at the head and agrees with the log."""
        head, cursor = self._session.head, self._cursor or 0
        if cursor != head:
            yield self._found("lost", "events never came", *range(cursor + 1, head + 1))
        elif self._state is not None:
            yield from self._check_shown(self._state)

    def _stand(self, cursor: int | None) -> None:
        if cursor != self._cursor:
            # The client itself has begun again; the next snapshot tells its view.
            self._cursor, self._state, self._skipped_to = cursor, None, 0

    def _check_event(self, frame: Json) -> Iterator[Violation]:
        seq, cursor = frame["seq"], self._cursor or 0
        if seq <= cursor:
            yield self._found("repeated", f"an event was applied again at cursor {cursor}", seq)
        elif seq > cursor + 1:
            yield self._found("lost", "events never came", *range(cursor + 1, seq))
        stored = self._session.events[seq - 1] if seq <= len(self._session.events) else None
        if stored != frame:
            yield self._found("I1", "an event is not what the log has", seq)

    def _check_jump(self, frame: Json) -> Iterator[Violation]:
        """A snapshot may move a cursor only over an announced skip, or from nothing."""
        to, cursor = frame["cursor"], self._cursor
        if frame["cursorInvalid"]:
            yield self._found("I1", f"cursor {cursor} was called invalid at head {to}", to)
        elif cursor is not None and to > max(cursor, self._skipped_to):
            missing = range(max(cursor, self._skipped_to) + 1, to + 1)
            yield self._found("silent skip", "nobody announced it", *missing)
        elif cursor is not None and to < cursor:
            yield self._found("I3", f"a snapshot took cursor {cursor} back to {to}", to)

    def _show(self, frame: Json) -> None:
        """A full snapshot replaces, a light one corrects."""
        self._cursor = frame["cursor"]
        if frame["full"]:
            self._state = frame
        elif self._state is not None:
            self._state = {**self._state, **{key: frame[key] for key in _LIGHT}}

    def _check_shown(self, state: Json) -> Iterator[Violation]:
        truth = fold_all(empty(self._session_id), self._session.events)
        for key in _COMPARED:
            if state[key] != truth[key]:
                what = f"{key} is shown as {state[key]!r:.80}, the log says {truth[key]!r:.80}"
                yield self._found("I12", what)
        if state["current"] != truth["current"]:
            yield self._found("I12", "the answer in flight differs")
        # An answer that was in flight may be older than the oldest message of the snapshot.
        oldest = state["oldestSeq"] or 0
        due = [message for message in truth["messages"] if message["seq"] >= oldest]
        shown = [message for message in state["messages"] if message["seq"] >= oldest]
        if shown != due:
            what = "messages are not shown as the log has them"
            yield self._found("I12", what, *differing(shown, due))

    def _found(self, rule: str, what: str, *seqs: int) -> Violation:
        return Violation(rule, what, self._device, self._session_id, seqs)
