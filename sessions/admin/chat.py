"""The admin: sessions, their logs, prompts and messages. It looks at logs and changes none."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import (
    Case,
    Count,
    JSONField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    When,
)
from django.db.models.functions import Left
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sessions.admin.rows import ReadOnly, is_list, pretty, utc
from sessions.control import interrupt
from sessions.core.errors import ChatError
from sessions.eventlog.bounded import weight
from sessions.eventlog.events import PAYLOADS
from sessions.models import Event, Message, Prompt, Session
from sessions.reading.describe import describe

SHORT = 100
# In a list of many columns: a word as long as this leaves room for the others.
SHORTER = 60
# A list shows of an event one line, which is made of a payload of this many bytes at most.
MAX_LISTED_BYTES = 16 * 1024
MAX_BEGINNING = 400
_SESSION = "session__id__exact"


# ruff: noqa: ARG002 (the signatures are Django's)


class OfSession(ReadOnly):
    """Rows of a session, with a link to it."""

    list_select_related: ClassVar[tuple[str, ...]] = ("session",)

    @admin.display(description="session")
    def session_link(self, row: Event | Message | Prompt) -> SafeString:
        """Return a link to the session."""
        address = reverse("admin:chat_sessions_session_change", args=[row.session_id])
        return format_html('<a href="{}">{}</a>', address, _short(str(row.session))[:40])


def _list_link(model: str, text: object, **filters: object) -> SafeString:
    address = reverse(f"admin:chat_sessions_{model}_changelist", query=filters)
    return format_html('<a href="{}">{}</a>', address, text)


def _short(text: str, limit: int = SHORT) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


class ArchivedFilter(admin.SimpleListFilter):
    """Sessions on their owner's list, or taken off it."""

    title = "archived"
    parameter_name = "archived"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the two choices."""
        return [("no", "No"), ("yes", "Yes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the sessions of the choice."""
        if self.value() not in {"no", "yes"}:
            return queryset
        return queryset.filter(archived_at__isnull=self.value() == "no")


