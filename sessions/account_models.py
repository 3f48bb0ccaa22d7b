"""The rows of accounts: tokens, one-time links, log-ins, second factors, projects."""

from __future__ import annotations

import uuid
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models

from sessions.core.errors import UnknownProject

MAX_PROJECT_NAME: Final = 100


class ApiToken(models.Model):
    """A bearer token for scripts; only its digest is stored."""

    class Scope(models.TextChoices):
        """The acts that a token allows; each includes those before it."""

        READ = "read", "read: lists, logs and streams"
        CHAT = "chat", "chat: prompts, decisions and folders too"
        ADMIN = "admin", "admin: tokens too"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    name = models.CharField(max_length=100, blank=True)
    digest = models.CharField(max_length=64, unique=True)
    scope = models.CharField(max_length=8, choices=Scope.choices, default=Scope.CHAT)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    # Null: without an end.
    expires_at = models.DateTimeField(null=True, blank=True)
    # Otherwise it ends when the account gets another password.
    outlives_password = models.BooleanField(default=False)

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


class SecondFactor(models.Model):
    """A proof beside the password: an authenticator app, a passkey, or one recovery code."""

    class Kind(models.TextChoices):
        """The kind of a proof."""

        APP = "app"
        PASSKEY = "passkey"
        RECOVERY = "recovery"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="second_factors"
    )
    kind = models.CharField(max_length=16, choices=Kind.choices)
    # One app of an account; a digest of a passkey's id, or of a recovery code.
    key = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=100, blank=True)
    # The encrypted secret of an app; the host and the public key of a passkey.
    data = models.TextField(blank=True)
    # The time step of an app's last code, a passkey's own count, 1 for a used recovery code.
    counter = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class BrowserLogin(models.Model):
    """A log-in by cookie, as its owner sees it in a list. `key` is as of the log-in store."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="browser_logins"
    )
    key = models.CharField(max_length=40, unique=True)
    user_agent = models.CharField(max_length=300, blank=True)
    address = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"log-in {self.pk}"


class ProjectQuerySet(models.QuerySet["Project"]):
    """Reading begins with the owner: another user's project does not exist."""

    def find(self, user: AbstractBaseUser, project_id: UUID) -> Project:
        """Return a project of user. Raises UnknownProject, for another's too."""
        project = self.filter(owner_id=user.pk, pk=project_id).first()
        if project is None:
            raise UnknownProject(projectId=str(project_id))
        return project


class Project(models.Model):
    """A folder that its owner works in, and the defaults of new chats there: sessions.projects."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="projects"
    )
    # As it was resolved when the project was made; each use checks it again.
    folder = models.CharField(max_length=1024)
    name = models.CharField(max_length=MAX_PROJECT_NAME)
    # Whether agents may run the folder's own hooks, plugins and MCP servers; null: not decided.
    trust = models.BooleanField(null=True, blank=True)
    # sessions.projects.defaults.Defaults; a field that is missing has its default.
    defaults = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    # The last time at which a chat began in it.
    used_at = models.DateTimeField(auto_now_add=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ["-used_at"]
        indexes = [models.Index(fields=["owner", "-used_at"], name="project_of_owner")]

    def __str__(self) -> str:
        return self.name
