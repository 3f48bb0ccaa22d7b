"""The rows about agents: settings on offer, the choices of persons, chats from outside."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class AgentOffer(models.Model):
    """The modes and settings that an agent had at its last start on this server."""

    agent = models.CharField(max_length=64, unique=True)
    modes = models.JSONField(default=list)
    options = models.JSONField(default=list)
    offered_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.agent


class AgentLogIn(models.Model):
    """A log-in that an agent wants before it answers. account: the system user that it runs as."""

    agent = models.CharField(max_length=64)
    account = models.CharField(max_length=64)
    since = models.DateTimeField()
    # As agents.ways.Shown.
    ways = models.JSONField(default=list)
    # It opened a session, and wanted the log-in for a prompt.
    at_prompt = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "account"], name="agent_log_in_once")
        ]

    def __str__(self) -> str:
        return f"{self.agent} as {self.account}"


class AgentChoice(models.Model):
    """The settings that a person chose last for an agent, outside of projects."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="agent_choices"
    )
    agent = models.CharField(max_length=64)
    options = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "agent"], name="choice_once")]

    def __str__(self) -> str:
        return self.agent


class ImportedChat(models.Model):
    """A chat that began outside of Backstay, and the session that continues it."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    agent = models.CharField(max_length=64)
    agent_session_id = models.CharField(max_length=256)
    session = models.OneToOneField(
        "chat_sessions.Session", on_delete=models.PROTECT, related_name="imported_chat"
    )
    # Of the agent's own, as far as it told it at the import.
    changed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "agent", "agent_session_id"], name="chat_imported_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent} {self.agent_session_id}"


class McpServer(models.Model):
    """A server of tools for the agents of its owner, in all chats or in those of a project."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mcp_servers"
    )
    project = models.ForeignKey(
        "chat_sessions.Project", on_delete=models.CASCADE, null=True, blank=True
    )
    name = models.CharField(max_length=64)
    kind = models.CharField(max_length=8)
    command = models.CharField(max_length=1024, blank=True)
    args = models.JSONField(default=list, blank=True)
    url = models.CharField(max_length=2000, blank=True)
    # The names of its headers or variables; their values are in secret, sealed.
    names = models.JSONField(default=list, blank=True)
    secret = models.TextField(blank=True)
    # At its trial.
    tools = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "project", "name"], nulls_distinct=False, name="mcp_server_once"
            )
        ]

    def __str__(self) -> str:
        return self.name
