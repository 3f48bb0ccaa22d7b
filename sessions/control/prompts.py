"""The way of a prompt: accepted → dispatched → done, interrupted or failed.

Each step changes the Command and appends its events in one transaction. A step may be repeated
when its answer was lost: the second time it changes nothing.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from sessions.control import lifecycle
from sessions.control.permissions import cancelled_permissions
from sessions.core.errors import NotWaiting
from sessions.eventlog import drafts, store
from sessions.eventlog.events import Draft, Resolution, StopReason
from sessions.eventlog.fold import prompt_state
from sessions.eventlog.lease import Lease
from sessions.models import Command, Event, Session

_FINISHED = {
    "answered": Command.State.DONE,
    "interrupted": Command.State.INTERRUPTED,
    "failed": Command.State.FAILED,
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that was accepted and not yet handed to an agent."""

    command_id: int
    client_msg_id: str
    seq: int
    text: str


def next_accepted(session_id: UUID) -> Prompt | None:
    """Return the oldest prompt that waits, or None."""
    command = Command.objects.waiting().filter(session_id=session_id).order_by("seq").first()
    if command is None:
        return None
    payload = Event.objects.values_list("payload", flat=True).get(
        session_id=session_id, seq=command.seq
    )
    return Prompt(command.pk, command.client_msg_id, command.seq, payload["text"])


def dispatch(lease: Lease, prompt: Prompt, turn_id: str) -> None:
    """Record that a prompt is handed to the agent now. From here on it is never run again (I10).

    Raises NotWaiting when it was ended before it got there.
    """
    with transaction.atomic():
        lifecycle.locked(lease.session_id)
        if _take(prompt, turn_id):
            store.append(lease.session_id, [_turn_start(turn_id, prompt)], lease=lease)


def finish(lease: Lease, turn_id: str, end: Draft) -> None:
    """End a turn: cancel its open permission requests, append its turn_end, settle the prompt."""
    with transaction.atomic():
        session = lifecycle.locked(lease.session_id)
        if not _is_open(session, turn_id):
            return
        cancelled = cancelled_permissions(session, reason=Resolution.INTERRUPTED)
        store.append(lease.session_id, [*cancelled, end], lease=lease)
        settle(session, turn_id, end.payload["stopReason"])


def refuse(
    lease: Lease, prompt: Prompt, turn_id: str, *, stop_reason: StopReason, error: str | None = None
) -> None:
    """End a prompt that no agent ever got: its turn begins and ends at once.

    Raises NotWaiting when it was ended already.
    """
    with transaction.atomic():
        session = lifecycle.locked(lease.session_id)
        if not _take(prompt, turn_id):
            return
        end = drafts.turn_end(turn_id=turn_id, stop_reason=stop_reason, error=error)
        store.append(lease.session_id, [_turn_start(turn_id, prompt), end], lease=lease)
        settle(session, turn_id, stop_reason)


def refuse_waiting(lease: Lease, *, before: int) -> bool:
    """End every prompt that waits and came before seq: a stop means them too.

    Return False, and change nothing, while a turn is open: turns do not begin inside another.
    """
    with transaction.atomic():
        session = lifecycle.locked(lease.session_id)
        if session.live.get("turn"):
            return False
        while (prompt := next_accepted(session.pk)) is not None and prompt.seq < before:
            refuse(lease, prompt, new_turn_id(), stop_reason=StopReason.INTERRUPTED)
        return True


def new_turn_id() -> str:
    """Return an id for a turn, unique for ever."""
    return f"t-{uuid.uuid4()}"


def _turn_start(turn_id: str, prompt: Prompt) -> Draft:
    return drafts.turn_start(turn_id=turn_id, client_msg_id=prompt.client_msg_id)


def _take(prompt: Prompt, turn_id: str) -> bool:
    """Take a waiting prompt out of the queue; return False when this turn has it already.

    Raises NotWaiting when another turn has or had it.
    """
    rows = Command.objects.filter(pk=prompt.command_id)
    taken = rows.waiting().update(
        state=Command.State.DISPATCHED, turn_id=turn_id, dispatched_at=timezone.now()
    )
    if not taken and not rows.filter(turn_id=turn_id).exists():
        raise NotWaiting
    return bool(taken)


def _is_open(session: Session, turn_id: str) -> bool:
    turn = session.live.get("turn")
    return turn is not None and turn["turnId"] == turn_id


def settle(session: Session, turn_id: str, stop_reason: str) -> None:
    """Record the outcome of a turn on its prompt."""
    Command.objects.filter(session=session, turn_id=turn_id).update(
        state=_FINISHED[prompt_state(stop_reason)], finished_at=timezone.now()
    )
