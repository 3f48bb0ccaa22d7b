"""Registers the sessions app."""

from django.apps import AppConfig
from prometheus_client import REGISTRY


class SessionsConfig(AppConfig):
    """The chat sessions; the label leaves "sessions" to django.contrib.sessions."""

    name = "sessions"
    label = "chat_sessions"
    verbose_name = "Chat sessions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Count commits, and offer the values that only the database knows."""
        from sessions.eventlog import store  # noqa: PLC0415 (models load after the apps)
        from sessions.web import monitoring  # noqa: PLC0415

        store.committed.connect(monitoring.count_commit, dispatch_uid="metrics")
        REGISTRY.register(monitoring.DatabaseGauges())
