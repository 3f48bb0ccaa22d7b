"""`manage.py end_credentials`: for a restored backup, or a key that others may know."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from sessions.access.acts.restore import end_credentials


class Command(BaseCommand):
    """End every token, log-in and one-time link."""

    help = "End all tokens, log-ins and one-time links of all users; passwords stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--keep-tokens", action="store_true", help="tokens of scripts stay")

    def handle(self, *_args: Any, **options: Any) -> None:
        """End them."""
        end_credentials(why="a command", keep_tokens=options["keep_tokens"])
        ended = "log-ins" if options["keep_tokens"] else "tokens, log-ins"
        self.stdout.write(f"All {ended} and one-time links have ended.")
