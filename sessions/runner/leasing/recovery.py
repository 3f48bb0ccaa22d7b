"""Recovery of sessions that a dead runner left: no half message, no orphan, no second run."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Final

from django.db import transaction

from sessions.agents.processes import tree
from sessions.control import lifecycle, prompts
from sessions.core.db import retry_while_down
from sessions.core.states import LIVE_STATES, SessionState
from sessions.eventlog import drafts, store
from sessions.eventlog.bounded import growing
from sessions.eventlog.events import Draft, EventType, Resolution, StopReason
from sessions.eventlog.lease import Lease
from sessions.eventlog.shapes import AssistantMessage
from sessions.models import Event, Session

logger = logging.getLogger(__name__)

REASON: Final = StopReason.SERVER_RESTART
# The sentences for a turn that its runner left open, by the cause.
RESTARTED: Final = "The server restarted while the agent was answering."
CUT_OFF: Final = "The server could not reach its database while the agent was answering."
FAILED: Final = "The server failed while the agent was answering; the failure has been logged."


async def take_over(lease: Lease, *, cause: str = RESTARTED) -> None:
    """Recover a session, and end the processes that its last agent left here. Raises LeaseLost.

    cause: the sentence for a turn that was left open.
    """
    if await retry_while_down(partial(recover, lease, cause=cause)):
        session_id = str(lease.session_id)
        killed = await asyncio.to_thread(tree.kill_session, session_id)
        facts = {"session": session_id, "epoch": lease.epoch, "strays": killed}
        logger.warning("recovered a session that a runner left", extra=facts)


def recover(lease: Lease, *, cause: str = RESTARTED) -> bool:
    """End all that ran when the session's last runner left it; return whether anything did.

    The open message and its blocks end, open permission requests are resolved as `restart`, the
    turn ends as `server_restart` and its prompt counts as interrupted, the session is ENDED.
    Prompts that no agent had stay accepted: they run next, unless a person had stopped them, too.
    Raises LeaseLost.
    """
    with transaction.atomic():
        session = lifecycle.locked(lease.session_id)
        was_open = _close(session, lease, REASON, cause, Resolution.RESTART)
        prompts.refuse_waiting(lease, before=_stopped_at(session))
        was_live = session.state in LIVE_STATES
        if was_live:
            lifecycle.force_ended(session.pk, REASON, lease=lease)
    return was_live or was_open


def close_turn(lease: Lease, reason: StopReason, error: str | None) -> None:
    """End the turn that is open, and all that is open in it, by the log alone."""
    with transaction.atomic():
        session = lifecycle.locked(lease.session_id)
        _close(session, lease, reason, error, Resolution.INTERRUPTED)


def _close(
    session: Session, lease: Lease, reason: StopReason, error: str | None, resolution: Resolution
) -> bool:
    """End everything that is open in a locked session; return whether anything was."""
    closing: list[Draft] = []
    current = growing.whole(session)
    if current is not None:
        closing += _end_of(current)
    closing += prompts.cancelled_requests(session, reason=resolution)
    turn = session.live.get("turn")
    if turn:
        closing.append(drafts.turn_end(turn_id=turn["turnId"], stop_reason=reason, error=error))
    if closing:
        store.append(session.pk, closing, lease=lease)
    if turn:
        prompts.settle(session, turn["turnId"], reason)
    return bool(closing)


def _stopped_at(session: Session) -> int:
    """Return the seq of the last stop that waiting prompts came before, 0 without one."""
    oldest = prompts.oldest_waiting(session.pk)
    if oldest is None:
        return 0
    stops = Event.objects.filter(
        session=session, seq__gt=oldest, type=EventType.INTERRUPT_REQUESTED, payload__stop=True
    )
    return stops.order_by("-seq").values_list("seq", flat=True).first() or 0


def _end_of(message: AssistantMessage) -> list[Draft]:
    message_id = message["messageId"]
    ends = [
        drafts.block_end(message_id=message_id, block_id=block["blockId"], content=block["content"])
        for block in message["blocks"]
        if not block["done"]
    ]
    # The pieces of an output may be pruned, so a result has them all.
    results = [
        drafts.tool_result(
            message_id=message_id,
            tool_id=block["toolId"],
            status="cancelled",
            content=block["result"],
        )
        for block in message["blocks"]
        if block["status"] is None and block["toolId"] is not None and block["result"] is not None
    ]
    return [*ends, *results, drafts.message_end(message_id=message_id)]


def reopen(lease: Lease) -> bool:
    """Make an ended session ready for the prompts that wait in it; return whether any do."""
    with transaction.atomic():
        session = lifecycle.locked(lease.session_id)
        if prompts.next_accepted(session.pk) is None:
            return False
        if Session.objects.values_list("state", flat=True).get(pk=session.pk) == (
            SessionState.ENDED
        ):
            lifecycle.move(session.pk, SessionState.CREATED, "prompt", lease=lease)
        return True
