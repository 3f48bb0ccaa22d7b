"""The reasons for which a chat does not go back."""

from __future__ import annotations

from sessions.core.errors import ChatError


class TurnRunning(ChatError):
    """A turn runs, or a prompt waits."""

    code = "turn_running"
    status = 409
    sentence = "The agent is at work. Stop it, or wait for its answer, and go back then."


class UnknownMessage(ChatError):
    """The place is no prompt, and no earlier return."""

    code = "unknown_message"
    status = 404
    sentence = "The chat has no such prompt."


class NoCheckpoint(ChatError):
    """No state of the folder stands before this prompt."""

    code = "no_checkpoint"
    status = 409
    sentence = "The state of the folder before this prompt was not kept."


class CheckpointGone(ChatError):
    """The state was removed, as one of too many."""

    code = "checkpoint_gone"
    status = 409
    sentence = "The state of the folder before this prompt is not kept any more."


class CheckpointFailed(ChatError):
    """An undo would not work."""

    code = "checkpoint_failed"
    status = 409
    sentence = "The present state of the folder cannot be kept, so nothing was changed."


class RestoreRunning(ChatError):
    """Another request restores files of this folder."""

    code = "restore_running"
    status = 409
    sentence = "The files of this folder are being restored. Try again in a moment."


class RewindOvertaken(ChatError):
    """A prompt was sent since the messages were taken back."""

    code = "rewind_overtaken"
    status = 409
    sentence = "The chat has gone on since then: these messages can be read, but not shown again."


class TooManyRewinds(ChatError):
    """Each rewind that counts is a part of every snapshot."""

    code = "too_many_rewinds"
    status = 409
    sentence = "This chat was taken back too often. Continue in a fork of it."
