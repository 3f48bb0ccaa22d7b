"""The errors of the transport, each with the code and the HTTP status that clients see."""

from __future__ import annotations

from sessions.core.errors import ChatError

# A stream that is too many may be one that is about to be closed.
RETRY_AFTER_S = 10


class UnknownConnection(ChatError):
    code = "unknown_connection"
    status = 404
    sentence = "That connection is closed or unknown: reconnect."


class ConnectionRequired(ChatError):
    code = "connection_required"
    status = 400
    sentence = "This command needs the X-Connection-ID of an open stream."


class TooManyWatches(ChatError):
    code = "too_many_watches"
    status = 409
    sentence = "This connection watches as many sessions as it may."


class TooManyConnections(ChatError):
    code = "too_many_connections"
    status = 429
    sentence = "Too many open connections: close one first."


class MethodNotAllowed(ChatError):
    code = "method_not_allowed"
    status = 405
    sentence = "This method is not allowed here."


class ReaderBehind(Exception):
    """The frames after a reader's cursor are no longer in the ring."""
