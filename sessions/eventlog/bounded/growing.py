"""The answer in flight: the fold of its events, whole for the log or bounded for a client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, cast

from sessions.core.conf import chat
from sessions.eventlog import fold, projection, store
from sessions.eventlog.bounded import cut
from sessions.eventlog.events import PIECES, EventType, LoggedEvent
from sessions.eventlog.shapes import AssistantMessage, Envelope, Snapshot
from sessions.models import Session

# So many bytes of events are folded at once.
BATCH_BYTES: Final = 1024 * 1024


def whole(session: Session) -> AssistantMessage | None:
    """Return the answer in flight with all of its text; None when there is none."""
    begun = session.live.get("currentSeq")
    if begun is None:
        return None
    events = (event.envelope() for batch in _batches(session, begun) for event in batch)
    return fold.fold_all(_nothing(session), merged(events))["current"]


def shown(session: Session, *, room: int) -> AssistantMessage | None:
    """Return the answer in flight with cut texts, of at most room bytes; None when there is none.

    However long the answer is, no more than a batch of its events and room are in memory.
    """
    begun = session.live.get("currentSeq")
    if begun is None:
        return None
    state = _nothing(session)
    # Blocks without an end and tools without a result, by id, with the seq of their begin.
    unfinished: dict[str, int] = {}
    for batch in _batches(session, begun, projection.SHAPE_OF_A_MESSAGE):
        for event in batch:
            _note(event, unfinished)
        state = _fitted(_folded(state, batch), room)
    if unfinished:
        # The end of a block has its text: only the pieces of the others are read.
        for batch in _batches(session, min(unfinished.values()), PIECES):
            still = [event for event in batch if _id_of(event) in unfinished]
            state = _fitted(_folded(state, still), room)
    return state["current"]


def _note(event: LoggedEvent, unfinished: dict[str, int]) -> None:
    match event.type:
        case EventType.BLOCK_START:
            unfinished[event.payload["blockId"]] = event.seq
            if "toolId" in event.payload:
                unfinished[event.payload["toolId"]] = event.seq
        case EventType.BLOCK_END:
            unfinished.pop(event.payload["blockId"], None)
        case EventType.TOOL_RESULT:
            unfinished.pop(event.payload["toolId"], None)


def _id_of(piece: LoggedEvent) -> str:
    return piece.payload["blockId"] if "blockId" in piece.payload else piece.payload["toolId"]


def _nothing(session: Session) -> Snapshot:
    return fold.empty(str(session.pk))


def _batches(
    session: Session, first: int, types: Iterable[str] | None = None
) -> Iterator[list[LoggedEvent]]:
    return store.batches(
        session.pk,
        after=first - 1,
        limit=session.head_seq,
        max_bytes=BATCH_BYTES,
        upto=session.head_seq,
        types=None if types is None else frozenset(types),
    )


def _folded(state: Snapshot, events: Iterable[LoggedEvent]) -> Snapshot:
    joined = merged(event.envelope() for event in events)
    return fold.fold_all(state, (cut.event(each, chat.TEXT_BYTES) for each in joined))


def _fitted(state: Snapshot, room: int) -> Snapshot:
    """Return the state with its answer cut: deltas have made texts longer."""
    if state["current"] is None:
        return state
    short = cut.fitted(cut.message(state["current"], chat.TEXT_BYTES), room)
    return {**state, "current": cast("AssistantMessage", short)}


def merged(events: Iterable[Envelope]) -> Iterator[Envelope]:
    """Join neighbouring pieces of one block or output: the fold copies its text at each."""
    held: Envelope | None = None
    parts: list[str] = []
    for event in events:
        if held and _grows(event) == _grows(held):
            parts.append(event["delta"])
            continue
        if held:
            yield {**held, "delta": "".join(parts)}
        held, parts = (event, [event["delta"]]) if _grows(event) else (None, [])
        if held is None:
            yield event
    if held:
        yield {**held, "delta": "".join(parts)}


def _grows(event: Envelope) -> tuple[str, str] | None:
    """Return the block or the output that an event is a piece of; None for another event."""
    if event["type"] not in PIECES:
        return None
    return event["type"], event["blockId"] if "blockId" in event else event["toolId"]
