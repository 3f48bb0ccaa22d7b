"""Rows that the admin shows read-only, and the forms of their values."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

# ruff: noqa: ARG002 (the signatures are Django's)
if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin  # takes no parameter outside the type checker

MAX_PRETTY_CHARS: Final = 200_000


class ReadOnly(ModelAdmin):
    """Looks, changes nothing: superusers are not let in either."""

    # The count over all rows, beside the filtered one, reads a whole log for nothing.
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False


def is_list(request: HttpRequest) -> bool:
    """Return whether a request is for the list of a model, which shows no long text."""
    match = request.resolver_match
    return match is not None and str(match.url_name).endswith("_changelist")


def pretty(value: object) -> SafeString:
    """Return JSON, indented; of a long one the beginning."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    more = len(text) - MAX_PRETTY_CHARS
    note = f"\n… {more:,} more characters: the export of the chat has them" if more > 0 else ""
    return format_html('<pre class="payload">{}{}</pre>', text[:MAX_PRETTY_CHARS], note)


def utc(moment: datetime | None) -> str | None:
    """Return a time in UTC, to the second."""
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else None
