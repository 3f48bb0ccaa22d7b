"""The check of a log against the rest of the database: I1, I4, and the projection (I12).

Reads alone, and at one moment: it may run beside the server. The cost is one pass over the log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, get_args
from uuid import UUID

from sessions.core.db import consistent_read
from sessions.core.errors import UnknownSession
from sessions.eventlog import fold, projection, store
from sessions.eventlog.bounded import growing
from sessions.eventlog.events import EventType, LoggedEvent
from sessions.eventlog.folding import rewinding
from sessions.eventlog.shapes import Envelope, Snapshot
from sessions.eventlog.shapes import Message as AnyMessage
from sessions.models import Message, Prompt, Session

BATCH: Final = 1_000
MESSAGES_AT_ONCE: Final = 100
_OPEN: Final = frozenset({"accepted", "dispatched"})
_Column = Literal[
    "state",
    "runState",
    "title",
    "agent",
    "mode",
    "modes",
    "permissions",
    "questions",
    "turn",
    "queue",
    "rewinds",
    "usage",
    "context",
    "options",
    "commands",
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
    # How often each prompt left the queue: handed over, or withdrawn.
    left: Counter[str] = field(default_factory=Counter)
    # The last version of each edited prompt.
    edited: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def note_edit(self, event: LoggedEvent) -> None:
        """Note an edit: versions count up, and a prompt that has left the queue has none."""
        name, version = event.payload["clientMsgId"], event.payload["version"]
        if self.left[name]:
            self.problems.append(f"prompt {name} was edited after it had left the queue")
        if version != self.edited.get(name, 1) + 1:
            self.problems.append(f"prompt {name} has no version before {version}")
        self.edited[name] = version


class _Stored:
    """The stored messages of a session, held against those of the fold as soon as these are final.

    seqs: of the messages that were compared.
    """

    def __init__(self, session: Session) -> None:
        self._rows = Message.objects.filter(session=session)
        self._seqs: set[int] = set()
        self._problems: list[str] = []

    def without_settled(self, folded: Snapshot) -> Snapshot:
        """Return the fold without old messages that no event changes any more."""
        messages = folded["messages"]
        if len(messages) < 2 * MESSAGES_AT_ONCE:
            return folded
        old, kept = messages[:-MESSAGES_AT_ONCE], messages[-MESSAGES_AT_ONCE:]
        self._compare([message for message in old if _is_final(message)])
        return {**folded, "messages": [*(m for m in old if not _is_final(m)), *kept]}

    def problems(self, last: list[AnyMessage]) -> list[str]:
        """Compare the last messages, too; return every difference."""
        self._compare(last)
        seqs = self._rows.order_by("seq").values_list("seq", flat=True)
        only = [f"message {seq} is only stored" for seq in seqs if seq not in self._seqs]
        return [*self._problems, *only]

    def _compare(self, messages: list[AnyMessage]) -> None:
        for at in range(0, len(messages), MESSAGES_AT_ONCE):
            expected = {message["seq"]: message for message in messages[at : at + MESSAGES_AT_ONCE]}
            rows = dict(self._rows.filter(seq__in=expected).values_list("seq", "data"))
            for seq, message in expected.items():
                if seq not in rows:
                    self._problems.append(f"message {seq} is only in the log")
                elif rows[seq] != rewinding.bare(message):
                    self._problems.append(f"message {seq} differs from the log")
            self._seqs |= expected.keys()


def _is_final(message: AnyMessage) -> bool:
    """Return whether a message is over: a prompt has its outcome, all others stand as they are."""
    return message["role"] != "user" or message["promptState"] not in _OPEN


def _unheard(_: int) -> None:
    """Hear nothing: the progress of one short check."""


def check(session_id: UUID, *, told: Callable[[int], object] = _unheard) -> Report:
    """Return the faults of a session's log and its projection. Raises UnknownSession.

    told: hears the seq that the pass has come to, after each batch. Events and messages are in
    memory batch by batch, however long the chat is.
    """
    with consistent_read():
        session = Session.objects.filter(pk=session_id).first()
        if session is None:
            raise UnknownSession
        found, stored = _Pass(), _Stored(session)
        folded = fold.empty(str(session_id))
        for event in growing.merged(_events(session, found, told)):
            folded = stored.without_settled(fold.fold(folded, event))
        problems = [
            *found.problems,
            *_numbering(session, found),
            *_columns(session, folded),
            *stored.problems(folded["messages"]),
            *_receipts(session, found),
            *_turns(found, folded),
            *_prompts(session, found, folded),
        ]
    return Report(session_id, found.seqs, problems)


def _events(session: Session, found: _Pass, told: Callable[[int], object]) -> Iterator[Envelope]:
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
                found.left[event.payload.get("clientMsgId", "")] += 1
            elif event.type == EventType.PROMPT_WITHDRAWN:
                found.left[event.payload["clientMsgId"]] += 1
            elif event.type == EventType.PROMPT_EDITED:
                found.note_edit(event)
            elif event.type == EventType.TURN_END:
                found.ended[event.payload["turnId"]] += 1
            yield event.envelope()
        told(found.last)


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


def _receipts(session: Session, found: _Pass) -> Iterator[str]:
    rows = Prompt.objects.filter(session=session).values_list("client_msg_id", "seq")
    for client_msg_id, seq in set(rows) - found.prompts.keys():
        yield f"prompt {client_msg_id} has a receipt for event {seq}, which is not that prompt"
    for client_msg_id, count in Counter(name for name, _ in found.prompts).items():
        if count > 1:
            yield f"prompt {client_msg_id} is in the log {count} times"


def _prompts(session: Session, found: _Pass, folded: Snapshot) -> Iterator[str]:
    """Yield the prompts that did not leave the queue once, or whose row differs (I4)."""
    rows = list(Prompt.objects.filter(session=session).in_order())
    for row in rows:
        name, leaves = row.client_msg_id, found.left[row.client_msg_id]
        if leaves != int(row.state != Prompt.State.ACCEPTED):
            yield f"prompt {name} is {row.state} and left the queue {leaves} times"
        if row.version != (version := found.edited.get(name, 1)):
            yield f"prompt {name} has version {row.version}, the log says {version}"
    order = [row.client_msg_id for row in rows if row.state == Prompt.State.ACCEPTED]
    told = [each["clientMsgId"] for each in folded["queue"]]
    if rows and order != told:
        yield f"the prompts wait in the order {order}, the log says {told}"


def _turns(found: _Pass, folded: Snapshot) -> Iterator[str]:
    running = folded["turn"] and folded["turn"]["turnId"]
    for turn_id in sorted(found.begun.keys() | found.ended.keys()):
        ends = 0 if turn_id == running else 1
        if (found.begun[turn_id], found.ended[turn_id]) != (1, ends):
            yield f"turn {turn_id} does not begin and end once"
