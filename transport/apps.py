"""Registers the transport app."""

from django.apps import AppConfig


class TransportConfig(AppConfig):
    """Streams, commands and periodic sync."""

    name = "transport"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Publish to a GRIP proxy, where one is configured."""
        from transport.eventstream import connect_grip  # noqa: PLC0415 (needs the models)

        connect_grip()
