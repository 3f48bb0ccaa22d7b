"""The JSON of a person's own things of a session."""

from __future__ import annotations

from typing_extensions import TypedDict


class Personal(TypedDict):
    """A person's own things of a session.

    Source: docs/reference/http-api.md#drafts-comments-read-marks-and-pins.
    """

    sessionId: str
    version: int
    # null in a frame: too long to be told there.
    draft: str | None
    draftVersion: int
    commentsVersion: int
    readSeq: int
    pinnedAt: str | None


class LineComment(TypedDict):
    """A comment on a line that waits to be sent."""

    id: str
    path: str
    line: int
    isOld: bool
    quote: str
    text: str
