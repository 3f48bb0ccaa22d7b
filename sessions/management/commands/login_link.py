"""`manage.py login_link [USERNAME]`: a link that logs in once, when the password is not at hand."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from sessions.access.links import LINK_LIFETIME, one_time_link
from sessions.access.owner import ensure_owner
from sessions.core import addresses


class Command(BaseCommand):
    """Print a one-time login link, alone on the last line."""

    help = "Print a link that logs a user in once (the owner, when no user is named)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the user's name and the address that the link begins with."""
        url = addresses.url_of(settings.HOST, settings.PORT, instead_of_wildcard="localhost")
        parser.add_argument("username", nargs="?")
        parser.add_argument("--base-url", default=url)

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
