"""Registers the transport app."""

from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_out
from django.db import DatabaseError
from django.http import HttpRequest

from sessions.core import storage


class TransportConfig(AppConfig):
    """Streams, commands and periodic sync."""

    name = "transport"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Publish to a GRIP proxy, where one is configured; end streams with their log-in."""
        # Both need the models.
        from transport.feed.grip import connect_grip  # noqa: PLC0415
        from transport.rows import closing, presence  # noqa: PLC0415

        connect_grip()

        def logged_out(request: HttpRequest | None, **_: Any) -> None:
            key = getattr(getattr(request, "session", None), "session_key", None)
            if not key:
                return
            try:
                presence.refresh(closing.close_of_login(key))
            except (DatabaseError, MemoryError) as exc:
                # The log-in has ended all the same: the renewal of its streams finds that.
                if storage.refusal(exc) is None:
                    raise

        user_logged_out.connect(logged_out, weak=False, dispatch_uid="end streams of a log-in")
