"""Registers the sessions app."""

from django.apps import AppConfig


class SessionsConfig(AppConfig):
    """The chat sessions; the label leaves "sessions" to django.contrib.sessions."""

    name = "sessions"
    label = "chat_sessions"
    verbose_name = "Chat sessions"
    default_auto_field = "django.db.models.BigAutoField"
