"""The evidence of a run: every device's own record, and the log. Plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class Connection:
    """One connection as it came over the wire: the cursors it began with, then every frame.

    asked: cursors by session, None for a session watched without one. frames are whole.
    """

    asked: dict[str, int | None]
    frames: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class Life:
    """One client's applied frames, in order, from its start to its end: (seconds, frame).

    began: the cursors it was given, and the snapshots it held then.
    """

    began: dict[str, int | None]
    held: dict[str, Json] = field(default_factory=dict)
    applied: list[tuple[float, Json]] = field(default_factory=list)


@dataclass(slots=True)
class SentPrompt:
    """A prompt as its sender knows it. seqs: those of all its receipts; blobs: its files."""

    client_msg_id: str
    session_id: str | None
    text: str
    state: str = "queued"
    code: str = ""
    seqs: list[int] = field(default_factory=list)
    blobs: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class QueueChange:
    """A change of a waiting prompt that was accepted. text: None where it was taken back."""

    session_id: str
    client_msg_id: str
    text: str | None
    version: int = 0


@dataclass(slots=True)
class Interrupt:
    """An interrupt that was answered. asked_at: seconds since the epoch."""

    session_id: str
    took_s: float
    status: int
    asked_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A time in which a fault disturbed the connections of a device, "" for those of all.

    began, ended: seconds since the epoch.
    """

    device: str
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer to a request of an agent that was accepted; values: of a question."""

    request_id: str
    session_id: str
    values: Json | None = None


@dataclass(slots=True)
class Blobs:
    """The bytes that events name. kept: rows of the database; whole: files with their own name.

    damaged: files whose bytes have another name. after: rows and files that are left a day later.
    """

    kept: set[str] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)
    damaged: set[str] = field(default_factory=set)
    after: set[str] | None = None


@dataclass(slots=True)
class FolderEvidence:
    """The folder of a chat at the end. checkpoint: its state, "" where it cannot be kept.

    is_restoring: a journal of a restore is left. unfinished: files that a restore has left.
    """

    checkpoint: str = ""
    is_restoring: bool = False
    unfinished: list[str] = field(default_factory=list)


@dataclass(slots=True)
class RepositoryEvidence:
    """The repository of all worktrees, once each of them was removed by the product.

    refused: the worktrees that could not be. locks: files that would be in git's way. changed:
    files that are not as its branch has them. trees: worktrees that git still knows.
    branches: those of chats whose worktrees are gone. files: of its branch.
    """

    refused: list[str] = field(default_factory=list)
    locks: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    trees: list[str] = field(default_factory=list)
    branches: list[str] = field(default_factory=list)
    files: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Record:
    """One device's record. may_see: its sessions; a stranger's are empty."""

    device: str
    user: str
    connections: list[Connection] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    prompts: dict[str, SentPrompt] = field(default_factory=dict)
    interrupts: list[Interrupt] = field(default_factory=list)
    answers: list[GivenAnswer] = field(default_factory=list)
    queue_changes: list[QueueChange] = field(default_factory=list)
    # Answers that a stranger got, by command.
    refusals: list[tuple[str, int]] = field(default_factory=list)
    # The text on the page at the end, by session: (prompt or answer, its text).
    shown: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    # Errors that scripts of the page raised.
    errors: list[str] = field(default_factory=list)


@dataclass(slots=True)
class SessionEvidence:
    """One session as the database has it. messages: the projection; snapshot: taken at the end."""

    owner: str
    head: int
    events: list[Json]
    messages: list[Json]
    snapshot: Json
    state: str = "ENDED"
    is_live: bool = False
    has_owner: bool = False
    # Lines that prompts wrote into their session's folder: an effect outside of the log.
    effects: list[str] = field(default_factory=list)
    folder: FolderEvidence = field(default_factory=FolderEvidence)


@dataclass(slots=True)
class Evidence:
    """Everything about one run. prompts: their rows, as of database.dump."""

    records: list[Record]
    sessions: dict[str, SessionEvidence]
    prompts: list[Json]
    max_replay_gap: int
    interrupt_limit_s: float
    blobs: Blobs = field(default_factory=Blobs)
    repository: RepositoryEvidence = field(default_factory=RepositoryEvidence)
    # Of every user, by name: the rules that answer in their place.
    rules: dict[str, list[int]] = field(default_factory=dict)
    memory_limit_mb: float = 1000.0
    faults: dict[str, int] = field(default_factory=dict)
    disturbances: list[Disturbance] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    # Parts that were not quiet when they should have been, in words.
    restless: list[str] = field(default_factory=list)
    memory_mb: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise, and the evidence: device, session, seqs."""

    rule: str
    what: str
    device: str = ""
    session_id: str = ""
    seqs: tuple[int, ...] = ()

    def __str__(self) -> str:
        where = [
            self.device and f"device {self.device}",
            self.session_id and f"session {self.session_id}",
            self.seqs and f"seqs {_shortened(self.seqs)}",
        ]
        return f"{self.rule}: {self.what} ({', '.join(part for part in where if part) or 'run'})"


def seconds(ts: str) -> float:
    """Return an event's time as seconds since the epoch."""
    return datetime.fromisoformat(ts).timestamp()


def _shortened(seqs: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, seqs[:8]))
    return shown if len(seqs) <= 8 else f"{shown} and {len(seqs) - 8} more"
