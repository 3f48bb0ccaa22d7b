"""The fold of the app over recorded frames, which carry no types."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from lab.chaos.evidence import Json
from sessions.eventlog import fold as typed
from sessions.eventlog.shapes import Envelope, Snapshot


def empty(session_id: str) -> Json:
    """Return the snapshot of a session before its first event."""
    return cast("Json", typed.empty(session_id))


def fold(snapshot: Json, frame: Json) -> Json:
    """Return the snapshot after one envelope."""
    return cast("Json", typed.fold(cast("Snapshot", snapshot), cast("Envelope", frame)))


def fold_all(snapshot: Json, frames: Iterable[Json]) -> Json:
    """Return the snapshot after all envelopes, in their order."""
    envelopes = cast("Iterable[Envelope]", frames)
    return cast("Json", typed.fold_all(cast("Snapshot", snapshot), envelopes))
