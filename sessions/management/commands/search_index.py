"""`manage.py search_index`: fill the index of the search, or make it again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from sessions.models import Message, SearchIndex
from sessions.search import index


class Command(BaseCommand):
    """Add the messages that are not in the search's index."""

    help = "Add messages of before the search's index to it; running servers stay up."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take whether to begin from nothing."""
        parser.add_argument("--rebuild", action="store_true", help="make the index from nothing")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        """Fill it portion by portion, and print how far it has come."""
        total = Message.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        if options["rebuild"]:
            index.rebuild(lambda row: self._tell(row, total))
        while not index.fill_some():
            self._tell(SearchIndex.objects.get(pk=1).filled_to, total)
        self.stdout.write("the index is whole")

    def _tell(self, row: int, total: int) -> None:
        self.stdout.write(f"{min(100, 100 * row // max(total, 1))} %")
