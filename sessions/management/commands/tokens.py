"""`manage.py tokens`: the bearer tokens, and the end of one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sessions.access import tokens
from sessions.account_models import ApiToken


class Command(BaseCommand):
    """List the tokens, or end one."""

    help = "List the bearer tokens without their secrets; --revoke ends one by its number."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take a user, or the token to end."""
        parser.add_argument("--user", help="the tokens of this user alone")
        parser.add_argument("--revoke", type=int, metavar="NUMBER", help="end this token")

    def handle(self, *_args: Any, **options: Any) -> None:
        """List or revoke."""
        rows = ApiToken.objects.select_related("user").order_by("pk")
        if options["user"]:
            rows = rows.filter(user__username=options["user"])
        if options["revoke"] is not None:
            rows = rows.filter(pk=options["revoke"])
            if not rows:
                raise CommandError(f"There is no token {options['revoke']}.")
            tokens.revoke(rows)
            self.stdout.write(f"Token {options['revoke']} has ended.")
            return
        for row in rows:
            self.stdout.write(_line(row))


def _line(row: ApiToken) -> str:
    kept = ", outlives the password" if row.outlives_password else ""
    return (
        f"{row.pk:6}  {row.user.get_username()}  {row.scope:5}  {row.name or '-'}"
        f"  (used {_day(row.last_used_at)}, ends {_day(row.expires_at)}{kept})"
    )


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "never"
