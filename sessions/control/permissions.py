"""Resolving permission requests: by a person, by their deadline, by the end of their turn."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from sessions.agents import registry
from sessions.agents.port import REJECTS
from sessions.control import lifecycle
from sessions.control.send import send_message
from sessions.core.errors import (
    DigestRequired,
    InvalidRequest,
    PermissionAlreadyResolved,
    StaleRequest,
    UnknownPermission,
)
from sessions.core.source import Source
from sessions.eventlog import drafts, projection, store
from sessions.eventlog.events import BY_SERVER, CANCELLED, Draft, EventType, Resolution
from sessions.eventlog.lease import Lease
from sessions.eventlog.shapes import Permission
from sessions.models import MAX_TITLE_CHARS, Event, Session
from sessions.text.asking import PERMISSION_EXPIRED
from sessions.trail.record import NOWHERE, Act, record


def answer_permission(
    *,
    user: AbstractBaseUser,
    session_id: UUID,
    perm_id: str,
    option_id: str,
    digest: str | None,
    message: str = "",
    source: Source = NOWHERE,
) -> None:
    """Resolve an open permission request; the first answer wins over all devices.

    digest: that of the request which the person was shown. message: a sentence of the person to the
    agent, beside a denial. Raises PermissionAlreadyResolved (with the earlier answer),
    UnknownPermission, DigestRequired, StaleRequest, InvalidRequest, and as of `send_message`.
    """
    with transaction.atomic():
        session = lifecycle.locked_for(user, session_id)
        request = open_requests(session).get(perm_id)
        if request is None:
            raise _why_not_open(session_id, perm_id)
        _compare(request["digest"], digest)
        kind = _kind_of(request, option_id)
        message = message.strip()
        if message and kind not in REJECTS:
            raise InvalidRequest("A sentence goes with a denial.", field="message")
        resolved = drafts.permission_resolved(
            perm_id=perm_id,
            decision=option_id,
            by=user.get_username(),
            reason=Resolution.ANSWERED,
            message=message or None,
            digest=digest,
            credential=source.credential or None,
            credential_name=source.name or None,
            connection_id=source.connection or None,
        )
        store.append(session_id, [resolved])
        record(
            Act.DECISION,
            who=user.get_username(),
            about=f"session:{session_id} request:{perm_id}",
            source=source,
            decision=option_id,
            kind=kind,
            digest=digest,
        )
        if message and not registry.takes_messages(session.agent):
            _follow_up(user, session_id, perm_id, message)


def _kind_of(request: Permission, option_id: str) -> str:
    """Return the kind of a chosen option. Raises InvalidRequest for one that is not offered."""
    for option in request["options"]:
        if option["id"] == option_id:
            return option["kind"]
    raise InvalidRequest("The request has no such option.", field="optionId")


def _follow_up(user: AbstractBaseUser, session_id: UUID, perm_id: str, message: str) -> None:
    """Let the next prompt tell a sentence to an agent that takes none with a denial."""
    send_message(user=user, client_msg_id=f"denial-{perm_id}", session_id=session_id, text=message)


def expire_permission(
    lease: Lease, perm_id: str, *, decision: str, reason: Resolution = Resolution.TIMEOUT
) -> bool:
    """Resolve a request in the server's name; return False when an answer was faster."""
    with transaction.atomic():
        session = lifecycle.locked(lease.session_id)
        request = open_requests(session).get(perm_id)
        if request is None:
            return False
        resolved = drafts.permission_resolved(
            perm_id=perm_id, decision=decision, by=BY_SERVER, reason=reason
        )
        told = [_told_expired(request)] if reason is Resolution.TIMEOUT else []
        store.append(lease.session_id, [resolved, *told], lease=lease)
        return True


def _told_expired(request: Permission) -> Draft:
    """Return the notice of a request that no person has answered in time."""
    action = (request["title"] or request["toolName"])[:MAX_TITLE_CHARS]
    sentence = f"A permission request expired without an answer and was denied: {action}"
    return drafts.error(code=PERMISSION_EXPIRED, error=sentence)


def cancelled_permissions(session: Session, *, reason: Resolution) -> list[Draft]:
    """Return the events that resolve every open permission request of a locked session."""
    return [
        drafts.permission_resolved(perm_id=perm_id, decision=CANCELLED, by=BY_SERVER, reason=reason)
        for perm_id in open_requests(session)
    ]


def open_requests(session: Session) -> dict[str, Permission]:
    """Return the open requests of a session by their ids, the oldest first."""
    return {request["permId"]: request for request in projection.head_of(session)["permissions"]}


def _compare(asked: str | None, shown: str | None) -> None:
    """Raise an error when a person was shown another request than the one that is asked.

    A request that an older version has opened has no digest.
    """
    if asked is None:
        return
    if shown is None:
        raise DigestRequired
    if shown != asked:
        raise StaleRequest


def _why_not_open(session_id: UUID, perm_id: str) -> Exception:
    resolved = Event.objects.filter(
        session_id=session_id, type=EventType.PERMISSION_RESOLVED, payload__permId=perm_id
    ).first()
    if resolved is None:
        return UnknownPermission(permId=perm_id)
    facts = {key: resolved.payload[key] for key in ("permId", "decision", "by", "reason")}
    return PermissionAlreadyResolved(**facts)
