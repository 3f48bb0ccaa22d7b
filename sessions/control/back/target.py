"""The place of the log that a person wants to return to: a prompt, or an earlier return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sessions.control import prompts
from sessions.control.back.errors import (
    NoCheckpoint,
    RewindOvertaken,
    TooManyRewinds,
    TurnRunning,
    UnknownMessage,
)
from sessions.eventlog import drafts
from sessions.eventlog.events import Draft, EventType
from sessions.eventlog.folding import rewinding
from sessions.eventlog.shapes import Rewind, UserMessage
from sessions.models import Event, Message, Session
from sessions.text.asking import one_line

MAX_REWINDS: Final = 200
MAX_WORDS_CHARS: Final = 60


@dataclass(frozen=True, slots=True)
class Files:
    """The state of the folder that is wanted. name: in a sentence for a person."""

    checkpoint: str
    name: str


def require_idle(session: Session) -> None:
    """Raise TurnRunning while the agent works, or is about to."""
    if session.live.get("turn") or prompts.waiting(session.pk).exists():
        raise TurnRunning(sessionId=str(session.pk))


def files_at(session: Session, to: int) -> Files:
    """Return the state of the folder before a prompt, or before a restore.

    Raises UnknownMessage, NoCheckpoint.
    """
    event = Event.objects.filter(session=session, seq=to).first()
    if event is not None and event.type == EventType.RESTORED:
        return Files(event.payload["kept"], "before that restore")
    prompt = _prompt(session, to)
    if "checkpointId" not in prompt:
        raise NoCheckpoint(sessionId=str(session.pk), to=to)
    words = one_line(prompt["text"])
    short = words if len(words) <= MAX_WORDS_CHARS else f"{words[: MAX_WORDS_CHARS - 1]}…"
    return Files(prompt["checkpointId"], f"before “{short}”")


def taking_back(session: Session, to: int, *, by: str) -> list[Draft]:
    """Return the events that take a prompt and all behind it back, or show messages again.

    Nothing where that is so already. Raises UnknownMessage, RewindOvertaken, TooManyRewinds.
    """
    rewinds: list[Rewind] = session.live.get("rewinds", [])
    event = Event.objects.filter(session=session, seq=to).first()
    if event is not None and event.type == EventType.REWOUND:
        return _shown_again(session, to, event.payload["to"], rewinds, by=by)
    prompt = _prompt(session, to)
    if rewinding.is_taken_back(prompt, rewinds):
        return []
    if len(rewinds) >= MAX_REWINDS:
        raise TooManyRewinds(sessionId=str(session.pk))
    since = _begin(session, prompt)
    names = _sent_before(session, since)
    return [drafts.rewound(to=to, by=by, since=since, client_msg_ids=names)]


def _shown_again(
    session: Session, undoes: int, to: int, rewinds: list[Rewind], *, by: str
) -> list[Draft]:
    if all(each["seq"] != undoes for each in rewinds):
        return []
    later = Message.objects.filter(session=session, role="user", seq__gt=undoes)
    if any(
        not rewinding.is_taken_back(data, rewinds) for data in later.values_list("data", flat=True)
    ):
        raise RewindOvertaken(sessionId=str(session.pk))
    return [drafts.rewound(to=to, by=by, undoes=undoes)]


def _prompt(session: Session, seq: int) -> UserMessage:
    rows = Message.objects.filter(session=session, seq=seq, role="user")
    prompt: UserMessage | None = rows.values_list("data", flat=True).first()
    if prompt is None:
        raise UnknownMessage(sessionId=str(session.pk), to=seq)
    return prompt


def before(session: Session, seq: int) -> int:
    """Return the place before a prompt, by turns: one that waited ran behind others."""
    rows = Message.objects.filter(session=session, seq=seq, role="user")
    prompt: UserMessage | None = rows.values_list("data", flat=True).first()
    return seq if prompt is None else _begin(session, prompt)


def _begin(session: Session, prompt: UserMessage) -> int:
    """Return the seq at which the turn of a prompt began; its own where it never ran."""
    begins = Event.objects.filter(
        session=session,
        seq__gt=prompt["seq"],
        type=EventType.TURN_START,
        payload__clientMsgId=prompt["clientMsgId"],
    )
    return begins.order_by("seq").values_list("seq", flat=True).first() or prompt["seq"]


def _sent_before(session: Session, since: int) -> list[str]:
    """Return the prompts that were sent before a moment and ran from it on."""
    begins = Event.objects.filter(session=session, seq__gte=since, type=EventType.TURN_START)
    ran = [told.get("clientMsgId", "") for told in begins.values_list("payload", flat=True)]
    rows = Message.objects.filter(session=session, role="user", seq__lt=since)
    sent = set(rows.filter(client_msg_id__in=ran).values_list("client_msg_id", flat=True))
    return [name for name in ran if name in sent]
