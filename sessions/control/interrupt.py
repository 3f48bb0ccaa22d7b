"""Interrupts: ending the running turn, or the prompt that is to run next, and the agent with it.

The request is an event; the runner that holds the session carries it out, and its outcome is an
event too. See docs/reference/http-api.md.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from dataclasses import dataclass
from functools import partial
from typing import Final, TypedDict
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import DatabaseError, transaction

from sessions.control import lifecycle, prompts, queue
from sessions.control.direct import stoppers
from sessions.control.send import send_message
from sessions.core import storage
from sessions.core.conf import chat
from sessions.core.db import in_thread
from sessions.core.states import LIVE_STATES, SessionState
from sessions.eventlog import drafts, store
from sessions.eventlog.events import EventType, LoggedEvent, StopReason
from sessions.eventlog.follow import follow
from sessions.eventlog.wake import HeadWatch
from sessions.models import Session

logger = logging.getLogger(__name__)

# The wait for an outcome is so much longer than the runner's own deadline.
MARGIN_S: Final = 2.0
_OUTCOMES: Final = frozenset({EventType.TURN_END, EventType.INTERRUPT_FAILED})


@dataclass(frozen=True, slots=True)
class InterruptOutcome:
    """Whether the turn was stopped; if not, a word for the reason."""

    interrupted: bool
    code: str | None = None


class _Target(TypedDict, total=False):
    """The turn or the waiting prompt that an interrupt means; neither where there is none."""

    turn_id: str
    client_msg_id: str


async def interrupt(
    *,
    user: AbstractBaseUser,
    session_id: UUID,
    watch: HeadWatch,
    turn_id: str | None = None,
    text: str | None = None,
    client_msg_id: str | None = None,
    stop: bool = False,
) -> InterruptOutcome:
    """End the running turn, with stop the agent's process too; wait for the outcome.

    turn_id: the turn that is meant; where it is over nothing is stopped. text is a prompt to go on
    with: it is admitted together with the request, and it runs after either outcome. client_msg_id
    without a text: a waiting prompt to go on with, which runs next. No failure of an agent is
    raised; the answer comes within INTERRUPT_TIMEOUT_S and a margin.
    While nothing can be stored, a runner of this process stops at once and records it later.
    Raises UnknownSession, the errors of sessions.core.storage, those of send_message for text, and
    those of queue.put_first for a waiting prompt.
    """
    request = partial(
        _request,
        user,
        session_id,
        turn_id=turn_id,
        text=text,
        client_msg_id=client_msg_id,
        stop=stop,
    )
    try:
        requested = await in_thread(request)
        if requested is None:
            return InterruptOutcome(interrupted=False, code="not_running")
        return await _outcome(session_id, requested, watch)
    except DatabaseError as exc:
        refusal = storage.refusal(exc)
        if refusal is None:
            raise
        if text is not None or client_msg_id is not None:
            raise refusal from exc
        logger.warning("an interrupt cannot be recorded", extra={"session": str(session_id)})
        try:
            return await _unrecorded(user, session_id, turn_id=turn_id, stop=stop)
        except LookupError:
            raise refusal from exc


async def _unrecorded(
    user: AbstractBaseUser, session_id: UUID, *, turn_id: str | None, stop: bool
) -> InterruptOutcome:
    """Interrupt past the log, which takes nothing. Raises LookupError where no runner is here."""
    await in_thread(Session.objects.find, user, session_id)
    ended = await stoppers.stop_now(session_id, turn_id=turn_id, end_agent=stop)
    return InterruptOutcome(interrupted=ended, code=None if ended else "not_running")


def request_interrupt(*, by: str, session_id: UUID, stop: bool) -> bool:
    """Request an interrupt in the server's name and do not wait; return whether there is a need.

    For the admin: the owner is not checked. stop: the agent's process is to end too. An agent that
    never started is ended at once. Raises UnknownSession.
    """
    with transaction.atomic():
        session = lifecycle.locked(session_id)
        target = _target(session)
        if target or (stop and session.state in LIVE_STATES):
            request = drafts.interrupt_requested(by=by, stop=stop, **target)
            store.append(session_id, [request])
            return True
        if stop and session.state == SessionState.CREATED:
            return bool(lifecycle.move(session_id, SessionState.ENDED, "closed"))
    return False


def _request(
    user: AbstractBaseUser,
    session_id: UUID,
    *,
    turn_id: str | None,
    text: str | None,
    client_msg_id: str | None,
    stop: bool,
) -> int | None:
    """Append the request and return its seq, or None when there is nothing to interrupt.

    The target is chosen before the text is admitted, under the lock that both are under: no turn
    can end or begin in between. A waiting prompt to go on with is moved first: none is stopped then
    that would have run before it.
    """
    name = client_msg_id or str(uuid.uuid4())
    with transaction.atomic():
        session = lifecycle.locked_for(user, session_id)
        if text is None and client_msg_id is not None:
            queue.put_first(session, client_msg_id, by=user.get_username())
        target = _target(session, turn_id=turn_id, but_not=name)
        if text is not None:
            send_message(user=user, client_msg_id=name, session_id=session_id, text=text)
        if not target and not (stop and session.state in LIVE_STATES):
            return None
        request = drafts.interrupt_requested(by=user.get_username(), stop=stop, **target)
        [event] = store.append(session_id, [request])
        return event.seq if target else None


def _target(session: Session, *, turn_id: str | None = None, but_not: str = "") -> _Target:
    """Return the target of an interrupt now: the running turn, else the prompt that runs next.

    turn_id: that turn alone is meant. but_not: the prompt to go on with is never meant.
    """
    turn = session.live.get("turn")
    if turn_id is not None or turn:
        is_meant = turn and turn_id in (None, turn["turnId"]) and turn["clientMsgId"] != but_not
        return {"turn_id": turn["turnId"]} if is_meant else {}
    prompt = prompts.next_accepted(session.pk)
    is_meant = prompt is not None and prompt.client_msg_id != but_not
    return {"client_msg_id": prompt.client_msg_id} if prompt and is_meant else {}


async def _outcome(session_id: UUID, requested: int, watch: HeadWatch) -> InterruptOutcome:
    """Wait for the first event after the request that tells its outcome."""
    outcomes = follow(session_id, watch, after=requested, types=_OUTCOMES)
    try:
        async with asyncio.timeout(chat.INTERRUPT_TIMEOUT_S + MARGIN_S):
            return _told_by(await anext(outcomes))
    except TimeoutError:
        return await in_thread(_not_carried_out, session_id, requested)
    finally:
        await outcomes.aclose()


def _told_by(event: LoggedEvent) -> InterruptOutcome:
    if event.type == EventType.INTERRUPT_FAILED:
        return InterruptOutcome(interrupted=False, code=event.payload["code"])
    if event.payload["stopReason"] == StopReason.INTERRUPTED:
        return InterruptOutcome(interrupted=True)
    # The turn ended by itself before the interrupt reached it.
    return InterruptOutcome(interrupted=False, code="not_running")


def _not_carried_out(session_id: UUID, requested: int) -> InterruptOutcome:
    """Record that no runner answered, unless one did in the last moment."""
    with transaction.atomic():
        lifecycle.locked(session_id)
        for event in store.read(session_id, after=requested, limit=1, types=_OUTCOMES):
            return _told_by(event)
        logger.warning("no runner carried out an interrupt", extra={"session": str(session_id)})
        failed = drafts.interrupt_failed(
            code="no_runner",
            error="The interrupt was not carried out: no runner answered.",
            escalation="none",
        )
        store.append(session_id, [failed])
    return InterruptOutcome(interrupted=False, code="no_runner")
