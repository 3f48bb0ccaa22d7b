"""The admin of access: bearer tokens, and the audit trail."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from sessions.access import tokens
from sessions.account_models import ApiToken
from sessions.admin.rows import ModelAdmin, ReadOnly, pretty, utc
from sessions.models import AuditEntry
from sessions.trail.record import Act


# ruff: noqa: ARG002 (the signatures are Django's)
@admin.register(ApiToken)
class ApiTokenAdmin(ModelAdmin):
    """Bearer tokens; deleting one ends it. New ones come from `manage.py create_token`."""

    list_display = ("__str__", "user", "scope", "created_at", "last_used_at", "expires_at")
    list_filter = (
        "scope",
        "last_used_at",
        "expires_at",
        ("user", admin.RelatedOnlyFieldListFilter),
    )
    list_select_related = ("user",)
    search_fields = ("name", "user__username")
    fields = (
        "name",
        "user",
        "scope",
        "created_at",
        "last_used_at",
        "expires_at",
        "outlives_password",
    )
    readonly_fields = ("user", "scope", "created_at", "last_used_at", "expires_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: a token is shown once, and the terminal is the place for it."""
        return False

    def delete_model(self, request: HttpRequest, obj: ApiToken) -> None:
        """Revoke a token."""
        tokens.revoke([obj], by=request.user.get_username())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        """Revoke the selected tokens."""
        tokens.revoke(queryset, by=request.user.get_username())


class ActFilter(admin.SimpleListFilter):
    """Entries of one kind. The kinds are known and need no query of the trail."""

    title = "act"
    parameter_name = "act"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return every kind."""
        return [(act.value, act.value.replace("_", " ")) for act in Act]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the entries of the kind."""
        return queryset.filter(act=self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly):
    """The audit trail, the latest entry first."""

    list_display = ("time", "act", "who", "about", "address", "credential", "credential_name")
    list_display_links = ("time",)
    list_filter = (ActFilter, "at")
    search_fields = ("who", "about", "address", "credential")
    list_per_page = 100
    ordering = ("-pk",)
    fields = (*list_display, "connection", "facts_text")
    readonly_fields: ClassVar = fields

    @admin.display(description="time", ordering="pk")
    def time(self, entry: AuditEntry) -> str | None:
        """Return the time, UTC."""
        return utc(entry.at)

    @admin.display(description="facts")
    def facts_text(self, entry: AuditEntry) -> SafeString:
        """Return the facts, indented."""
        return pretty(entry.facts)
