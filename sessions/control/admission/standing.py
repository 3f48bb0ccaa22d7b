"""The standing of a prompt before its admission: all that its rules ask of the rows of prompts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection
from django.utils import timezone

from sessions.control.admission.sent import Sent
from sessions.core.conf import chat
from sessions.core.errors import FingerprintConflict, RateLimited, TooManyPrompts
from sessions.models import Prompt, Session

RATE_WINDOW: Final = timedelta(seconds=60)
RETRY_FULL_QUEUE_S: Final = 10


class Receipt(NamedTuple):
    """The prompt is in the log, at this seq, exactly once."""

    client_msg_id: str
    session_id: UUID
    seq: int
    duplicate: bool


class Standing(NamedTuple):
    """The receipt of an earlier admission, the user's recent prompts, the session's waiting ones.

    Both counts end at their limits.
    """

    receipt: Receipt | None
    recent: int
    waiting: int

    def require_room(self, sent: Sent) -> None:
        """Raise RateLimited or TooManyPrompts."""
        if self.recent >= chat.SENDS_PER_MINUTE:
            raise RateLimited(clientMsgId=sent.client_msg_id, retryAfter=_wait_s(sent))
        if self.waiting >= chat.MAX_QUEUED_PROMPTS:
            raise TooManyPrompts(sessionId=str(sent.session_id), retryAfter=RETRY_FULL_QUEUE_S)


_TABLE: Final = Prompt._meta.db_table  # noqa: SLF001 (documented API of Django in spite of its name)
# The states in words are those of the index of open prompts, by which SQLite finds it.
# The parameters: owner, from, to, limit; session, state, limit; owner, client_msg_id.
_STANDING: Final = f"""
    SELECT known.fingerprint, known.session_id, known.seq,
        (SELECT COUNT(*) FROM (SELECT 1 FROM {_TABLE} WHERE owner_id = %s
            AND created_at > %s AND created_at <= %s LIMIT %s) AS recent),
        (SELECT COUNT(*) FROM (SELECT 1 FROM {_TABLE} WHERE session_id = %s
            AND state IN ('accepted', 'dispatched') AND state = %s LIMIT %s) AS waiting)
    FROM (SELECT 1) AS one
    LEFT JOIN {_TABLE} AS known ON known.owner_id = %s AND known.client_msg_id = %s
"""  # noqa: S608 (our own table's name)


def of(sent: Sent, session: Session | None = None) -> Standing:
    """Return the standing of a prompt: one statement. Raises FingerprintConflict.

    session: the one whose waiting prompts count, its row locked.
    """
    session_id = Session._meta.pk.get_db_prep_value(session and session.pk, connection)  # noqa: SLF001
    window = [_stored(moment) for moment in _window()]
    with connection.cursor() as cursor:
        cursor.execute(
            _STANDING,
            [
                *(sent.user.pk, *window, chat.SENDS_PER_MINUTE),
                *(session_id, Prompt.State.ACCEPTED, chat.MAX_QUEUED_PROMPTS),
                *(sent.user.pk, sent.client_msg_id),
            ],
        )
        fingerprint, known_session, seq, recent, waiting = cursor.fetchone()
    if fingerprint is None:
        return Standing(None, recent, waiting)
    if fingerprint != sent.fingerprint:
        raise FingerprintConflict(clientMsgId=sent.client_msg_id)
    receipt = Receipt(sent.client_msg_id, UUID(str(known_session)), seq, duplicate=True)
    return Standing(receipt, recent, waiting)


def _window() -> tuple[datetime, datetime]:
    """Return the times between which a prompt counts as recent.

    A row from the future, which a clock that was set back leaves behind, is not recent. A row
    that is a little ahead is: sends at once read the clock before they wait for the database.
    """
    now = timezone.now()
    return now - RATE_WINDOW, now + RATE_WINDOW


def _stored(moment: datetime) -> object:
    field = Prompt._meta.get_field("created_at")  # noqa: SLF001 (as above)
    return field.get_db_prep_value(moment, connection)


def _wait_s(sent: Sent) -> int:
    """Return the seconds until the user may send once more."""
    since, until = _window()
    recent = Prompt.objects.filter(
        owner_id=sent.user.pk, created_at__gt=since, created_at__lte=until
    )
    times = recent.order_by("-created_at").values_list("created_at", flat=True)
    last = chat.SENDS_PER_MINUTE - 1
    oldest = next(iter(times[last : last + 1]), since)
    wait = min(oldest - since, RATE_WINDOW)
    return max(1, round(wait.total_seconds() + 0.5))
