"""`manage.py check_log`: whether logs are whole and the database agrees with them."""

import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sessions.core.errors import UnknownSession
from sessions.eventlog.audit import Report, check
from sessions.management import over
from sessions.management.progress import Progress


class Command(BaseCommand):
    """Read every log and hold the projection against it; changes nothing."""

    help = "Check that logs run 1..head and that sessions, messages and receipts agree with them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take one session, or none for all."""
        parser.add_argument("--session", type=UUID, help="check this session alone")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        """Print each problem; end with 1 when there is any."""
        only: UUID | None = options["session"]
        sessions, events, problems, passed = 0, 0, 0, 0
        with closing(Progress(over.events(only), "events", sys.stderr)) as progress:
            for session_id, head in over.sessions(only):
                report = _checked(session_id, partial(_told, progress, passed))
                for problem in report.problems:
                    self.stdout.write(f"{session_id}: {problem}")
                sessions, events, passed = sessions + 1, events + report.events, passed + head
                problems += len(report.problems)
        self.stdout.write(f"{sessions} sessions, {events} events, {problems} problems")
        if problems:
            raise CommandError("The log and the database do not agree.")


def _told(progress: Progress, passed: int, seq: int) -> None:
    progress.at(passed + seq)


def _checked(session_id: UUID, told: Callable[[int], object]) -> Report:
    try:
        return check(session_id, told=told)
    except UnknownSession as exc:
        raise CommandError(f"There is no session {session_id}.") from exc
