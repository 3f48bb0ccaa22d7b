"""`manage.py prune_events`: remove the pieces of finished answers that the log also has whole."""

import argparse
import re
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from sessions.core.errors import UnknownSession
from sessions.eventlog import store
from sessions.models import Session

# Each batch is a transaction that holds appends of its session off: a few milliseconds.
BATCH: Final = 2_000
_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes"}


class Command(BaseCommand):
    """Prune old deltas of finished messages; no text is lost."""

    help = "Remove old deltas of finished messages; their whole text stays in the log."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the age, perhaps one session, perhaps only counting."""
        parser.add_argument(
            "--older-than", type=_age, required=True, help="90d, 12h or 30m", metavar="AGE"
        )
        parser.add_argument("--session", type=UUID, help="prune this session alone")
        parser.add_argument("--dry-run", action="store_true", help="count, remove nothing")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        """Prune session by session, and print how many events it came to."""
        before = timezone.now() - options["older_than"]
        rows = Session.objects.order_by("created_at").values_list("pk", flat=True)
        chosen = [options["session"]] if options["session"] else list(rows)
        try:
            counts = [_prune(pk, before, dry_run=options["dry_run"]) for pk in chosen]
        except UnknownSession as exc:
            raise CommandError(f"There is no session {options['session']}.") from exc
        done = "would be removed" if options["dry_run"] else "removed"
        touched = sum(count > 0 for count in counts)
        self.stdout.write(f"{sum(counts)} deltas of {touched} sessions {done}")


def _prune(session_id: UUID, before: datetime, *, dry_run: bool) -> int:
    if dry_run:
        return store.prune(session_id, before=before, limit=10**9, dry_run=True)
    total = 0
    while count := store.prune(session_id, before=before, limit=BATCH):
        total += count
    return total


def _age(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([dhm])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not an age like 90d, 12h or 30m")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
