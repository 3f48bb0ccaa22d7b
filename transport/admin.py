"""The admin's page of deliveries: sent, applied and missing events of each device."""

# ruff: noqa: ARG002 (the signatures are Django's)
from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.contrib import admin, messages
from django.db.models import BigIntegerField, Count, ExpressionWrapper, F, Max, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from sessions.admin.rows import ReadOnly
from sessions.core.conf import chat
from transport.models import Connection, Watch
from transport.rows import connections, orders

SHORT = 40
_LAG: Final = ExpressionWrapper(
    F("session__head_seq") - Coalesce("cursor_sent", 0), output_field=BigIntegerField()
)

if TYPE_CHECKING:
    TabularInline = admin.TabularInline[Any, Any]
else:
    TabularInline = admin.TabularInline  # takes no parameter outside the type checker


class OpenFilter(admin.SimpleListFilter):
    """Open rows unless told otherwise: closed ones stay for a day."""

    title = "open"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices beside the default."""
        return [("closed", "Closed"), ("all", "All")]

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Return the choices, with the default named for its content."""
        default, *others = super().choices(changelist)
        yield {**default, "display": "Open"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the choice."""
        if self.value() == "all":
            return queryset
        return queryset.filter(closed_at__isnull=self.value() != "closed")


class DecisionFilter(admin.AllValuesFieldListFilter):
    """Deliveries by the last decision of periodic sync."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.title = "last round"  # as the column

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Return the choices; the empty one is of deliveries without a decision."""
        for choice in super().choices(changelist):
            yield {**choice, "display": choice["display"] or "None yet"}


class LagFilter(admin.SimpleListFilter):
    """Deliveries by how far they are behind."""

    title = "behind"
    parameter_name = "lag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return [
            ("lagging", "Behind"),
            ("over", f"Behind by more than {chat.MAX_REPLAY_GAP}"),
            ("unconfirmed", "Sent, but not applied by the device"),
            ("none", "Up to date"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the deliveries of the choice."""
        chosen = {
            "lagging": Q(lag__gt=0),
            "over": Q(lag__gt=chat.MAX_REPLAY_GAP),
            "unconfirmed": Q(cursor_sent__gt=F("cursor_acked")),
            "none": Q(lag=0),
        }
        return queryset.filter(chosen[value]) if (value := self.value()) in chosen else queryset


@admin.register(Watch)
class WatchAdmin(ReadOnly):
    """Deliveries: one row for each session that a stream carries.

    Columns that belong together are one, so that the list fits a window of 1,400 pixels.
    """

    list_per_page = 100
    list_display = (
        "session_link",
        "user",
        "device",
        "events",
        "sent",
        "lag",
        "applied",
        "unconfirmed",
        "last_ping",
        "caught_up",
        "last_round",
    )
    list_display_links = ("sent",)
    list_filter = (
        OpenFilter,
        LagFilter,
        "background",
        "session__state",
        ("sync_decision", DecisionFilter),
    )
    search_fields = ("connection__user__username", "session__title", "connection__user_agent")
    list_select_related: ClassVar[tuple[str, ...]] = ("session", "connection__user")
    ordering = (_LAG.desc(), "-connection__last_seen_at")
    actions = ("resync",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Watch]:
        """Return the rows, each with how far it is behind."""
        rows: QuerySet[Watch] = super().get_queryset(request)
        return rows.annotate(lag=_LAG)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may resync: Django's right to change watches."""
        return request.user.has_perm("transport.change_watch")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the totals over the list."""
        context = {**(extra_context or {}), "totals": totals(), "title": "Deliveries"}
        return super().changelist_view(request, context)

    @admin.display(description="session", ordering="session__title")
    def session_link(self, watch: Watch) -> SafeString:
        """Return a link to the session, and its state."""
        address = reverse("admin:chat_sessions_session_change", args=[watch.session_id])
        link = format_html('<a href="{}">{}</a>', address, str(watch.session)[:SHORT])
        return two_lines(link, watch.session.state)

    @admin.display(description="user", ordering="connection__user__username")
    def user(self, watch: Watch) -> str:
        """Return whose stream it is."""
        return watch.connection.user.get_username()

    @admin.display(description="device")
    def device(self, watch: Watch) -> SafeString:
        """Return a link to the connection, named by its user agent."""
        address = reverse("admin:transport_connection_change", args=[watch.connection_id])
        name = device_name(watch.connection.user_agent)
        link = format_html('<a href="{}">{}</a>', address, name)
        return two_lines(link, "in the background" if watch.background else None)

    @admin.display(description="events", ordering="session__head_seq")
    def events(self, watch: Watch) -> int:
        """Return how many events the session's log has."""
        return watch.session.head_seq

    @admin.display(description="sent", ordering="cursor_sent")
    def sent(self, watch: Watch) -> int | None:
        """Return the last event that the stream has sent, None before its first catch-up."""
        return watch.cursor_sent

    @admin.display(description="behind", ordering="lag")
    def lag(self, watch: Any) -> int:
        """Return how many events the stream has still to send."""
        behind: int = watch.lag
        return behind

    @admin.display(description="applied", ordering="cursor_acked")
    def applied(self, watch: Watch) -> int:
        """Return the last event that the device has applied."""
        return watch.cursor_acked

    @admin.display(description="not applied")
    def unconfirmed(self, watch: Watch) -> int:
        """Return how many events were sent and are not known to be applied."""
        return max(0, (watch.cursor_sent or 0) - watch.cursor_acked)

    @admin.display(description="last ping", ordering="connection__pinged_at")
    def last_ping(self, watch: Watch) -> str | None:
        """Return how long ago the device has taken a ping."""
        return since(watch.connection.pinged_at)

    @admin.display(description="last catch-up", ordering="decided_at")
    def caught_up(self, watch: Watch) -> SafeString | None:
        """Return the last catch-up of the stream, and how long ago it was."""
        return two_lines(watch.last_decision, since(watch.decided_at)) or None

    @admin.display(description="last round", ordering="synced_at")
    def last_round(self, watch: Watch) -> SafeString | None:
        """Return the decision of periodic sync, and how long ago it noted it: each minute."""
        return two_lines(watch.sync_decision, since(watch.synced_at)) or None

    @admin.action(description="Resync now", permissions=["operate"])
    def resync(self, request: HttpRequest, queryset: QuerySet[Watch]) -> None:
        """Order a catch-up of each selected row; the stream's process carries it out."""
        ordered = orders.order_resync(queryset)
        if ordered:
            rows = "delivery" if ordered == 1 else "deliveries"
            self.message_user(request, f"Ordered for {ordered} {rows}.", messages.SUCCESS)
        else:
            self.message_user(request, "None of these deliveries is open.", messages.WARNING)


class WatchInline(TabularInline):
    """The deliveries of one connection."""

    model = Watch
    fields = (
        "session",
        "cursor_sent",
        "cursor_acked",
        "replayed",
        "skipped",
        "background",
        "last_decision",
        "sync_decision",
        "closed_at",
    )
    readonly_fields = fields
    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False


@admin.register(Connection)
class ConnectionAdmin(ReadOnly):
    """Streams: one row for each, open or closed since a day."""

    list_display = ("opened", "user", "device", "process", "watched", "last_ping", "renewed",
                    "close_reason")  # fmt: skip
    list_filter = (OpenFilter, "close_reason")
    search_fields = ("user__username", "user_agent", "process")
    list_select_related: ClassVar[tuple[str, ...]] = ("user",)
    # Other commands name a stream by its id: it stays with its client.
    fields = ("user", "process", "user_agent", "opened_at", "pinged_at", "last_seen_at",
              "closed_at", "close_reason", "shown")  # fmt: skip
    inlines = (WatchInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        """Return the connections with the number of their open watches."""
        rows: QuerySet[Connection] = super().get_queryset(request)
        is_open = Q(watches__closed_at__isnull=True)
        return rows.annotate(open_watches=Count("watches", filter=is_open))

    @admin.display(description="opened", ordering="opened_at")
    def opened(self, connection: Connection) -> str:
        """Return since when it is open, UTC."""
        return connection.opened_at.strftime("%Y-%m-%d %H:%M:%S")

    @admin.display(description="device")
    def device(self, connection: Connection) -> str:
        """Return the browser or program."""
        return device_name(connection.user_agent)

    @admin.display(description="deliveries", ordering="open_watches")
    def watched(self, connection: Any) -> int:
        """Return how many sessions it carries."""
        count: int = connection.open_watches
        return count

    @admin.display(description="last ping", ordering="pinged_at")
    def last_ping(self, connection: Connection) -> str | None:
        """Return how long ago the device has taken a ping."""
        return since(connection.pinged_at)

    @admin.display(description="renewed", ordering="last_seen_at")
    def renewed(self, connection: Connection) -> str | None:
        """Return how long ago the process that holds the stream has renewed it."""
        return since(connection.last_seen_at)


def totals() -> dict[str, int]:
    """Return the totals over every open watch, for the top of the list."""
    rows = Watch.objects.filter(closed_at__isnull=True).annotate(lag=_LAG)
    counted = rows.aggregate(
        watches=Count("pk"),
        lagging=Count("pk", filter=Q(lag__gt=0)),
        largest=Max("lag"),
        background=Count("pk", filter=Q(background=True)),
        replayed=Sum("replayed"),
        skipped=Sum("skipped"),
    )
    return {
        "connections": connections.live_connections().count(),
        **{name: number or 0 for name, number in counted.items()},
    }


def two_lines(first: str, second: str | None) -> SafeString:
    """Return the lines of a cell; an empty one is left out."""
    lines = [line for line in (first, second) if line]
    return format_html_join("", "<div>{}</div>", ((line,) for line in lines))


def device_name(user_agent: str) -> str:
    """Return a short name of a browser and its system, or the beginning of a program's name."""
    browsers = (("Firefox/", "Firefox"), ("Edg/", "Edge"), ("Chrome/", "Chrome"),
                ("Safari/", "Safari"))  # fmt: skip
    systems = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"),
               ("Windows", "Windows"), ("Mac OS", "Mac"), ("Linux", "Linux"))  # fmt: skip
    browser = next((name for mark, name in browsers if mark in user_agent), None)
    if browser is None:
        return user_agent[:SHORT] or "unnamed"
    system = next((name for mark, name in systems if mark in user_agent), "")
    return f"{browser} {system}".strip()


def since(moment: datetime | None) -> str | None:
    """Return how long ago a moment was, None when there was none."""
    return None if moment is None else ago(timezone.now() - moment)


def ago(time: timedelta) -> str:
    """Return a time that has passed, in its largest unit."""
    seconds = max(0, round(time.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
