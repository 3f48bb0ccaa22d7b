"""One long text, piece by piece: of a block, a prompt, a request or a question.

docs/reference/http-api.md#long-texts leads.

Snapshots and pages cut long texts. The log has each of them whole, in one event or, while a block
grows, in its deltas. The database cuts the piece out: no more than a piece comes into memory.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Q
from django.db.models.fields.json import KT
from django.db.models.functions import Length, Substr

from sessions.core.conf import chat
from sessions.core.db import consistent_read
from sessions.core.errors import UnknownBlock
from sessions.eventlog import store
from sessions.eventlog.bounded import weight
from sessions.eventlog.events import EventType
from sessions.models import Event, Message, Session
from sessions.reading.shapes import BlockPage

Part = Literal[
    "content",
    "input",
    "result",
    "text",
    "schema",
    "title",
    "toolName",
    "options",
    "diffs",
    "locations",
    "images",
    "resources",
]
_OF_A_RESULT: Final = frozenset({"result", "diffs", "locations", "images", "resources"})
_OF_REQUESTS: Final = frozenset(
    {"title", "toolName", "input", "diffs", "locations", "options", "schema"}
)
# Requests of the agent, by the name of their id.
_ASKED: Final = (
    (EventType.PERMISSION_REQUEST, "permId"),
    (EventType.QUESTION_ASKED, "questionId"),
)
# JSON writes one character as twelve bytes at most; a page has no more than one piece.
_BYTES_OF_A_CHARACTER: Final = 12


class _Place(NamedTuple):
    """The event that has a part of a block, and the field of it."""

    seq: int
    field: str


class _Piece(NamedTuple):
    """A piece of a text, the characters of the whole, and its bytes."""

    text: str
    chars: int
    size: int


def block_page(user: User, session_id: UUID, block_id: str, *, part: Part, start: int) -> BlockPage:
    """Return the piece of a text that begins at character start.

    part: of the block, the permission request or the question; "text" is the prompt whose messageId
    is given. Raises UnknownSession, and UnknownBlock where the session has no such part.
    """
    with consistent_read():
        session = Session.objects.find(user, session_id)
        if "\0" in block_id:
            raise UnknownBlock
        html = None
        if part == "text":
            piece = _stored(session, _Place(_prompt(session, block_id), "text"), start)
        elif part in _OF_REQUESTS and (asked := _asked(session, block_id, part)) is not None:
            piece = _stored(session, asked, start)
        else:
            block = _Block(session, block_id)
            place = block.place_of(part)
            piece = block.growing(start) if place is None else _stored(session, place, start)
            html = block.html() if part == "content" and start == 0 else None
    end = start + len(piece.text)
    return {
        "blockId": block_id,
        "part": part,
        "start": start,
        "text": piece.text,
        "next": end if piece.text and end < piece.chars else None,
        "size": piece.size,
        "html": html,
    }


def piece_chars() -> int:
    """Return the characters of one piece."""
    return max(1, chat.PAGE_BYTES // _BYTES_OF_A_CHARACTER)


def _prompt(session: Session, message_id: str) -> int:
    """Return the seq of the event that has a prompt's text: its own, or its last edit."""
    seq: int
    rows = Message.objects.filter(session=session, message_id=message_id, role="user")
    found = rows.values_list("seq", "client_msg_id", KT("data__version")).first()
    if found is None:
        raise UnknownBlock
    seq, name, version = found
    if version is None:
        return seq
    edits = Event.objects.filter(session=session, seq__gt=seq, type=EventType.PROMPT_EDITED)
    last = edits.filter(payload__clientMsgId=name).order_by("-seq").values_list("seq", flat=True)
    return int(last.first() or seq)


