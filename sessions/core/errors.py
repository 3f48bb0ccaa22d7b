"""The errors that clients see, each with its machine word and its HTTP status.

The transport turns a :class:`ChatError` into the JSON body of docs/reference/errors.md.
"""

from __future__ import annotations

from typing import Any, ClassVar


class ChatError(Exception):
    """A failure with a word for machines (``code``), a status, and a sentence for a person."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    sentence: ClassVar[str] = "Something went wrong."

    def __init__(self, message: str | None = None, **fields: Any) -> None:
        super().__init__(message or self.sentence)
        self.fields = fields

    def body(self) -> dict[str, Any]:
        """Return the JSON error body: ok, code, error and the fields of the case."""
        return {"ok": False, "code": self.code, "error": str(self), **self.fields}


class InvalidRequest(ChatError):
    code = "invalid_request"
    status = 400
    sentence = "The request is not valid."


class Unauthenticated(ChatError):
    code = "unauthenticated"
    status = 401
    sentence = "Log in first."


class Forbidden(ChatError):
    code = "forbidden"
    status = 403
    sentence = "Your account may not do this."


class ServerError(ChatError):
    """An unforeseen failure; the facts are in the server's log alone."""

    code = "server_error"
    status = 500
    sentence = "The server failed at this request; it has been logged."


class CsrfFailed(ChatError):
    code = "csrf_failed"
    status = 403
    sentence = "The request does not carry this page's token: reload the page."


class OriginRefused(CsrfFailed):
    code = "origin_refused"
    sentence = "This server accepts no requests from pages of that address."


class UnknownSession(ChatError):
    code = "unknown_session"
    status = 404
    sentence = "There is no such session."


class UnknownAgent(ChatError):
    code = "unknown_agent"
    status = 400
    sentence = "There is no such agent."


class FingerprintConflict(ChatError):
    code = "fingerprint_conflict"
    status = 409
    sentence = "Another prompt was already sent under this id."


class PromptTooLarge(ChatError):
    code = "prompt_too_large"
    status = 413
    sentence = "The prompt is too long."


class StorageFull(ChatError):
    code = "storage_full"
    status = 503
    sentence = "The disk of the server is full: nothing can be stored."


class RateLimited(ChatError):
    code = "rate_limited"
    status = 429
    sentence = "Too many prompts: wait a little."


class TooManyPrompts(ChatError):
    code = "too_many_prompts"
    status = 429
    sentence = "Too many prompts wait in this session."


class InvalidTransition(ChatError):
    code = "invalid_transition"
    status = 409
    sentence = "The session cannot do that in its state."


class PermissionAlreadyResolved(ChatError):
    code = "permission_resolved"
    status = 409
    sentence = "This permission request was already answered."


class UnknownPermission(ChatError):
    code = "unknown_permission"
    status = 404
    sentence = "There is no such permission request."


class UnknownMode(ChatError):
    code = "unknown_mode"
    status = 409
    sentence = "The agent does not offer this mode."


class FolderRefused(ChatError):
    code = "folder_refused"
    status = 400
    sentence = "Sessions may not work in this folder."


class FolderExists(ChatError):
    code = "folder_exists"
    status = 409
    sentence = "There is something under this name already."


class LeaseLost(ChatError):
    """Another runner holds the session now: the append was refused."""

    code = "lease_lost"
    status = 409
    sentence = "Another runner owns this session now."


class NotWaiting(ChatError):
    """The prompt has left the queue already: it was stopped, or it runs."""

    code = "not_waiting"
    status = 409
    sentence = "The prompt does not wait any more."


class AppendOnly(ChatError):
    """Something tried to change or delete an event."""

    code = "append_only"
    status = 409
    sentence = "The event log is append-only."


class InvalidSetting(ChatError):
    code = "invalid_setting"
    status = 500
    sentence = "A setting has a value that cannot be used."
