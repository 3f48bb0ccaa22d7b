"""`manage.py audit`: the audit trail as JSON lines, and its end of retention."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from django.utils import timezone

from sessions.core.conf import chat
from sessions.management.age import age
from sessions.models import AuditEntry
from sessions.trail.record import Act, end_of_retention, prune, told

CHUNK = 1_000


class Command(BaseCommand):
    """Print the audit trail, the oldest entry first."""

    help = "Print the audit trail as JSON lines; --prune removes what is older than AUDIT_DAYS."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--since", type=age, metavar="AGE", help="90d, 12h or 30m")
        parser.add_argument("--act", choices=[act.value for act in Act], help="this kind alone")
        parser.add_argument("--who", help="the acts of this user alone")
        parser.add_argument("--prune", action="store_true", help="remove old entries, print none")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print or prune."""
        if options["prune"]:
            self._prune()
            return
        for entry in _chosen(options).iterator(chunk_size=CHUNK):
            self.stdout.write(json.dumps(told(entry), ensure_ascii=False))

    def _prune(self) -> None:
        if not chat.AUDIT_DAYS:
            raise CommandError("CHAT_AUDIT_DAYS is 0: the audit trail is kept without an end.")
        removed = prune(before=end_of_retention(chat.AUDIT_DAYS))
        self.stdout.write(f"{removed} entries older than {chat.AUDIT_DAYS} days removed")


def _chosen(options: dict[str, Any]) -> QuerySet[AuditEntry]:
    since: timedelta | None = options["since"]
    rows = AuditEntry.objects.order_by("pk")
    if since is not None:
        rows = rows.filter(at__gte=timezone.now() - since)
    if options["act"]:
        rows = rows.filter(act=options["act"])
    return rows.filter(who=options["who"]) if options["who"] else rows
