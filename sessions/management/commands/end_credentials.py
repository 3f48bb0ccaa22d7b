"""`manage.py end_credentials`: for a restored backup, or a key that others may know."""

from typing import Any

from django.core.management.base import BaseCommand

from sessions.access.acts.restore import end_credentials


class Command(BaseCommand):
    """End every token, log-in and one-time link."""

    help = "End all tokens, log-ins and one-time links of all users; passwords stay."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """End them."""
        end_credentials(why="a command")
        self.stdout.write("All tokens, log-ins and one-time links have ended.")
