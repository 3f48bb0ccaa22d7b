"""The rows: sessions, their append-only events, and the projection of these."""

from __future__ import annotations

import uuid
from typing import Any, Final, NoReturn
from uuid import UUID

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

# Django finds models in here.
from sessions import agent_models, personal_models  # noqa: F401
from sessions.account_models import Project
from sessions.core.errors import AppendOnly, UnknownSession
from sessions.core.states import LIVE_STATES, RunState, SessionState

MAX_TITLE_CHARS: Final = 200  # a longer title is cut where it is given, or refused
MAX_MODE_CHARS: Final = 64


def _choices(values: Any) -> list[tuple[str, str]]:
    return [(value.value, value.value) for value in values]


class SessionQuerySet(models.QuerySet["Session"]):
    """Reading begins with the owner: another user's session does not exist (I11)."""

    def visible_to(self, user: AbstractBaseUser) -> SessionQuerySet:
        """Return the sessions that user may read and steer: their own, archived ones too."""
        return self.filter(owner_id=user.pk)

    def find(self, user: AbstractBaseUser, session_id: UUID) -> Session:
        """Return a session of user, without its large columns. Raises UnknownSession.

        Open requests make `live` megabytes long: it is read where it is needed first.
        """
        session = self.visible_to(user).defer("live", "offers").filter(pk=session_id).first()
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
    project = models.ForeignKey(
        Project, on_delete=models.SET_NULL, null=True, blank=True, related_name="chats"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    # Seconds that its requests wait for a person; null: as the server says, 0: until answered.
    wait_s = models.PositiveIntegerField(null=True, blank=True)
    # Settings that persons chose: its agent gets them at each start.
    chosen = models.JSONField(default=dict, blank=True)
    # A person closed it: it ends when all its prompts are done, also after a restart.
    closes_when_done = models.BooleanField(default=False)

    head_seq = models.BigIntegerField(default=0)
    last_activity_at = models.DateTimeField(auto_now_add=True)
    title = models.CharField(max_length=MAX_TITLE_CHARS, blank=True)
    mode = models.CharField(max_length=MAX_MODE_CHARS, blank=True)
    state = models.CharField(
        max_length=16, choices=_choices(SessionState), default=SessionState.CREATED
    )
    run_state = models.CharField(max_length=16, choices=_choices(RunState), default=RunState.IDLE)
    # The fold's state besides messages, and more: see sessions.eventlog.projection.
    live = models.JSONField(default=dict, blank=True)
    # The agent's options and commands: kilobytes, apart from the columns that every append writes.
    offers = models.JSONField(default=dict, blank=True)
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


class Worktree(models.Model):
    """The git worktree that a session works in, in its own folder: sessions.control.worktrees."""

    class State(models.TextChoices):
        """Its way: each step is stored before the next one begins."""

        WANTED = "wanted"
        MAKING = "making"
        MADE = "made"
        READY = "ready"
        ENDING = "ending"
        MERGED = "merged"
        KEPT = "kept"
        DISCARDED = "discarded"

    session = models.OneToOneField(
        Session, on_delete=models.CASCADE, primary_key=True, related_name="worktree"
    )
    # The folder of the repository, and the branch that was checked out there.
    repository = models.CharField(max_length=1024)
    target = models.CharField(max_length=200, blank=True)
    branch = models.CharField(max_length=200)
    # Whether the branch was made for it, from another branch or a commit; "" for HEAD.
    is_new = models.BooleanField(default=True)
    start = models.CharField(max_length=200, blank=True)
    base = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.WANTED)

    def __str__(self) -> str:
        return f"{self.branch} ({self.state})"


