"""Refusals about a repository."""

from __future__ import annotations

from sessions.core.errors import ChatError


class HunkChanged(ChatError):
    code = "hunk_changed"
    status = 409
    sentence = "This part of the file has changed meanwhile: look at it again."


class RepositoryBusy(ChatError):
    code = "repository_busy"
    status = 409
    sentence = "Another git works in this repository: try again."


class NothingStaged(ChatError):
    code = "nothing_staged"
    status = 409
    sentence = "Nothing is staged."


class NoRepository(ChatError):
    code = "no_repository"
    status = 409
    sentence = "The chat's folder is in no git repository that the server can read."


class FileFiltered(ChatError):
    code = "file_filtered"
    status = 409
    sentence = "A filter of the repository makes this file, and the server runs none."
