"""Registers the sessions app."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.contrib.auth.signals import user_logged_in
from django.core import checks
from prometheus_client import REGISTRY


class SessionsConfig(AppConfig):
    """The chat sessions; the label leaves "sessions" to django.contrib.sessions."""

    name = "sessions"
    label = "chat_sessions"
    verbose_name = "Chat sessions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Count commits, offer the values that only the database knows, list log-ins."""
        from sessions.access.acts import log_ins, passwords  # noqa: PLC0415 (models load after)
        from sessions.access.login import devices  # noqa: PLC0415 (models load after the apps)
        from sessions.core.hardening import files as private_files  # noqa: PLC0415 (settings load before the apps)
        from sessions.eventlog import store  # noqa: PLC0415 (models load after the apps)
        from sessions.web import monitoring  # noqa: PLC0415

        checks.register(private_files.check, deploy=True)
        store.committed.connect(monitoring.count_commit, dispatch_uid="metrics")
        user_logged_in.connect(devices.note_log_in, dispatch_uid="log-ins of a user")
        log_ins.connect()  # behind the row of the log-in, which makes its key
        passwords.connect()
        REGISTRY.register(monitoring.DatabaseGauges())


class AdminOfAccounts(AdminConfig):
    """Django's admin, on a site with the account's own rules."""

    default_site = "sessions.access.admin_site.Admin"