class AppendOnlyQuerySet(models.QuerySet[Any]):
    """Rows that are read and appended. One module each appends and prunes them."""

    def update(self, **_: Any) -> NoReturn:
        """Refuse: a row never changes."""
        raise AppendOnly

    def bulk_update(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: a row never changes."""
        raise AppendOnly

    def delete(self) -> NoReturn:
        """Refuse: only the module of the rows prunes."""
        raise AppendOnly


class Appended(models.Model):
    """A row that never changes. A database trigger refuses every update."""

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert; refuse to change a stored row."""
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **kwargs)

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: only the module of the rows prunes."""
        raise AppendOnly


class Event(Appended):
    """One entry of a session's log. sessions.eventlog.store alone appends and prunes."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="events")
    seq = models.BigIntegerField()
    type = models.CharField(max_length=32)
    ts = models.DateTimeField()
    payload = models.JSONField()

    class Meta:
        ordering = ["session", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["session", "seq"], name="event_seq_once"),
            models.CheckConstraint(condition=Q(seq__gt=0), name="event_seq_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.type}"


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


class SearchIndex(models.Model):
    """The state of the search's index, in one row: sessions.search."""

    is_whole = models.BooleanField(default=False)
    # The last message of before the index that is in it.
    filled_to = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return "whole" if self.is_whole else f"filled to {self.filled_to}"


class PromptQuerySet(models.QuerySet["Prompt"]):
    """Prompts by their way: accepted, then dispatched, then over."""

    def waiting(self) -> PromptQuerySet:
        """Return the prompts that no agent has had."""
        return self.filter(state=Prompt.State.ACCEPTED)

    def open(self) -> PromptQuerySet:
        """Return the prompts that wait or run."""
        return self.filter(state__in=Prompt.OPEN)

    def in_order(self) -> PromptQuerySet:
        """Return them in the order in which they run."""
        return self.order_by(Coalesce("place", "seq"))


class Prompt(models.Model):
    """A prompt that was admitted: its receipt, and its state."""

    class State(models.TextChoices):
        """The state of a prompt."""

        ACCEPTED = "accepted"
        DISPATCHED = "dispatched"
        DONE = "done"
        INTERRUPTED = "interrupted"
        FAILED = "failed"
        WITHDRAWN = "withdrawn"

    # A prompt that waits or runs.
    OPEN: Final = (State.ACCEPTED, State.DISPATCHED)

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    client_msg_id = models.CharField(max_length=100)
    # SHA-256 of the request's meaning: the same id with another body is a conflict.
    fingerprint = models.CharField(max_length=64)
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="prompts")
    seq = models.BigIntegerField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.ACCEPTED)
    # Its place among those that wait, where a person has moved it; null: its seq.
    place = models.BigIntegerField(null=True, blank=True)
    # Of the text: each edit counts one up.
    version = models.PositiveIntegerField(default=1, db_default=1)
    turn_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    dispatched_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = PromptQuerySet.as_manager()

    class Meta:
        # The table keeps its older name: servers of both versions may run during an upgrade.
        db_table = "chat_sessions_command"
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


class Blob(models.Model):
    """Bytes on the disk, by their SHA-256: sessions.eventlog.blobs."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    size = models.BigIntegerField()
    # The last time at which they were stored: an event that names them follows.
    stored_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.sha256


class BlobName(models.Model):
    """A blob that an event of a session names; written in the transaction of the event."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="blobs")
    sha256 = models.CharField(max_length=64, db_index=True)
    mime = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "sha256"], name="blob_named_once"),
        ]

    def __str__(self) -> str:
        return f"{self.sha256} of {self.session_id}"


class BlobUpload(models.Model):
    """A blob that a user has uploaded: they may read it, and name it in a prompt."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    sha256 = models.CharField(max_length=64, db_index=True)
    mime = models.CharField(max_length=300, blank=True)
    stored_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "sha256"], name="upload_once")]

    def __str__(self) -> str:
        return f"{self.sha256} by {self.user_id}"


class Rule(models.Model):
    """An answer to permission requests that its owner has given in advance: sessions.rules."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="rules"
    )
    scope = models.CharField(max_length=16)
    effect = models.CharField(max_length=8)
    kind = models.CharField(max_length=16)
    pattern = models.CharField(max_length=300)
    # The chat, the folder or the agent that the scope is about; each alone.
    session = models.ForeignKey(
        Session, on_delete=models.CASCADE, null=True, blank=True, related_name="rules"
    )
    folder = models.CharField(max_length=1024, blank=True)
    agent = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.effect} {self.kind} {self.pattern}"


class Restore(models.Model):
    """The journal of a restore that has begun and not ended: sessions.control.back.restores."""

    session = models.OneToOneField(Session, on_delete=models.CASCADE, related_name="restore")
    to = models.BigIntegerField()
    by = models.CharField(max_length=150)
    # Names of checkpoints: the one that is wanted, and the state before; its name in a sentence.
    wanted = models.CharField(max_length=64)
    present = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    token = models.CharField(max_length=32)

    def __str__(self) -> str:
        return f"restore of {self.session_id}"


class AuditEntry(Appended):
    """One act that an operator may have to explain; sessions.trail alone appends and prunes.

    Names and not keys: an entry outlives the account, the token and the session that it tells of.
    """

    at = models.DateTimeField(db_index=True)
    act = models.CharField(max_length=32)
    who = models.CharField(max_length=150, blank=True)
    about = models.CharField(max_length=200, blank=True)
    address = models.CharField(max_length=64, blank=True)
    # As of sessions.core.source.
    credential = models.CharField(max_length=64, blank=True)
    credential_name = models.CharField(max_length=100, blank=True)
    connection = models.CharField(max_length=64, blank=True)
    facts = models.JSONField(default=dict)

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.act} {self.who}"
