"""The JSON of a person's own things of a session."""

from __future__ import annotations

from typing_extensions import TypedDict


class Personal(TypedDict):
    """A person's own things of a session: docs/reference/http-api.md#drafts-read-marks-and-pins."""

    sessionId: str
    version: int
    # null in a frame: too long to be told there.
    draft: str | None
    draftVersion: int
    readSeq: int
    pinnedAt: str | None
