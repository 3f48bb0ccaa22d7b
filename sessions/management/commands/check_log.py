"""`manage.py check_log`: whether logs are whole and the database agrees with them."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sessions.core.errors import UnknownSession
from sessions.eventlog.audit import check
from sessions.models import Session


class Command(BaseCommand):
    """Read every log and hold the projection against it; changes nothing."""

    help = "Check that logs run 1..head and that sessions, messages and receipts agree with them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take one session, or none for all."""
        parser.add_argument("--session", type=UUID, help="check this session alone")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        """Print each problem; end with 1 when there is any."""
        sessions, events, problems = 0, 0, 0
        for session_id in _chosen(options["session"]):
            try:
                report = check(session_id)
            except UnknownSession as exc:
                raise CommandError(f"There is no session {session_id}.") from exc
            for problem in report.problems:
                self.stdout.write(f"{session_id}: {problem}")
            sessions, events = sessions + 1, events + report.events
            problems += len(report.problems)
        self.stdout.write(f"{sessions} sessions, {events} events, {problems} problems")
        if problems:
            raise CommandError("The log and the database do not agree.")


def _chosen(session_id: UUID | None) -> Iterable[UUID]:
    if session_id is not None:
        return [session_id]
    return Session.objects.order_by("created_at").values_list("pk", flat=True)