class EventTypeFilter(admin.SimpleListFilter):
    """Events of one type. The types are known and need no query of the log."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return every type."""
        return [(name, name) for name in PAYLOADS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the events of the type."""
        return queryset.filter(type=self.value()) if self.value() else queryset


@admin.register(Session)
class SessionAdmin(ReadOnly):
    """Sessions, the last active first; interrupt and end are all that can be done to them."""

    list_display = (
        "name",
        "owner",
        "agent",
        "state",
        "run_state",
        "log_link",
        "waiting",
        "last_active",
        "held_by",
    )
    list_filter = (
        "state",
        "run_state",
        "agent",
        ArchivedFilter,
        "last_activity_at",
        ("owner", admin.RelatedOnlyFieldListFilter),
    )
    list_select_related = ("owner",)
    search_fields = ("title", "owner__username", "cwd", "id__startswith")
    search_help_text = "Title, owner, folder, or the beginning of the session's id"
    ordering = ("-last_activity_at",)
    actions = ("interrupt", "end")
    fieldsets = (
        (None, {"fields": ("title", "id", "owner", "agent", "mode", "cwd")}),
        ("State", {"fields": ("state", "run_state", "last_active", "archived_at", "usage")}),
        ("Log", {"fields": ("log_link", "messages_link", "prompts_link", "pruned_to")}),
        ("Watchers", {"fields": ("foreground", "background", "unwatched_since")}),
        ("Runner", {"fields": ("runner_id", "lease_epoch", "lease_until", "agent_session_id")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        """Return the sessions with the number of their open prompts."""
        is_open = Q(prompts__state__in=Prompt.OPEN)
        rows: QuerySet[Session] = super().get_queryset(request)
        return rows.annotate(open_prompts=Count("prompts", filter=is_open))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show a session; one of the person's own leads to its chat, which no other may open."""
        session: Session | None = self.get_object(request, object_id)
        is_own = session is not None and session.owner_id == request.user.pk
        chat_address = reverse("session", args=[object_id]) if is_own else ""
        context = {"chat_address": chat_address, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may interrupt and end: Django's right to change sessions."""
        return request.user.has_perm("chat_sessions.change_session")

    @admin.display(description="session", ordering="title")
    def name(self, session: Session) -> str:
        """Return the title, or the beginning of the id."""
        return _short(session.title) or str(session.pk)[:8]

    @admin.display(description="events", ordering="head_seq")
    def log_link(self, session: Session) -> SafeString:
        """Return how many events the log has, as a link to it."""
        return _list_link("event", session.head_seq, **{_SESSION: session.pk})

    @admin.display(description="messages")
    def messages_link(self, session: Session) -> SafeString:
        """Return a link to the transcript."""
        return _list_link("message", "transcript", **{_SESSION: session.pk})

    @admin.display(description="prompts")
    def prompts_link(self, session: Session) -> SafeString:
        """Return a link to the prompts and their receipts."""
        return _list_link("prompt", "prompts and receipts", **{_SESSION: session.pk})

    @admin.display(description="open prompts", ordering="open_prompts")
    def waiting(self, session: Any) -> int:
        """Return how many prompts wait or are with the agent."""
        count: int = session.open_prompts
        return count

    @admin.display(description="last active", ordering="last_activity_at")
    def last_active(self, session: Session) -> str | None:
        """Return when the log was last added to, UTC."""
        return utc(session.last_activity_at)

    @admin.display(description="runner", ordering="runner_id")
    def held_by(self, session: Session) -> str | None:
        """Return the runner that holds the session."""
        return session.runner_id or None

    @admin.display(description="usage")
    def usage(self, session: Session) -> str | None:
        """Return the session's usage so far."""
        used = session.live.get("usage")
        return describe("usage", used) if used else None

    @admin.action(description="Interrupt the running turn", permissions=["operate"])
    def interrupt(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        """Request an interrupt of each selected session; its runner carries it out."""
        self._request(request, queryset, stop=False)

    @admin.action(description="End: stop the turn and the agent", permissions=["operate"])
    def end(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        """Request the end of each selected session's agent."""
        self._request(request, queryset, stop=True)

    def _request(self, request: HttpRequest, queryset: QuerySet[Session], *, stop: bool) -> None:
        by = request.user.get_username()
        asked, idle = 0, 0
        for session_id in queryset.values_list("pk", flat=True):
            try:
                done = interrupt.request_interrupt(by=by, session_id=session_id, stop=stop)
            except ChatError as exc:
                self.message_user(request, f"{session_id}: {exc}", messages.ERROR)
                continue
            asked, idle = asked + done, idle + (not done)
        if asked:
            self.message_user(request, f"Asked the runner of {asked} sessions.", messages.SUCCESS)
        if idle:
            self.message_user(request, f"{idle} sessions had nothing to stop.", messages.WARNING)


def _session_of(request: HttpRequest) -> Session | None:
    """Return the session that a list is cut down to."""
    try:
        return Session.objects.filter(pk=UUID(request.GET.get(_SESSION, ""))).first()
    except ValueError:
        return None


@admin.register(Event)
class EventAdmin(OfSession):
    """A session's log in its order; reached from the session."""

    list_display = ("seq", "type", "time", "says", "session_link")
    list_display_links = ("seq",)
    list_filter = (EventTypeFilter,)
    list_per_page = 100
    ordering = ("session", "seq")
    fields = ("session_link", "seq", "type", "time", "payload_text")
    readonly_fields: ClassVar = fields

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Allow the filter of the links to one session's log."""
        return lookup == _SESSION or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]  # optional for callers of older versions

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """Return the columns; without the session's where all are of one."""
        columns = self.list_display
        return columns[:-1] if _SESSION in request.GET else columns

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Return the list, under the name of its session."""
        session = _session_of(request)
        title = f"Log of {_short(str(session))}" if session else "Events of all sessions"
        context = {"title": title, "chat_session": session, **(extra_context or {})}
        return super().changelist_view(request, context)

    @admin.display(description="time", ordering="seq")
    def time(self, event: Event) -> str:
        """Return the time to the millisecond, UTC."""
        return event.ts.isoformat(sep=" ", timespec="milliseconds")[:23]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        """Return the events; the list without payloads that an agent has made long."""
        rows: QuerySet[Event] = super().get_queryset(request)
        if not is_list(request):
            return rows
        is_short = Case(When(size__lte=MAX_LISTED_BYTES, then="payload"), output_field=JSONField())
        sized = rows.defer("payload").annotate(size=weight.Stored("payload"))
        return sized.annotate(listed=is_short)

    @admin.display(description="says")
    def says(self, event: Event) -> str:
        """Return the event in one line."""
        payload = getattr(event, "listed", None)
        if payload is None:
            return f"{getattr(event, 'size', 0):,} bytes"
        return _short(describe(event.type, payload), SHORTER)

    @admin.display(description="payload")
    def payload_text(self, event: Event) -> SafeString:
        """Return the whole payload, indented."""
        return pretty(event.payload)


@admin.register(Message)
class MessageAdmin(OfSession):
    """The transcript: finished messages, as they were projected from the log."""

    list_display = ("seq", "role", "preview", "session_link")
    list_display_links = ("seq",)
    list_filter = ("role",)
    search_fields = ("text",)
    ordering = ("session", "seq")
    fields = ("session_link", "seq", "role", "message_id", "turn_id", "client_msg_id", "data_text")
    readonly_fields: ClassVar = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        """Return the messages; the list with the beginnings of their texts alone."""
        rows: QuerySet[Message] = super().get_queryset(request)
        if not is_list(request):
            return rows
        return rows.defer("data", "text").annotate(beginning=Left("text", MAX_BEGINNING))

    @admin.display(description="text")
    def preview(self, message: Message) -> str:
        """Return the beginning of the text."""
        return _short(getattr(message, "beginning", ""))

    @admin.display(description="message")
    def data_text(self, message: Message) -> SafeString:
        """Return the whole message, indented."""
        return pretty(message.data)


@admin.register(Prompt)
class PromptAdmin(OfSession):
    """Prompts and their receipts: when each was accepted, handed to its agent, finished."""

    list_display = (
        "accepted",
        "owner",
        "prompt",
        "state",
        "receipt",
        "waited",
        "took",
        "session_link",
    )
    list_filter = ("state", "created_at")
    list_select_related = ("session", "owner")
    search_fields = ("client_msg_id", "owner__username")
    ordering = ("-created_at", "-pk")
    fields = (
        "session_link",
        "owner",
        "client_msg_id",
        "prompt",
        "state",
        "receipt",
        "turn_id",
        "accepted",
        "dispatched",
        "finished",
        "fingerprint",
    )
    readonly_fields: ClassVar = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Prompt]:
        """Return the prompts with the beginning of their texts."""
        message = Message.objects.filter(
            session=OuterRef("session"), client_msg_id=OuterRef("client_msg_id"), role="user"
        )
        text = Subquery(message.values(start=Left("text", 2 * SHORT))[:1])
        rows: QuerySet[Prompt] = super().get_queryset(request)
        return rows.annotate(text=text)

    @admin.display(description="prompt")
    def prompt(self, prompt: Any) -> str:
        """Return the beginning of the prompt's text."""
        return _short(prompt.text or "", SHORTER)

    @admin.display(description="receipt", ordering="seq")
    def receipt(self, prompt: Prompt) -> SafeString:
        """Return the seq of the receipt as a link to its event."""
        event = {_SESSION: prompt.session_id, "seq__exact": prompt.seq}
        return _list_link("event", prompt.seq, **event)

    @admin.display(description="accepted", ordering="created_at")
    def accepted(self, prompt: Prompt) -> str | None:
        """Return when it was stored, UTC."""
        return utc(prompt.created_at)

    @admin.display(description="dispatched")
    def dispatched(self, prompt: Prompt) -> str | None:
        """Return when its agent got it, UTC."""
        return utc(prompt.dispatched_at)

    @admin.display(description="finished")
    def finished(self, prompt: Prompt) -> str | None:
        """Return when its turn ended, UTC."""
        return utc(prompt.finished_at)

    @admin.display(description="waited")
    def waited(self, prompt: Prompt) -> str | None:
        """Return seconds from the receipt to the agent."""
        if prompt.dispatched_at is None:
            return None
        return f"{(prompt.dispatched_at - prompt.created_at).total_seconds():.2f} s"

    @admin.display(description="took")
    def took(self, prompt: Prompt) -> str | None:
        """Return seconds that the agent took."""
        if prompt.dispatched_at is None or prompt.finished_at is None:
            return None
        return f"{(prompt.finished_at - prompt.dispatched_at).total_seconds():.2f} s"
