"""The rows: sessions, their append-only events, and the projection of these."""

from __future__ import annotations

import uuid
from typing import Any, Final, NoReturn
from uuid import UUID

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import Q

from sessions.core.errors import AppendOnly, UnknownSession
from sessions.core.states import LIVE_STATES, RunState, SessionState

# The longest title of a session; a longer one is cut where it is given, or refused.
MAX_TITLE_CHARS: Final = 200


def _choices(values: Any) -> list[tuple[str, str]]:
    return [(value.value, value.value) for value in values]


class SessionQuerySet(models.QuerySet["Session"]):
    """Reading begins with the owner: another user's session does not exist (I11)."""

    def visible_to(self, user: AbstractBaseUser) -> SessionQuerySet:
        """Return the sessions that user may read and steer: their own, archived ones too."""
        return self.filter(owner_id=user.pk)

    def find(self, user: AbstractBaseUser, session_id: UUID) -> Session:
        """Return a session of user. Raises UnknownSession, for another's too."""
        session = self.visible_to(user).filter(pk=session_id).first()
        if session is None:
            raise UnknownSession(sessionId=str(session_id))
        return session


class Session(models.Model):
    """One conversation with one agent, owned by one user.

    Columns from head_seq to live are the fold of the log at head_seq; only eventlog.store
    writes them.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="chat_sessions"
    )
    agent = models.CharField(max_length=64)
    cwd = models.CharField(max_length=1024, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    # A person closed it: it ends when all its prompts are done, also after a restart.
    closes_when_done = models.BooleanField(default=False)

    head_seq = models.BigIntegerField(default=0)
    last_activity_at = models.DateTimeField(auto_now_add=True)
    title = models.CharField(max_length=MAX_TITLE_CHARS, blank=True)
    mode = models.CharField(max_length=64, blank=True)
    state = models.CharField(
        max_length=16, choices=_choices(SessionState), default=SessionState.CREATED
    )
    run_state = models.CharField(max_length=16, choices=_choices(RunState), default=RunState.IDLE)
    # The fold's state besides messages: modes, permissions, turn, usage; and
    # currentSeq and agentCostUsd: see sessions.eventlog.projection.
    live = models.JSONField(default=dict, blank=True)
    # The highest seq below which deltas may be missing; 0 while the log is whole.
    pruned_to = models.BigIntegerField(default=0)

    # The lease of the runner that owns the agent; the epoch fences off a late one.
    runner_id = models.CharField(max_length=64, blank=True)
    lease_epoch = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    agent_session_id = models.CharField(max_length=256, blank=True)

    # Watchers over all processes, as transport last counted them.
    foreground = models.PositiveIntegerField(default=0)
    background = models.PositiveIntegerField(default=0)
    # The moment at which the last watcher left the foreground; null while there is one.
    unwatched_since = models.DateTimeField(null=True, blank=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        ordering = ["-last_activity_at"]
        indexes = [
            models.Index(fields=["owner", "-last_activity_at"], name="session_of_owner"),
            models.Index(
                fields=["lease_until"],
                condition=Q(state__in=sorted(LIVE_STATES)),
                name="session_live_lease",
            ),
        ]

    def __str__(self) -> str:
        return self.title or f"Session {self.id}"


class EventQuerySet(models.QuerySet["Event"]):
    """Events are read and appended; sessions.eventlog.store alone appends and prunes."""

    def update(self, **_: Any) -> NoReturn:
        """Refuse: an event never changes."""
        raise AppendOnly

    def bulk_update(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: an event never changes."""
        raise AppendOnly

    def delete(self) -> NoReturn:
        """Refuse: only sessions.eventlog.store prunes."""
        raise AppendOnly


class Event(models.Model):
    """One entry of a session's log. A database trigger refuses every update."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="events")
    seq = models.BigIntegerField()
    type = models.CharField(max_length=32)
    ts = models.DateTimeField()
    payload = models.JSONField()

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["session", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["session", "seq"], name="event_seq_once"),
            models.CheckConstraint(condition=Q(seq__gt=0), name="event_seq_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.type}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert; refuse to change a stored row."""
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **kwargs)

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: only sessions.eventlog.store prunes."""
        raise AppendOnly


class Message(models.Model):
    """A finished message of the transcript, projected from events in the append's transaction."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="messages")
    message_id = models.CharField(max_length=64)
    seq = models.BigIntegerField()
    role = models.CharField(max_length=16)
    turn_id = models.CharField(max_length=64, blank=True)
    client_msg_id = models.CharField(max_length=100, blank=True)
    # The text that a search looks in: the prompt, or the text blocks of an answer.
    text = models.TextField(blank=True)
    # The Message object of docs/reference/events.md#the-snapshot.
    data = models.JSONField()

    class Meta:
        ordering = ["session", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["session", "seq"], name="message_seq_once"),
        ]
        indexes = [
            models.Index(fields=["session", "turn_id"], name="message_of_turn"),
            models.Index(fields=["session", "client_msg_id"], name="message_of_prompt"),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.seq}"


class CommandQuerySet(models.QuerySet["Command"]):
    """Prompts by their way: accepted, then dispatched, then over."""

    def waiting(self) -> CommandQuerySet:
        """Return the prompts that no agent has had."""
        return self.filter(state=Command.State.ACCEPTED)

    def open(self) -> CommandQuerySet:
        """Return the prompts that wait or run."""
        return self.filter(state__in=Command.OPEN)


class Command(models.Model):
    """A prompt that was admitted: its receipt, and its state."""

    class State(models.TextChoices):
        """The state of a prompt."""

        ACCEPTED = "accepted"
        DISPATCHED = "dispatched"
        DONE = "done"
        INTERRUPTED = "interrupted"
        FAILED = "failed"

    # A prompt that waits or runs.
    OPEN: Final = (State.ACCEPTED, State.DISPATCHED)

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    client_msg_id = models.CharField(max_length=100)
    # SHA-256 of the request's meaning: the same id with another body is a conflict.
    fingerprint = models.CharField(max_length=64)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="commands")
    seq = models.BigIntegerField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.ACCEPTED)
    turn_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    dispatched_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = CommandQuerySet.as_manager()

    class Meta:
        ordering = ["session", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "client_msg_id"], name="prompt_once"),
        ]
        indexes = [
            models.Index(fields=["owner", "created_at"], name="prompt_rate"),
            models.Index(
                fields=["session", "seq"],
                condition=Q(state__in=["accepted", "dispatched"]),
                name="prompt_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.client_msg_id} ({self.state})"


class ApiToken(models.Model):
    """A bearer token for scripts; only its digest is stored."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    name = models.CharField(max_length=100, blank=True)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name or f"token {self.pk}"


class LoginLink(models.Model):
    """The one-time link of a user; only its digest is stored, and using it deletes the row."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="login_link"
    )
    digest = models.CharField(max_length=64, unique=True)
    # Digest of the password's hash when the link was made: another password ends the link.
    password = models.CharField(max_length=64)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"link {self.pk}"


class LoginThrottle(models.Model):
    """Attempts to log in that were counted under one key since its window began."""

    key = models.CharField(max_length=64, unique=True)
    attempts = models.PositiveIntegerField(default=0)
    resets_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.attempts} until {self.resets_at:%H:%M}"
