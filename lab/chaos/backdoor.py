"""What the suite does to a run's database: the other end of lab/chaos/database.py.

`python -m lab.chaos.backdoor` answers one JSON line per call until its stdin ends.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from typing import Any
from uuid import UUID

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402 (the app registry comes first)
from django.contrib.auth import login as log_in  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.http import HttpRequest  # noqa: E402
from django.utils import timezone  # noqa: E402

from sessions.access.login_store import SessionStore  # noqa: E402
from sessions.access.tokens import create_token  # noqa: E402
from sessions.control.send import create_session  # noqa: E402
from sessions.core.db import consistent_read  # noqa: E402
from sessions.core.states import LIVE_STATES  # noqa: E402
from sessions.eventlog import drafts, snapshot, store  # noqa: E402
from sessions.models import Command, Message, Session  # noqa: E402

Json = dict[str, Any]


def migrate() -> None:
    """Make the tables."""
    call_command("migrate", verbosity=0, interactive=False)


def user(name: str) -> Json:
    """Make a user and return the id and a bearer token."""
    made, _ = get_user_model().objects.get_or_create(username=name)
    return {"id": made.pk, "token": create_token(made)}


def login(name: str) -> Json:
    """Return the cookies of a new log-in of a user."""
    login = SessionStore()
    request = HttpRequest()
    request.session = login
    log_in(
        request, get_user_model().objects.get(username=name), settings.AUTHENTICATION_BACKENDS[0]
    )
    login.save()
    return {
        settings.SESSION_COOKIE_NAME: login.session_key,
        settings.CSRF_COOKIE_NAME: request.META["CSRF_COOKIE"],
    }


def session(name: str, mode: str) -> str:
    """Make a session of a user with the demo agent and return its id."""
    owner = get_user_model().objects.get(username=name)
    made = create_session(owner=owner, agent="demo", mode=mode, title="chaos")
    return str(made.pk)


def append(session: str, count: int) -> int:
    """Append events that no server expects, in one transaction; return the head."""
    before = store.get_head_seq(UUID(session))
    titles = [f"chaos {before + n + 1}" for n in range(count)]
    changes = [drafts.title_changed(title=title) for title in titles]
    return store.append(UUID(session), changes)[-1].seq


def progress() -> Json:
    """Return how many prompts are open, and every session's head, state and owner."""
    open_states = [Command.State.ACCEPTED, Command.State.DISPATCHED]
    now = timezone.now()
    orphans = [
        str(row.pk)
        for row in Session.objects.filter(state__in=sorted(LIVE_STATES))
        if row.lease_until is None or row.lease_until < now
    ]
    return {
        "open": Command.objects.filter(state__in=open_states).count(),
        "heads": {str(pk): head for pk, head in Session.objects.values_list("pk", "head_seq")},
        "orphans": orphans,
    }


def dump() -> Json:
    """Return everything that the checker holds the records against, as of one moment."""
    with consistent_read():
        rows = Session.objects.order_by("created_at").select_related("owner")
        commands = Command.objects.order_by("pk").select_related("owner")
        return {
            "sessions": {str(row.pk): _session(row) for row in rows},
            "commands": [
                {
                    "owner": row.owner.get_username(),
                    "clientMsgId": row.client_msg_id,
                    "sessionId": str(row.session_id),
                    "seq": row.seq,
                    "state": row.state,
                }
                for row in commands
            ],
        }


def _session(row: Any) -> Json:
    events = [event.envelope() for event in store.read(row.pk, after=0, limit=10_000_000)]
    messages = Message.objects.filter(session=row).order_by("seq").values_list("data", flat=True)
    has_owner = row.lease_until is not None and row.lease_until >= timezone.now()
    return {
        "owner": row.owner.get_username(),
        "head": row.head_seq,
        "state": row.state,
        "isLive": row.state in LIVE_STATES,
        "hasOwner": has_owner,
        "cwd": row.cwd,
        "events": events,
        "messages": list(messages),
        "snapshot": snapshot.take(row.pk),
    }


CALLS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (append, dump, login, migrate, progress, session, user)
}


def main() -> None:
    """Answer calls until stdin ends."""
    for line in sys.stdin:
        arguments = json.loads(line)
        try:
            answer = {"result": CALLS[arguments.pop("call")](**arguments)}
        except Exception:  # noqa: BLE001 (the suite shows it)
            answer = {"error": traceback.format_exc()}
            # The database may have been restarted: begin anew with the next call.
            connection.close()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
