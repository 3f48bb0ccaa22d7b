"""The JSON of the list of sessions, of one session for one person, and of pages of a log."""

from __future__ import annotations

from typing_extensions import TypedDict

from sessions.eventlog.shapes import Envelope, Message, Snapshot
from sessions.personal.shapes import Personal


class SessionRow(TypedDict):
    """A session in the list: docs/reference/http-api.md#reading."""

    sessionId: str
    title: str
    agent: str
    mode: str
    cwd: str
    projectId: str | None
    branch: str | None
    state: str
    runState: str
    head: int
    createdAt: str
    lastActivityAt: str
    archivedAt: str | None
    waitSeconds: int | None
    isUnread: bool
    readSeq: int
    draftVersion: int
    commentsVersion: int
    pinnedAt: str | None


class SessionDetail(SessionRow):
    """One session, with the draft of the person who asks."""

    personal: Personal


class SessionPage(TypedDict):
    """A page of the list, the last active session first."""

    sessions: list[SessionRow]
    pinned: list[SessionRow]
    hasMore: bool
    nextBefore: str | None


class PersonalSnapshot(Snapshot):
    """The snapshot over HTTP, with the person's own."""

    personal: Personal


class BlockPage(TypedDict):
    """One piece of a long text: docs/reference/http-api.md#long-texts.

    size: the bytes of the whole. next: the `start` of the piece behind this one; null at the end.
    html: the rendered text, with the first piece alone.
    """

    blockId: str
    part: str
    start: int
    text: str
    next: int | None
    size: int
    html: str | None


class MessagePage(TypedDict):
    """Finished messages, oldest first."""

    messages: list[Message]
    hasMore: bool
    oldestSeq: int | None


class EventPage(TypedDict):
    """Envelopes, seq ascending."""

    events: list[Envelope]
    hasMore: bool
    head: int
    prunedTo: int
