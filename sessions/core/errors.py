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

    def __init__(self, message: str | None = None, *, field: str = "", **facts: Any) -> None:
        """field: the one that is at fault; the message is its fault then."""
        if field:
            facts["fields"] = {field: message or self.sentence}
        super().__init__(message, **facts)


class Unauthenticated(ChatError):
    code = "unauthenticated"
    status = 401
    sentence = "Log in first."


class OriginKeyMissing(Unauthenticated):
    code = "origin_key_missing"
    sentence = "This page has no key of the log-in. Log in here again."


class SecondFactorRequired(ChatError):
    code = "second_factor_required"
    status = 403
    sentence = "This server requires a second factor. Open your account page."


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


class StorageReadOnly(ChatError):
    code = "storage_read_only"
    status = 503
    sentence = "The database of the server is read-only: nothing can be stored."


class OutOfResources(ChatError):
    """The process has no memory or no descriptor left."""

    code = "out_of_resources"
    status = 503
    sentence = "The server has no memory or no open files left: try again in a while."


class RateLimited(ChatError):
    code = "rate_limited"
    status = 429
    sentence = "Too many prompts: wait a little."


class TooManyRequests(ChatError):
    code = "too_many_requests"
    status = 429
    sentence = "Too many requests: wait a little."


class TooManyPrompts(ChatError):
    code = "too_many_prompts"
    status = 429
    sentence = "Too many prompts wait in this session."


class UnknownPrompt(ChatError):
    code = "unknown_prompt"
    status = 404
    sentence = "The session has no such prompt."


class Dispatched(ChatError):
    """The prompt has left the queue: it was handed over, or withdrawn."""

    code = "dispatched"
    status = 409
    sentence = "The prompt does not wait any more: nothing was changed."


class VersionConflict(ChatError):
    code = "version_conflict"
    status = 409
    sentence = "The prompt was edited on another device: read it again."


class DraftConflict(ChatError):
    code = "version_conflict"
    status = 409
    sentence = "The draft was changed on another device: this is its text now."


class StillRunning(ChatError):
    code = "still_running"
    status = 409
    sentence = "The agent of this chat has not ended yet: try again."


class TooManyPins(ChatError):
    code = "too_many_pins"
    status = 409
    sentence = "Too many chats are pinned: unpin one first."


class TooManyComments(ChatError):
    code = "too_many_comments"
    status = 409
    sentence = "Too many comments wait in this chat: send them first."


class NothingToName(ChatError):
    code = "nothing_to_name"
    status = 409
    sentence = "Nothing was said in this chat yet that could name it."


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


class UnknownToken(ChatError):
    code = "unknown_token"
    status = 404
    sentence = "There is no such token."


class UnknownRule(ChatError):
    code = "unknown_rule"
    status = 404
    sentence = "There is no such rule."


class TooManyRules(ChatError):
    code = "too_many_rules"
    status = 409
    sentence = "You have too many rules: delete some first."


class UnknownProject(ChatError):
    code = "unknown_project"
    status = 404
    sentence = "There is no such project."


class TooManyProjects(ChatError):
    code = "too_many_projects"
    status = 409
    sentence = "You have too many projects: delete some first."


class ConfirmationRequired(ChatError):
    code = "confirmation_required"
    status = 403
    sentence = "Confirm on the account page that it is you, then try again."


class ScopeMissing(ChatError):
    code = "scope_missing"
    status = 403
    sentence = "The token may not do this."


class DigestRequired(ChatError):
    code = "digest_required"
    status = 400
    sentence = "The answer does not name the request that was shown. Reload the page."


class StaleRequest(ChatError):
    code = "stale_request"
    status = 409
    sentence = "The request is not the one that was shown. Read it again and decide."


class QuestionAnswered(ChatError):
    code = "question_answered"
    status = 409
    sentence = "This question was already answered."


class UnknownQuestion(ChatError):
    code = "unknown_question"
    status = 404
    sentence = "There is no such question."


class UnknownOption(ChatError):
    code = "unknown_option"
    status = 409
    sentence = "The agent does not offer this setting."


class UnknownBlob(ChatError):
    code = "unknown_blob"
    status = 404
    sentence = "There is no such file."


class BlobsFull(ChatError):
    code = "blobs_full"
    status = 507
    sentence = "The images and files of your chats take all the room that they may."


class QuotaReached(ChatError):
    code = "quota"
    status = 507
    sentence = "Your images and files take all the room that they may."


class BlobTooLarge(ChatError):
    code = "blob_too_large"
    status = 413
    sentence = "The file is too large."


class DigestMismatch(ChatError):
    code = "digest_mismatch"
    status = 400
    sentence = "The bytes are not those of the name: upload them again."


class RangeMismatch(ChatError):
    code = "range_mismatch"
    status = 409
    sentence = "The bytes before this piece are missing."


class UnknownBlock(ChatError):
    code = "unknown_block"
    status = 404
    sentence = "The session has no such text."


class UnknownMode(ChatError):
    code = "unknown_mode"
    status = 409
    sentence = "The agent does not offer this mode."


class UnknownChat(ChatError):
    code = "unknown_chat"
    status = 404
    sentence = "The agent knows no such chat in this folder."


class OpenElsewhere(ChatError):
    """A chat that a program outside of Backstay may be writing."""

    code = "open_elsewhere"
    status = 409
    sentence = "This chat is open in a terminal: leave it there, then it continues here."


class FolderRefused(ChatError):
    code = "folder_refused"
    status = 400
    sentence = "Sessions may not work in this folder."


class FolderExists(ChatError):
    code = "folder_exists"
    status = 409
    sentence = "There is something under this name already."


class WorktreeRefused(ChatError):
    code = "worktree_refused"
    status = 400
    sentence = "No worktree can be made for this chat."


class WorktreeConflict(ChatError):
    code = "worktree_conflict"
    status = 409
    sentence = "The worktree cannot be ended like this."


class UnknownWorktree(ChatError):
    code = "unknown_worktree"
    status = 404
    sentence = "This chat has no worktree."


class CloneRefused(ChatError):
    code = "clone_refused"
    status = 400
    sentence = "This address cannot be cloned."


class UnknownClone(ChatError):
    code = "unknown_clone"
    status = 404
    sentence = "There is no such clone."


class UnknownFile(ChatError):
    code = "unknown_file"
    status = 404
    sentence = "The chat's folder has no such file."


class FileRefused(ChatError):
    code = "file_refused"
    status = 400
    sentence = "This path leads out of the chat's folder."


class ContentNotKept(ChatError):
    code = "content_not_kept"
    status = 409
    sentence = "The earlier content of this file was not kept."


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
