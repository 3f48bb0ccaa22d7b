"""Every byte of the event streams: frames of events, of snapshots and of everything else. Pure.

docs/reference/protocol.md#the-stream leads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from django.utils import timezone
from pydantic_core import to_json

from sessions.core.conf import chat
from sessions.core.errors import UnknownSession
from sessions.eventlog.bounded import cut
from sessions.eventlog.events import VERSION, LoggedEvent, timestamp

# One write to a socket. It bounds the memory that a stalled reader can hold.
CHUNK_BYTES: Final = 64 * 1024
# The wait of a native EventSource before it reconnects by itself.
RETRY_MS: Final = 1000


def encode(event: LoggedEvent) -> bytes:
    """Return the frame of an event; its id lets a native EventSource resume."""
    return b"id: %s:%d\ndata: %s\n\n" % (
        str(event.session_id).encode(),
        event.seq,
        envelope(event),
    )


def envelope(event: LoggedEvent) -> bytes:
    """Return an event as JSON, with texts of TEXT_BYTES at most."""
    return to_json(cut.event(event.envelope(), chat.TEXT_BYTES))


def encode_frame(
    data: Mapping[str, Any], *, event: str | None = None, retry_ms: int | None = None
) -> bytes:
    """Return a frame without id: welcome, ping, snapshots and other unlogged frames."""
    head = b"" if retry_ms is None else b"retry: %d\n" % retry_ms
    if event is not None:
        head += b"event: %s\n" % event.encode()
    return head + b"data: %s\n\n" % to_json(data)


# --- The chat's stream --------------------------------------------------------------------------


def welcome(connection_id: UUID, spread_ms: int) -> bytes:
    """Return the first frame of a stream. spread_ms: as of Node.spread_ms."""
    data: dict[str, Any] = {
        "protocol": VERSION,
        "connectionId": str(connection_id),
        "heartbeatMs": round(chat.HEARTBEAT_INTERVAL_S * 1000),
        "pingGrace": chat.PING_GRACE,
        "maxReplayGap": chat.MAX_REPLAY_GAP,
        "spreadMs": spread_ms,
        "serverTime": timestamp(timezone.now()),
    }
    return encode_frame(data, event="welcome", retry_ms=RETRY_MS)


def ping(spread_ms: int) -> bytes:
    """Return the sign of life. spread_ms: as of Node.spread_ms."""
    data: dict[str, Any] = {"serverTime": timestamp(timezone.now()), "spreadMs": spread_ms}
    return encode_frame(data, event="ping")


def unlogged(kind: str, /, **fields: object) -> bytes:
    """Return a frame that is no event of a log."""
    return encode_frame({"v": VERSION, "type": kind, **fields})


def rejected(name: str) -> bytes:
    """Return the answer to a watch that is not allowed."""
    return unlogged("watch_rejected", sessionId=name, code=UnknownSession.code)


def snapshot(data: Any, *, cursor_invalid: bool = False) -> bytes:
    """Return the frame of a snapshot."""
    fields = {**data, "cursorInvalid": True} if cursor_invalid else data
    return unlogged("session_snapshot", **fields)


def skip(session_id: UUID, *, first: int, last: int, reason: str) -> bytes:
    """Return the frame that announces first..last as not sent."""
    fields = {"sessionId": str(session_id), "from": first, "to": last, "reason": str(reason)}
    return unlogged("replay_skipped", **fields)


def join_chunks(frames: Iterable[bytes]) -> list[bytes]:
    """Join whole frames into chunks of about CHUNK_BYTES; a larger frame is a chunk alone."""
    chunks: list[bytes] = []
    waiting: list[bytes] = []
    size = 0
    for frame in frames:
        if waiting and size + len(frame) > CHUNK_BYTES:
            chunks.append(b"".join(waiting))
            waiting, size = [], 0
        waiting.append(frame)
        size += len(frame)
    if waiting:
        chunks.append(b"".join(waiting))
    return chunks


# --- The plain feed: the frames of django-eventstream ---------------------------------------------

FEED_OPENING: Final = b"retry: %d\nevent: stream-open\ndata:\n\n" % RETRY_MS
FEED_KEEP_ALIVE: Final = b"event: keep-alive\ndata:\n\n"
