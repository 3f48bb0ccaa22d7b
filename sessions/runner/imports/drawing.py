"""The past of a chat → drafts of imported messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from sessions.agents.chats.found import Past, PastTurn
from sessions.core.conf import chat
from sessions.eventlog import drafts
from sessions.eventlog.events import PIECES, Draft, EventType, StopReason
from sessions.runner.turns.keeping import stored
from sessions.runner.turns.turn import OutputLimit, TurnBuilder
from sessions.text.rendering import Rendering

# A block that ends has all of its pieces, and no turn of this log begins or ends.
_NOT_DRAWN: Final = PIECES | {EventType.TURN_END}


def drafts_of(past: Past, put: Callable[[list[tuple[str, bytes]]], None]) -> Iterator[Draft]:
    """Yield the events of the past, without a turn and without a cost.

    put: stores the bytes of results by their names. Raises BlobsFull, OSError.
    """
    if past.left_out:
        yield drafts.notice(kind="imported", text=f"{past.left_out} earlier turns are left out.")
    # One budget for all: the texts beyond it are shown plain.
    rendering = Rendering()
    for number, turn in enumerate(past.turns, 1):
        name = f"i-{number}"
        if turn.prompt:
            yield drafts.user_message(
                message_id=name, client_msg_id=name, text=_cut(turn.prompt), imported=True
            )
        for draft in _answer(name, turn, rendering, put):
            if draft.type not in _NOT_DRAWN:
                yield _marked(draft)


def _answer(
    name: str, turn: PastTurn, rendering: Rendering, put: Callable[[list[tuple[str, bytes]]], None]
) -> Iterator[Draft]:
    builder = TurnBuilder(name, max_output_bytes=chat.MAX_TURN_OUTPUT_BYTES, rendering=rendering)
    try:
        for update in turn.said:
            yield from builder.apply(stored(put, update))
    except OutputLimit as exc:
        yield drafts.error(code="output_limit", error=str(exc))
    yield from builder.close(StopReason.END_TURN)


def _marked(draft: Draft) -> Draft:
    if draft.type != EventType.MESSAGE_START:
        return draft
    told = draft.payload
    return drafts.message_start(message_id=told["messageId"], turn_id=told["turnId"], imported=True)


def _cut(text: str) -> str:
    """Return as much of a prompt as one may have."""
    return text.encode()[: chat.MAX_PROMPT_BYTES].decode(errors="ignore")
