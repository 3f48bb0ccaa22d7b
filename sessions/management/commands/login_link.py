"""`manage.py login_link [USERNAME]`: a link that logs in once, when the password is not at hand."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from sessions.access.links import LINK_LIFETIME, one_time_link
from sessions.access.owner import ensure_owner


class Command(BaseCommand):
    """Print a one-time login link, alone on the last line."""

    help = "Print a link that logs a user in once (the owner, when no user is named)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the user's name and the address that the link begins with."""
        host = "127.0.0.1" if settings.HOST in {"0.0.0.0", "::", ""} else settings.HOST  # noqa: S104
        bracketed = f"[{host}]" if ":" in host else host
        parser.add_argument("username", nargs="?")
        parser.add_argument("--base-url", default=f"http://{bracketed}:{settings.PORT}")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        """Print how long the link holds, and the link."""
        if options["username"]:
            user = User.objects.filter(username=options["username"], is_active=True).first()
            if user is None:
                raise CommandError(f"There is no active user {options['username']!r}.")
        else:
            user, _ = ensure_owner()
        minutes = int(LINK_LIFETIME.total_seconds() // 60)
        self.stderr.write(f"Logs {user} in once, within {minutes} minutes:")
        self.stdout.write(options["base_url"].rstrip("/") + one_time_link(user))
