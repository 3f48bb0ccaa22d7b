"""`manage.py collect_blobs`: remove the files that no event names."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from sessions.eventlog.blobs import rows


class Command(BaseCommand):
    """Remove blobs that no event has named within a day of their storing."""

    help = "Remove stored images and files that no event names after a day."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take whether to count alone."""
        parser.add_argument("--dry-run", action="store_true", help="count, remove nothing")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        """Remove them, and print how many."""
        count = rows.collect(dry_run=options["dry_run"])
        done = "would be removed" if options["dry_run"] else "removed"
        self.stdout.write(f"{count} blobs {done}")
