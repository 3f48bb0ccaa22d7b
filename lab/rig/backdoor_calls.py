"""Calls to a server's database, made by a process of its own.

`python -m lab.rig.backdoor_calls` answers them until its stdin ends; see lab/rig/backdoor.py.
"""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

import django

django.setup()

from django.conf import settings  # noqa: E402 (the app registry comes first)
from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth import login as log_in  # noqa: E402
from django.contrib.sessions.models import Session as DjangoSession  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import OperationalError  # noqa: E402
from django.db import connection as database  # noqa: E402
from django.http import HttpRequest, QueryDict  # noqa: E402
from django.utils import timezone  # noqa: E402

from lab.rig import aftermath, json_lines  # noqa: E402
from lab.rig.origin_key import KEY  # noqa: E402
from sessions.access import links  # noqa: E402
from sessions.access.login import origin_key  # noqa: E402
from sessions.access.login_store import SessionStore  # noqa: E402
from sessions.access.tokens import create_token  # noqa: E402
from sessions.account_models import ApiToken  # noqa: E402
from sessions.agent_models import ImportedChat  # noqa: E402
from sessions.control import send  # noqa: E402
from sessions.core.db import consistent_read  # noqa: E402
from sessions.core.states import LIVE_STATES  # noqa: E402
from sessions.eventlog import drafts, snapshot, store  # noqa: E402
from sessions.eventlog.drafts import title_changed  # noqa: E402
from sessions.eventlog.events import BlockType, Draft, EventType, StopReason  # noqa: E402
from sessions.eventlog.lease import is_held, unheld  # noqa: E402
from sessions.eventlog.shapes import Payload  # noqa: E402
from sessions.models import Blob, Event, Message, Prompt, Session  # noqa: E402
from transport.models import Connection, SyncLock, Watch  # noqa: E402
from transport.rows import closing, connections, orders  # noqa: E402
from transport.sync import rounds  # noqa: E402

Json = dict[str, Any]

# Every value is a real event of the protocol: 120 bytes as a client would see one.
TEXT = "x" * 40
BATCH = 500


def create_user(name: str, *, staff: bool = False) -> int:
    """Make a user, or return the one that is there."""
    user, _ = get_user_model().objects.get_or_create(
        username=name, defaults={"is_staff": staff, "is_superuser": staff}
    )
    return user.pk


def token(name: str) -> str:
    """Return a new bearer token."""
    return create_token(get_user_model().objects.get(pk=create_user(name)))


def one_time_link(name: str) -> str:
    """Return the path of a new link that logs a user in once."""
    return links.one_time_link(get_user_model().objects.get(pk=create_user(name)))


def tokens(name: str) -> list[str]:
    """Return the names of a user's tokens."""
    rows = ApiToken.objects.filter(user__username=name)
    return list(rows.values_list("name", flat=True))


def login(name: str) -> dict[str, str]:
    """Return the cookies of a new log-in."""
    request = _log_in(SessionStore(), name)
    return {
        settings.SESSION_COOKIE_NAME: str(request.session.session_key),
        settings.CSRF_COOKIE_NAME: request.META["CSRF_COOKIE"],
    }


def log_in_over(cookie: str, *, name: str) -> None:
    """Log another user in, in a browser where a user is logged in already."""
    _log_in(SessionStore(cookie), name)


