"""The JSON of the list of sessions, and of one session for one person."""

from __future__ import annotations

from typing_extensions import TypedDict

from sessions.eventlog.shapes import Snapshot
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
