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
    """A prompt as its sender knows it. seqs: those of all its receipts."""

    client_msg_id: str
    session_id: str | None
    text: str
    state: str = "queued"
    code: str = ""
    seqs: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Interrupt:
    """An interrupt that was answered. asked_at: seconds since the epoch."""

    session_id: str
    took_s: float
    status: int
    asked_at: float = 0.0


@dataclass(slots=True)
class Record:
    """One device's record. may_see: its sessions; a stranger's are empty."""

    device: str
    user: str
    connections: list[Connection] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    prompts: dict[str, SentPrompt] = field(default_factory=dict)
    interrupts: list[Interrupt] = field(default_factory=list)
    # Answers that a stranger got, by command.
    refusals: list[tuple[str, int]] = field(default_factory=list)
    # What a person reads on the page at the end, by session: (prompt or answer, its text).
    shown: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    # What scripts of the page raised.
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


@dataclass(slots=True)
class Evidence:
    """Everything about one run. commands: the prompts' rows, as of database.dump."""

    records: list[Record]
    sessions: dict[str, SessionEvidence]
    commands: list[Json]
    max_replay_gap: int
    interrupt_limit_s: float
    memory_limit_mb: float = 1000.0
    faults: dict[str, int] = field(default_factory=dict)
    deaths: list[str] = field(default_factory=list)
    # What was not quiet when it should have been, in words.
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
