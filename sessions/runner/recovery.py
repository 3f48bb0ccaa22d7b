"""What a dead runner left behind is closed and told: no half message, no orphan, no second run."""

from __future__ import annotations

import asyncio
import logging

from django.db import transaction

from sessions.agents.processes import tree
from sessions.control import lifecycle, prompts
from sessions.core.db import in_thread
from sessions.core.states import LIVE_STATES, SessionState
from sessions.eventlog import snapshot, store
from sessions.eventlog.events import Draft, Json
from sessions.eventlog.store import Lease
from sessions.models import Event, Session

logger = logging.getLogger(__name__)

REASON = "server_restart"


async def take_over(lease: Lease) -> None:
    """Recover a session, and end what its last agent still has running here. Raises LeaseLost."""
    if await in_thread(recover, lease):
        session_id = str(lease.session_id)
        killed = await asyncio.to_thread(tree.kill_session, session_id)
        facts = {"session": session_id, "epoch": lease.epoch, "strays": killed}
        logger.warning("recovered what a runner left", extra=facts)


def recover(lease: Lease) -> bool:
    """End what was running when the session's last runner died; return whether anything was.

    The open message and its blocks end, open permission requests are resolved as `restart`, the
    turn ends as `server_restart` and its prompt counts as interrupted, the session is ENDED.
    Prompts that no agent got stay accepted: they run next, unless a person had stopped them, too.
    Raises LeaseLost.
    """
    with transaction.atomic():
        session = lifecycle.locked(lease.session_id)
        drafts = _closing(session)
        turn = session.live.get("turn")
        if drafts:
            store.append(session.pk, drafts, lease=lease)
        if turn:
            prompts.settle(session, turn["turnId"], REASON)
        prompts.refuse_waiting(lease, before=_stopped_at(session))
        was_live = session.state in LIVE_STATES
        if was_live:
            lifecycle.force_ended(session.pk, REASON, lease=lease)
    return was_live or bool(drafts)


def _stopped_at(session: Session) -> int:
    """Return the seq of the last stop that waiting prompts came before, 0 without one."""
    prompt = prompts.next_accepted(session.pk)
    if prompt is None:
        return 0
    stops = Event.objects.filter(
        session=session, seq__gt=prompt.seq, type="interrupt_requested", payload__stop=True
    )
    return stops.order_by("-seq").values_list("seq", flat=True).first() or 0


def _closing(session: Session) -> list[Draft]:
    drafts: list[Draft] = []
    current = snapshot.take(session.pk)["current"]
    if current is not None:
        drafts += _end_of(current)
    drafts += prompts.cancel_permissions(session, reason="restart")
    turn = session.live.get("turn")
    if turn:
        ended = {
            "turnId": turn["turnId"],
            "stopReason": REASON,
            "error": "The server restarted while the agent was answering.",
        }
        drafts.append(Draft("turn_end", ended))
    return drafts


def _end_of(message: Json) -> list[Draft]:
    message_id = message["messageId"]
    ends = [
        Draft(
            "block_end",
            {"messageId": message_id, "blockId": block["blockId"], "content": block["content"]},
        )
        for block in message["blocks"]
        if not block["done"]
    ]
    return [*ends, Draft("message_end", {"messageId": message_id})]


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
