"""Resolving permission requests: by a person, by their deadline, by the end of their turn."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from sessions.control import lifecycle
from sessions.core.errors import InvalidRequest, PermissionAlreadyResolved, UnknownPermission
from sessions.eventlog import drafts, store
from sessions.eventlog.events import BY_SERVER, CANCELLED, Draft, EventType, Resolution
from sessions.eventlog.lease import Lease
from sessions.eventlog.shapes import Permission
from sessions.models import Event, Session


def answer_permission(
    *, user: AbstractBaseUser, session_id: UUID, perm_id: str, option_id: str
) -> None:
    """Resolve an open permission request; the first answer wins over all devices.

    Raises PermissionAlreadyResolved (with the earlier answer), UnknownPermission, InvalidRequest.
    """
    with transaction.atomic():
        session = lifecycle.locked_for(user, session_id)
        request = _open(session).get(perm_id)
        if request is None:
            raise _why_not_open(session_id, perm_id)
        if option_id not in {option["id"] for option in request["options"]}:
            raise InvalidRequest("The request has no such option.", field="optionId")
        resolved = drafts.permission_resolved(
            perm_id=perm_id,
            decision=option_id,
            by=user.get_username(),
            reason=Resolution.ANSWERED,
        )
        store.append(session_id, [resolved])


def expire_permission(lease: Lease, perm_id: str, *, decision: str) -> bool:
    """Resolve a request whose time is over; return False when an answer was faster."""
    with transaction.atomic():
        session = lifecycle.locked(lease.session_id)
        if perm_id not in _open(session):
            return False
        resolved = drafts.permission_resolved(
            perm_id=perm_id, decision=decision, by=BY_SERVER, reason=Resolution.TIMEOUT
        )
        store.append(lease.session_id, [resolved], lease=lease)
        return True


def cancelled_permissions(session: Session, *, reason: Resolution) -> list[Draft]:
    """Return the events that resolve every open permission request of a locked session."""
    return [
        drafts.permission_resolved(perm_id=perm_id, decision=CANCELLED, by=BY_SERVER, reason=reason)
        for perm_id in _open(session)
    ]


def _open(session: Session) -> dict[str, Permission]:
    requests: list[Permission] = session.live.get("permissions", [])
    return {request["permId"]: request for request in requests}


def _why_not_open(session_id: UUID, perm_id: str) -> Exception:
    resolved = Event.objects.filter(
        session_id=session_id, type=EventType.PERMISSION_RESOLVED, payload__permId=perm_id
    ).first()
    if resolved is None:
        return UnknownPermission(permId=perm_id)
    facts = {key: resolved.payload[key] for key in ("permId", "decision", "by", "reason")}
    return PermissionAlreadyResolved(**facts)
