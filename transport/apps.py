"""Registers the transport app."""

from django.apps import AppConfig


class TransportConfig(AppConfig):
    """Streams, commands and periodic sync."""

    name = "transport"
    default_auto_field = "django.db.models.BigAutoField"
