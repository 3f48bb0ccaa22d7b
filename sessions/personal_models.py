"""The rows of a person's own things of a session: drafts, read marks, pins, comments on lines."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class Personal(models.Model):
    """A person's own things of one session: sessions.personal. Never in the log."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="personal"
    )
    session = models.ForeignKey(
        "chat_sessions.Session", on_delete=models.CASCADE, related_name="personal"
    )
    draft = models.TextField(blank=True)
    draft_version = models.BigIntegerField(default=0)
    # Counts the changes of the comments.
    comments_version = models.BigIntegerField(default=0)
    # The last seq that the person has seen, on any device.
    read_seq = models.BigIntegerField(default=0)
    pinned_at = models.DateTimeField(null=True, blank=True)
    # Counts the changes of the row: each is told to the other devices.
    version = models.BigIntegerField(default=0)
    changed_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name_plural = "personal rows"
        constraints = [
            models.UniqueConstraint(fields=["session", "user"], name="personal_once"),
        ]
        indexes = [
            models.Index(
                fields=["user", "pinned_at"],
                condition=Q(pinned_at__isnull=False),
                name="personal_pinned",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.session_id} of {self.user_id}"


class LineComment(models.Model):
    """A comment on a line that a person has not sent yet: sessions.personal.comments."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="line_comments"
    )
    session = models.ForeignKey(
        "chat_sessions.Session", on_delete=models.CASCADE, related_name="line_comments"
    )
    # The device that wrote it has made this id.
    name = models.CharField(max_length=64)
    path = models.TextField()
    line = models.PositiveBigIntegerField()
    # Whether the line stands in the text before the changes.
    is_old = models.BooleanField(default=False)
    quote = models.TextField(blank=True)
    text = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "user", "name"], name="line_comment_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.user_id} in {self.session_id}"
