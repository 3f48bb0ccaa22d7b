"""`manage.py prune_events`: remove the pieces of finished answers that the log also has whole."""

import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from sessions.core.errors import UnknownSession
from sessions.eventlog import store
from sessions.management import over
from sessions.management.age import age
from sessions.management.progress import Progress

# Each batch is a transaction that holds appends of its session off: a few milliseconds.
BATCH: Final = 2_000


class Command(BaseCommand):
    """Prune old deltas of finished messages; no text is lost."""

    help = "Remove old deltas of finished messages; their whole text stays in the log."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the age, perhaps one session, perhaps only counting."""
        parser.add_argument(
            "--older-than", type=age, required=True, help="90d, 12h or 30m", metavar="AGE"
        )
        parser.add_argument("--session", type=UUID, help="prune this session alone")
        parser.add_argument("--dry-run", action="store_true", help="count, remove nothing")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        """Prune session by session, and print how many events it came to."""
        before = timezone.now() - options["older_than"]
        only: UUID | None = options["session"]
        removed = touched = passed = 0
        with closing(Progress(over.events(only), "events", sys.stderr)) as progress:
            for session_id, head in over.sessions(only):
                count = 0
                for batch in _batches(session_id, before, dry_run=options["dry_run"]):
                    count += batch.removed
                    progress.at(passed + (batch.last or 0))
                removed, touched, passed = removed + count, touched + (count > 0), passed + head
        done = "would be removed" if options["dry_run"] else "removed"
        self.stdout.write(f"{removed} deltas of {touched} sessions {done}")


def _batches(session_id: UUID, before: datetime, *, dry_run: bool) -> Iterator[store.Pruned]:
    """Prune one session, batch after batch from its start to its end."""
    after: int | None = 0
    while after is not None:
        try:
            batch = store.prune(
                session_id, before=before, limit=BATCH, after=after, dry_run=dry_run
            )
        except UnknownSession as exc:
            raise CommandError(f"There is no session {session_id}.") from exc
        yield batch
        after = batch.last
