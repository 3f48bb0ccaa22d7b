"""Connections and their watches: leases that every process can read.

A row is other processes' view of a stream. The owner flushes cursors into it in batches.
Commands that land elsewhere leave an order in it. Truth about events is the log alone.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from sessions.models import Session


class Connection(models.Model):
    """One open stream. Its id is new for each stream and known to its own client alone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="connections"
    )
    # The process that holds the socket: host, pid and a random part.
    process = models.CharField(max_length=120)
    user_agent = models.CharField(max_length=200, blank=True)
    # Digests of its token or log-in (access.credentials): the stream ends when that is revoked.
    credential = models.CharField(max_length=140, blank=True)
    opened_at = models.DateTimeField()
    # Renewed by the owning process; a row that is not renewed for LEASE_S is reaped.
    last_seen_at = models.DateTimeField()
    # When its reader last took a ping, null: not yet. The process also renews rows without one.
    pinged_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    close_reason = models.CharField(max_length=32, blank=True)
    # Shown by the last `switch`, so that the next one knows which session to leave.
    shown = models.ForeignKey(
        Session, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # Nonces that wait to come back over the stream.
    probes = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["-opened_at"]
        indexes = [
            models.Index(
                fields=["process"], condition=Q(closed_at__isnull=True), name="connection_open"
            ),
            models.Index(
                fields=["user"], condition=Q(closed_at__isnull=True), name="connection_of_user"
            ),
            models.Index(
                fields=["closed_at"],
                condition=Q(closed_at__isnull=False),
                name="connection_closed",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Watch(models.Model):
    """A connection's subscription to one session.

    The owner of the stream writes the cursors and counters. Any process may leave an order by
    raising order_version. The owner carries the newest order out and sets done_version to it.
    """

    class Order(models.TextChoices):
        """The work that the owner is asked for."""

        WATCH = "watch"
        UNWATCH = "unwatch"
        RESUME = "resume"
        RECONNECT = "reconnect"
        SYNC = "sync"
        RESYNC = "resync"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="watches")
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="watches")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    # The client has told that it is in the background.
    background = models.BooleanField(default=False)

    # null until the first catch-up is done.
    cursor_sent = models.BigIntegerField(null=True, blank=True)
    cursor_acked = models.BigIntegerField(default=0)
    replayed = models.BigIntegerField(default=0)
    skipped = models.BigIntegerField(default=0)
    # The last action of the stream itself.
    last_decision = models.CharField(max_length=100, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    # The last decision of periodic sync, and its time; transport.sync.rounds writes them.
    sync_decision = models.CharField(max_length=32, blank=True)
    synced_at = models.DateTimeField(null=True, blank=True)

    order = models.CharField(max_length=16, choices=Order.choices, default=Order.WATCH)
    order_cursor = models.BigIntegerField(null=True, blank=True)
    # Of periodic sync: how far to go, and the gap that it skips at.
    order_upto = models.BigIntegerField(null=True, blank=True)
    order_max_gap = models.BigIntegerField(null=True, blank=True)
    order_version = models.BigIntegerField(default=1)
    done_version = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["connection", "opened_at"]
        verbose_name = "delivery"
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["connection", "session"], name="watch_once"),
            models.CheckConstraint(
                condition=Q(done_version__lte=F("order_version")), name="watch_done_was_ordered"
            ),
            models.CheckConstraint(
                condition=Q(cursor_acked__gte=0, replayed__gte=0, skipped__gte=0),
                name="watch_counts_positive",
            ),
        ]
        indexes = [
            models.Index(
                fields=["session"], condition=Q(closed_at__isnull=True), name="watch_open"
            ),
            models.Index(
                fields=["connection"],
                condition=Q(order_version__gt=F("done_version")),
                name="watch_ordered",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} watches {self.session_id}"


class SyncLock(models.Model):
    """The one active periodic sync; another copy takes over when `held_until` has passed."""

    name = models.CharField(primary_key=True, max_length=32)
    holder = models.CharField(max_length=120, blank=True)
    held_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"