def _asked(session: Session, name: str, part: Part) -> _Place | None:
    """Return the place of a part of a permission request or a question; None for another name."""
    rows = Event.objects.filter(session=session, seq__lte=session.head_seq)
    named = Q()
    for kind, field in _ASKED:
        named |= Q(type=kind, **{f"payload__{field}": name})
    found = rows.filter(named, payload__has_key=part).values_list("seq", flat=True).first()
    return None if found is None else _Place(found, part)


def _stored(session: Session, place: _Place, start: int) -> _Piece:
    """Return a piece of one field of one event; the database cuts it out."""
    row = Event.objects.filter(session=session, seq=place.seq)
    whole = KT(f"payload__{place.field}")
    [stored] = row.values_list(weight.Stored("payload"), flat=True)
    with weight.rows_room.held(stored):
        [(text, chars, size)] = row.values_list(
            Substr(whole, start + 1, piece_chars()), Length(whole), weight.Octets(whole)
        )
    return _Piece(text or "", chars or 0, size or 0)


class _Block:
    """A block of an answer, finished or in flight, as the log has it."""

    def __init__(self, session: Session, block_id: str) -> None:
        self._session = session
        self._block_id = block_id
        rows = Event.objects.filter(session=session, seq__lte=session.head_seq).order_by("seq")
        begun = rows.filter(type=EventType.BLOCK_START, payload__blockId=block_id)
        found = begun.values_list("seq", KT("payload__toolId")).first()
        if found is None:
            raise UnknownBlock
        self._begun, self._tool_id = found
        self._events = rows.filter(seq__gt=self._begun)
        ends = self._events.filter(type=EventType.MESSAGE_END).values_list("seq", flat=True)
        end = ends.first()
        if end is not None:
            self._events = self._events.filter(seq__lt=end)

    def place_of(self, part: Part) -> _Place | None:
        """Return the last event that tells a part; None while the content grows."""
        if part in _OF_A_RESULT:
            told = Q(type=EventType.TOOL_RESULT, payload__toolId=self._tool_id)
            has_it = Q() if part == "result" else Q(payload__has_key=part)
            return self._last(told & has_it, part)
        name = "title" if part == "content" else part
        update = Q(type=EventType.TOOL_UPDATE, payload__toolId=self._tool_id)
        end = Q(type=EventType.BLOCK_END, payload__blockId=self._block_id)
        try:
            return self._last(end | (update & Q(payload__has_key=name)), part)
        except UnknownBlock:
            if part == "content":
                return None
            raise

    def _last(self, told: Q, part: str) -> _Place:
        found = self._events.filter(told).order_by("-seq").values_list("seq", "type").first()
        if found is None:
            raise UnknownBlock
        seq, kind = found
        is_title = part == "content" and kind == EventType.TOOL_UPDATE
        return _Place(seq, "title" if is_title else {"result": "content"}.get(part, part))

    def html(self) -> str | None:
        """Return the rendered text, when there is one that a page has room for."""
        ends = self._events.filter(type=EventType.BLOCK_END, payload__blockId=self._block_id)
        html = KT("payload__html")
        sized = ends.values_list(weight.Octets(html), html).order_by("-seq")
        fitting = sized.annotate(size=weight.Octets(html)).filter(size__lte=chat.PAGE_BYTES)
        found = fitting.first()
        return None if found is None else found[1]

    def growing(self, start: int) -> _Piece:
        """Return a piece of the text so far; batch by batch."""
        kept: list[str] = []
        chars = size = 0
        end = start + piece_chars()
        for batch in store.batches(
            self._session.pk,
            after=self._begun,
            limit=self._session.head_seq,
            max_bytes=chat.PAGE_BYTES,
            upto=self._session.head_seq,
            types={EventType.BLOCK_DELTA},
        ):
            for event in batch:
                if event.payload["blockId"] != self._block_id:
                    continue
                delta = event.payload["delta"]
                kept.append(delta[max(0, start - chars) : max(0, end - chars)])
                chars += len(delta)
                size += len(delta.encode())
        return _Piece("".join(kept), chars, size)