def _log_in(store: SessionStore, name: str) -> HttpRequest:
    request = HttpRequest()
    request.session = store
    user = get_user_model().objects.get(pk=create_user(name))
    log_in(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    request.POST = QueryDict(urlencode({origin_key.FIELD: KEY}))
    origin_key.bind(request)
    request.session.save()
    return request


def create_session(
    name: str, *, agent: str | None = None, mode: str | None = None, title: str = "made by the rig"
) -> str:
    """Return a new session of a user; its head is 1."""
    user = get_user_model().objects.get(pk=create_user(name))
    return str(send.create_session(owner=user, agent=agent, mode=mode, title=title).pk)


def age_sessions(name: str, *, days: int, only: str | None = None) -> None:
    """Let the sessions of a user, or those of one title, have been active so many days ago."""
    rows = Session.objects.filter(owner__username=name)
    if only is not None:
        rows = rows.filter(title=only)
    rows.update(last_activity_at=timezone.now() - timedelta(days=days))


def age_import(session: str) -> None:
    """Let the last words in the terminal's copy of a chat be an hour old."""
    long_ago = timezone.now() - timedelta(hours=1)
    assert ImportedChat.objects.filter(session_id=UUID(session)).update(changed_at=long_ago)


def prompt(session: str, *, text: str) -> int:
    """Send a prompt as the session's owner; return its seq."""
    row = Session.objects.select_related("owner").get(pk=session)
    receipt = send.send_message(
        user=row.owner, client_msg_id=str(uuid.uuid4()), session_id=row.pk, text=text
    )
    return receipt.seq


def append(session: str, *, count: int, batch: int = BATCH, text: str = TEXT) -> int:
    """Append events that belong to no turn, batch by batch; return the head."""
    head = store.get_head_seq(UUID(session))
    for done in range(0, count, batch):
        titles = [
            title_changed(title=f"{text} {head + done + n + 1}")
            for n in range(min(batch, count - done))
        ]
        store.append(UUID(session), titles)
    return store.get_head_seq(UUID(session))


def append_drafts(session: str, *, drafts: list[tuple[str, dict[str, Any]]]) -> int:
    """Append events of any type, as (type, payload); return the head."""
    made = [Draft(EventType(kind), cast("Payload", payload)) for kind, payload in drafts]
    store.append(UUID(session), made)
    return store.get_head_seq(UUID(session))


def long_chat(
    session: str, *, turns: int, chars: int, blocks: int = 1, is_open: bool = False
) -> int:
    """Append answers of so many characters, in so many blocks each; return the head.

    is_open: one more answer follows, as deltas, and does not end.
    """
    head = 0
    for turn in range(turns):
        head = _append(session, _long_answer(f"t{turn}", chars, blocks))
    if is_open:
        *begun, _end, _message_end, _turn_end = _long_answer("open", 0, 1)
        text = "a growing answer " * 1000
        deltas = [
            drafts.block_delta(message_id="a-open", block_id="a-open.1", delta=text)
            for _ in range(chars // len(text))
        ]
        head = _append(session, [*begun, *deltas])
    return head


def _append(session: str, new: list[Draft]) -> int:
    return store.append(UUID(session), new)[-1].seq


def _long_answer(turn: str, chars: int, blocks: int) -> list[Draft]:
    """Return a whole turn."""
    message, prompt = f"a-{turn}", f"c-{turn}"
    told = [
        drafts.user_message(message_id=f"u-{turn}", client_msg_id=prompt, text="Tell me all."),
        drafts.turn_start(turn_id=turn, client_msg_id=prompt),
        drafts.message_start(message_id=message, turn_id=turn),
    ]
    for number in range(1, blocks + 1):
        block = f"{message}.{number}"
        text = "All of it, line by line.\n" * (chars // blocks // 25)
        told += [
            drafts.block_start(message_id=message, block_id=block, block_type=BlockType.TEXT),
            drafts.block_end(message_id=message, block_id=block, content=text),
        ]
    told += [
        drafts.message_end(message_id=message),
        drafts.turn_end(turn_id=turn, stop_reason=StopReason.END_TURN),
    ]
    return told


def set_state(session: str, state: str) -> None:
    """Put a session into a state without an event: only for tests of readers of states."""
    Session.objects.filter(pk=session).update(state=state)


def prune(session: str, *, upto: int) -> None:
    """Note that events up to a seq may be missing."""
    Session.objects.filter(pk=session).update(pruned_to=upto)


def events(session: str) -> list[dict[str, Any]]:
    """Return the whole log of a session."""
    rows = Event.objects.filter(session_id=session).order_by("seq")
    return [{"seq": row.seq, "type": row.type, **row.payload} for row in rows]


def session(session: str) -> dict[str, Any]:
    """Return the row of a session."""
    row = Session.objects.get(pk=session)
    return {
        "head": row.head_seq,
        "state": row.state,
        "runState": row.run_state,
        "foreground": row.foreground,
        "background": row.background,
    }


def prompts(name: str) -> list[dict[str, Any]]:
    """Return the prompts of a user."""
    rows = Prompt.objects.filter(owner_id=create_user(name)).order_by("pk")
    return [
        {"clientMsgId": row.client_msg_id, "session": str(row.session_id), "state": row.state}
        for row in rows
    ]


def connection(connection: str) -> dict[str, Any]:
    """Return the row of a connection."""
    row = Connection.objects.get(pk=connection)
    return {
        "open": row.closed_at is None,
        "reason": row.close_reason,
        "process": row.process,
        "pinged": row.pinged_at is not None,
    }


def open_connections(name: str) -> int:
    """Return how many streams a user has open."""
    return connections.live_connections().filter(user_id=create_user(name)).count()


def watch(connection: str, session: str) -> dict[str, Any] | None:
    """Return the row of a watch, None without one."""
    row = Watch.objects.filter(connection_id=connection, session_id=session).first()
    if row is None:
        return None
    return {
        "open": row.closed_at is None,
        "background": row.background,
        "sent": row.cursor_sent,
        "acked": row.cursor_acked,
        "replayed": row.replayed,
        "skipped": row.skipped,
        "decision": row.last_decision,
        "round": row.sync_decision,
        "done": row.done_version == row.order_version,
    }


def watches(session: str) -> list[dict[str, Any]]:
    """Return the counters of every watch of a session, ended ones too."""
    rows = Watch.objects.filter(session_id=session)
    return [{"replayed": row.replayed, "skipped": row.skipped} for row in rows]


def unwatch(connection: str, session: str) -> bool:
    """End a watch by its row alone, as another process does whose poke is lost."""
    return orders.unwatch(Connection.objects.get(pk=connection), UUID(session))


def deactivate(name: str) -> None:
    """Take a user's right to log in away."""
    get_user_model().objects.filter(username=name).update(is_active=False)


def activate(name: str) -> None:
    """Give a user the right to log in back; an unknown one is made."""
    get_user_model().objects.filter(pk=create_user(name)).update(is_active=True)


def reap() -> list[str] | None:
    """Close the connections whose process is gone; return the sessions that they watched.

    None when a process that was frozen in the middle of a write holds SQLite's lock.
    """
    if database.vendor == "sqlite":
        with database.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout=500")
    try:
        return [str(session_id) for session_id in closing.reap()]
    except OperationalError:
        return None


def resync(connection: str) -> int:
    """Leave the order of the admin's action for each watch of a connection."""
    return orders.order_resync(Watch.objects.filter(connection_id=connection))


def sync_round() -> list[str]:
    """Run one round of periodic sync; return its decision for each watch."""
    return [str(done.outcome) for done in rounds.sync_round(batch=50, max_gap=200)]


def sync_holder() -> str:
    """Return the holder of periodic sync's lock, empty without one."""
    row = SyncLock.objects.first()
    return row.holder if row is not None else ""


def revoke_tokens(name: str) -> None:
    """Delete a user's tokens."""
    ApiToken.objects.filter(user__username=name).delete()


def change_password(name: str) -> None:
    """Give a user another password."""
    user = get_user_model().objects.get(username=name)
    user.set_password("another one")
    user.save()


def delete_log_ins() -> None:
    """Log everybody out, as docs/deploy/security.md tells."""
    DjangoSession.objects.all().delete()


def expire_log_ins() -> None:
    """Let the time of every log-in be up."""
    DjangoSession.objects.update(expire_date=timezone.now())


def migrate() -> None:
    """Make the tables."""
    call_command("migrate", verbosity=0, interactive=False)


def progress() -> Json:
    """Return how many prompts are open, and every session's head, state and owner."""
    orphans = Session.objects.filter(unheld(timezone.now()), state__in=sorted(LIVE_STATES))
    return {
        "open": Prompt.objects.open().count(),
        "heads": {str(pk): head for pk, head in Session.objects.values_list("pk", "head_seq")},
        "orphans": [str(row.pk) for row in orphans],
    }


def dump() -> Json:
    """Return everything that a checker holds its records against, as of one moment."""
    with consistent_read():
        chats = Session.objects.order_by("created_at").select_related("owner")
        admitted = Prompt.objects.order_by("pk").select_related("owner")
        return {
            "sessions": {str(row.pk): _dumped(row) for row in chats},
            "prompts": [
                {
                    "owner": row.owner.get_username(),
                    "clientMsgId": row.client_msg_id,
                    "sessionId": str(row.session_id),
                    "seq": row.seq,
                    "state": row.state,
                }
                for row in admitted
            ],
            "blobs": list(Blob.objects.values_list("sha256", flat=True)),
            "rules": {
                user.get_username(): list(user.rules.values_list("pk", flat=True))
                for user in get_user_model().objects.all()
            },
        }


def _dumped(row: Session) -> Json:
    logged = [event.envelope() for event in store.read(row.pk, after=0, limit=10_000_000)]
    messages = Message.objects.filter(session=row).order_by("seq").values_list("data", flat=True)
    has_owner = is_held(row, timezone.now())
    return {
        "owner": row.owner.get_username(),
        "head": row.head_seq,
        "state": row.state,
        "isLive": row.state in LIVE_STATES,
        "hasOwner": has_owner,
        "cwd": row.cwd,
        "events": logged,
        "messages": list(messages),
        "snapshot": snapshot.take(row.pk),
    }


# Every public function of this module is a call.
CALLS: dict[str, Callable[..., Any]] = {
    name: value
    for name, value in vars().items()
    if inspect.isfunction(value) and value.__module__ == __name__ and not name.startswith("_")
}
CALLS |= {call.__name__: call for call in aftermath.CALLS}


if __name__ == "__main__":
    # The database may have been restarted: the next call connects to it again.
    json_lines.answer_calls(CALLS, after_error=database.close)
