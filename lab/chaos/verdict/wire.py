"""The bytes of a connection, before any client's rules mend them: I3 and I5 on the wire itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lab.chaos.evidence import Connection, Evidence, Json, Record, Violation


@dataclass(slots=True)
class _Place:
    """Where a session stands on one connection. replayed: events before its first snapshot.

    asked: cursors that the client has named since by a command, and whose catch-up may still come;
    events in flight are then sent again, because the client has asked for them.
    jumps: how many snapshots the client has asked for without a cursor.
    """

    cursor: int | None
    asked: set[int] = field(default_factory=set)
    jumps: int = 0
    skipped_to: int = 0
    replayed: int = 0
    is_caught_up: bool = False


def check_wire(record: Record, evidence: Evidence) -> Iterator[Violation]:
    """I3, I5: on each connection a session continues from its cursor, one by one or by a skip."""
    for connection in record.connections:
        yield from _check_connection(record, connection, evidence.max_replay_gap)


def _check_connection(record: Record, connection: Connection, most: int) -> Iterator[Violation]:
    places = {session_id: _Place(cursor) for session_id, cursor in connection.asked.items()}
    for frame in connection.frames:
        session_id = frame.get("sessionId")
        if session_id is None:
            continue
        if frame["type"] == "client_asked":
            place = places.setdefault(session_id, _Place(None))
            if frame["cursor"] is None:
                place.jumps += 1
            else:
                place.asked.add(frame["cursor"])
            continue
        place = places.setdefault(session_id, _Place(None))
        if frame["type"] == "unwatched":
            # The watch is over; the next one begins where it is asked to, or from a snapshot.
            places[session_id] = _Place(None, asked=place.asked, jumps=place.jumps)
            continue
        for rule, what, seq in _check_frame(place, frame, most):
            yield Violation(rule, f"on the wire: {what}", record.device, session_id, (seq,))


def _check_frame(place: _Place, frame: Json, most: int) -> Iterator[tuple[str, str, int]]:
    first = frame["from"] if frame["type"] == "replay_skipped" else frame.get("seq")
    if first is not None and first - 1 != place.cursor and first - 1 in place.asked:
        # The catch-up that the client has asked for; a line may have delivered the wish twice.
        place.cursor, place.replayed, place.is_caught_up = first - 1, 0, False
    if frame["type"] == "session_snapshot":
        yield from _check_snapshot(place, frame)
    elif frame["type"] == "replay_skipped":
        if place.cursor is not None and frame["from"] != place.cursor + 1:
            yield "I3", f"a skip from {frame['from']} at {place.cursor}", frame["from"]
        place.skipped_to = frame["to"]
    elif "seq" in frame:
        yield from _check_event(place, frame["seq"], most)


def _check_snapshot(place: _Place, frame: Json) -> Iterator[tuple[str, str, int]]:
    cursor = frame["cursor"]
    if place.cursor is not None and cursor > max(place.cursor, place.skipped_to):
        if not (frame["full"] and place.jumps):
            yield "silent skip", f"from {place.cursor} to {cursor}", cursor
        place.jumps -= 1
    elif place.cursor is not None and cursor < place.cursor:
        yield "I3", f"a snapshot at {cursor} behind {place.cursor}", cursor
    place.cursor = cursor
    place.is_caught_up = True


def _check_event(place: _Place, seq: int, most: int) -> Iterator[tuple[str, str, int]]:
    if place.cursor is None:
        yield "I3", f"seq {seq} before any catch-up", seq
    elif seq != place.cursor + 1:
        rule = "repeated" if seq <= place.cursor else "lost"
        yield rule, f"seq {seq} behind {place.cursor}", seq
    if not place.is_caught_up:
        place.replayed += 1
        if place.replayed == most + 1:
            yield "I5", f"a catch-up replays more than {most} events", seq
    place.cursor = seq
