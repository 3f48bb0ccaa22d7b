"""The check of a log against the rest of the database: I1, I4, and the projection (I12).

Reads alone, and at one moment: it may run beside the server. The cost is one pass over the log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, get_args
from uuid import UUID

from sessions.core.db import consistent_read
from sessions.core.errors import UnknownSession
from sessions.eventlog import fold, projection, snapshot, store
from sessions.eventlog.events import EventType
from sessions.eventlog.shapes import Envelope, Snapshot
from sessions.models import Command, Message, Session

BATCH: Final = 1_000
_Column = Literal[
    "state", "runState", "title", "agent", "mode", "modes", "permissions", "turn", "usage"
]
# The fields of the fold that the session's row holds, beside its head.
_COLUMNS: Final[tuple[_Column, ...]] = get_args(_Column)


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one session's check. Problems are sentences; without any all is well."""

    session_id: UUID
    events: int
    problems: list[str]


@dataclass(slots=True)
class _Pass:
    """The facts that one pass over the log gathers."""

    seqs: int = 0
    last: int = 0
    missing: list[tuple[int, int]] = field(default_factory=list)
    prompts: Counter[tuple[str, int]] = field(default_factory=Counter)
    begun: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def check(session_id: UUID) -> Report:
    """Return the faults of a session's log and its projection. Raises UnknownSession."""
    with consistent_read():
        session = Session.objects.filter(pk=session_id).first()
        if session is None:
            raise UnknownSession
        found = _Pass()
        folded = fold.fold_all(
            fold.empty(str(session_id)), snapshot.merged(_events(session, found))
        )
        problems = [
            *_numbering(session, found),
            *_columns(session, folded),
            *_messages(session, folded),
            *_receipts(session, found),
            *_turns(found, folded),
        ]
    return Report(session_id, found.seqs, problems)


def _events(session: Session, found: _Pass) -> Iterator[Envelope]:
    """Yield every envelope of the log, and note the facts that only the events have."""
    while batch := store.read(session.pk, after=found.last, limit=BATCH):
        for event in batch:
            if event.seq != found.last + 1:
                found.missing.append((found.last + 1, event.seq - 1))
            found.seqs, found.last = found.seqs + 1, event.seq
            if event.type == EventType.USER_MESSAGE:
                found.prompts[event.payload["clientMsgId"], event.seq] += 1
            elif event.type == EventType.TURN_START:
                found.begun[event.payload["turnId"]] += 1
            elif event.type == EventType.TURN_END:
                found.ended[event.payload["turnId"]] += 1
            yield event.envelope()


def _numbering(session: Session, found: _Pass) -> Iterator[str]:
    if found.last != session.head_seq:
        yield f"the head is {session.head_seq}, the last event {found.last}"
    for first, last in found.missing:
        if last > session.pruned_to:
            yield f"events {first}..{last} are missing and were not pruned"


def _columns(session: Session, folded: Snapshot) -> Iterator[str]:
    said = projection.head_of(session)
    expected: Snapshot = {**folded, "title": projection.stored_title(folded["title"])}
    for name in _COLUMNS:
        if said[name] != expected[name]:
            yield f"the session's {name} is {said[name]!r}, the log says {expected[name]!r}"
    current = folded["current"]
    if session.live.get("currentSeq") != (current and current["seq"]):
        yield "the session and the log differ about the answer in flight"


def _messages(session: Session, folded: Snapshot) -> Iterator[str]:
    stored = dict(Message.objects.filter(session=session).values_list("seq", "data"))
    expected = {message["seq"]: message for message in folded["messages"]}
    for seq in sorted(stored.keys() ^ expected.keys()):
        yield f"message {seq} is {'only stored' if seq in stored else 'only in the log'}"
    for seq in sorted(stored.keys() & expected.keys()):
        if stored[seq] != expected[seq]:
            yield f"message {seq} differs from the log"


def _receipts(session: Session, found: _Pass) -> Iterator[str]:
    rows = Command.objects.filter(session=session).values_list("client_msg_id", "seq")
    for client_msg_id, seq in set(rows) - found.prompts.keys():
        yield f"prompt {client_msg_id} has a receipt for event {seq}, which is not that prompt"
    for client_msg_id, count in Counter(name for name, _ in found.prompts).items():
        if count > 1:
            yield f"prompt {client_msg_id} is in the log {count} times"


def _turns(found: _Pass, folded: Snapshot) -> Iterator[str]:
    running = folded["turn"] and folded["turn"]["turnId"]
    for turn_id in sorted(found.begun.keys() | found.ended.keys()):
        ends = 0 if turn_id == running else 1
        if (found.begun[turn_id], found.ended[turn_id]) != (1, ends):
            yield f"turn {turn_id} does not begin and end once"
