"""What may be asked of a session: every command of people and scripts, one transaction each."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import TypedDict
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils import timezone

from sessions.agents import registry
from sessions.control import lifecycle, prompts
from sessions.core.clean import clean_text
from sessions.core.conf import chat
from sessions.core.db import in_thread
from sessions.core.errors import (
    FingerprintConflict,
    InvalidRequest,
    PermissionAlreadyResolved,
    PromptTooLarge,
    RateLimited,
    TooManyPrompts,
    UnknownMode,
    UnknownPermission,
    UnknownSession,
)
from sessions.core.states import LIVE_STATES, SessionState
from sessions.eventlog import drafts, store
from sessions.eventlog.events import BY_AGENT, EventType, LoggedEvent, Resolution, StopReason
from sessions.models import Command, Event, Session
from sessions.workspace import folders

logger = logging.getLogger(__name__)

MAX_CLIENT_MSG_ID = 100
MAX_TITLE = 200
# How often the answer to an interrupt is looked for, and how long past the runner's own deadline.
INTERRUPT_POLL_S = 0.05
INTERRUPT_MARGIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """The prompt is in the log, at this seq, exactly once."""

    client_msg_id: str
    session_id: UUID
    seq: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class InterruptOutcome:
    """Whether the turn was stopped; if not, a word for the reason."""

    interrupted: bool
    code: str | None = None


def owned(user: AbstractBaseUser, session_id: UUID) -> Session:
    """Return a session of this user; another's is as if it did not exist: UnknownSession."""
    session = Session.objects.filter(pk=session_id, owner_id=user.pk).first()
    if session is None:
        raise UnknownSession(sessionId=str(session_id))
    return session


# --- Prompts ------------------------------------------------------------------------------------


def send_message(
    *,
    user: AbstractBaseUser,
    client_msg_id: str,
    session_id: UUID | None,
    text: str,
    agent: str | None = None,
    mode: str | None = None,
    cwd: str | None = None,
) -> Receipt:
    """Admit a prompt exactly once, whatever is retried or sent at once (I4).

    session_id None makes a session for it. Raises InvalidRequest, PromptTooLarge,
    FingerprintConflict, RateLimited, TooManyPrompts, UnknownSession, UnknownAgent, FolderRefused.
    """
    _check_prompt(client_msg_id, text)
    fingerprint = _fingerprint(session_id, text, agent, mode, cwd)
    known = _receipt(user, client_msg_id, fingerprint)
    if known is not None:
        return known
    try:
        with transaction.atomic():
            known = _receipt(user, client_msg_id, fingerprint)
            if known is not None:
                return known
            return _admit(user, client_msg_id, fingerprint, session_id, text, agent, mode, cwd)
    except IntegrityError:
        # Another request under the same id was admitted while this one ran: its receipt is ours.
        known = _receipt(user, client_msg_id, fingerprint)
        if known is None:
            raise
        return known


def _check_prompt(client_msg_id: str, text: str) -> None:
    if not 1 <= len(client_msg_id) <= MAX_CLIENT_MSG_ID or clean_text(client_msg_id) != (
        client_msg_id
    ):
        raise InvalidRequest(
            f"clientMsgId must have 1 to {MAX_CLIENT_MSG_ID} characters.", field="clientMsgId"
        )
    if not text.strip():
        raise InvalidRequest("The prompt is empty.", field="text")
    size = len(text.encode(errors="replace"))
    if size > chat.MAX_PROMPT_BYTES:
        raise PromptTooLarge(
            f"The prompt has {size} bytes; {chat.MAX_PROMPT_BYTES} are allowed.",
            clientMsgId=client_msg_id,
            maxBytes=chat.MAX_PROMPT_BYTES,
        )


def _fingerprint(session_id: UUID | None, *parts: str | None) -> str:
    meaning = json.dumps([str(session_id) if session_id else None, *parts])
    return hashlib.sha256(meaning.encode()).hexdigest()


def _receipt(user: AbstractBaseUser, client_msg_id: str, fingerprint: str) -> Receipt | None:
    command = Command.objects.filter(owner_id=user.pk, client_msg_id=client_msg_id).first()
    if command is None:
        return None
    if command.fingerprint != fingerprint:
        raise FingerprintConflict(clientMsgId=client_msg_id)
    return Receipt(client_msg_id, command.session_id, command.seq, duplicate=True)


def _admit(
    user: AbstractBaseUser,
    client_msg_id: str,
    fingerprint: str,
    session_id: UUID | None,
    text: str,
    agent: str | None,
    mode: str | None,
    cwd: str | None,
) -> Receipt:
    _check_rate(user, client_msg_id)
    if session_id is None:
        session = create_session(
            owner=user, agent=agent, mode=mode, cwd=cwd, title=_title_from(text)
        )
    else:
        session = _reopened(user, session_id)
    message = drafts.user_message(
        message_id=f"u-{uuid.uuid4()}", client_msg_id=client_msg_id, text=text
    )
    [event] = store.append(session.pk, [message])
    Command.objects.create(
        owner_id=user.pk,
        client_msg_id=client_msg_id,
        fingerprint=fingerprint,
        session=session,
        seq=event.seq,
    )
    return Receipt(client_msg_id, session.pk, event.seq, duplicate=False)


def _check_rate(user: AbstractBaseUser, client_msg_id: str) -> None:
    now = timezone.now()
    recent = Command.objects.filter(owner_id=user.pk, created_at__gt=now - timedelta(minutes=1))
    times = list(
        recent.order_by("-created_at").values_list("created_at", flat=True)[: chat.SENDS_PER_MINUTE]
    )
    if len(times) < chat.SENDS_PER_MINUTE:
        return
    wait_s = 60 - (now - times[-1]).total_seconds()
    raise RateLimited(clientMsgId=client_msg_id, retryAfter=max(1, round(wait_s + 0.5)))


def _reopened(user: AbstractBaseUser, session_id: UUID) -> Session:
    """Return the user's session, locked and ready for a prompt."""
    owned(user, session_id)
    session = lifecycle.locked(session_id)
    waiting = Command.objects.filter(session=session, state=Command.State.ACCEPTED).count()
    if waiting >= chat.MAX_QUEUED_PROMPTS:
        raise TooManyPrompts(sessionId=str(session_id), retryAfter=10)
    if session.state == SessionState.ENDED:
        lifecycle.move(session_id, SessionState.CREATED, "prompt")
        # The close is done: this prompt came after it.
        Session.objects.filter(pk=session_id).update(closes_when_done=False)
    if session.archived_at is not None:
        Session.objects.filter(pk=session_id).update(archived_at=None)
    return session


def _title_from(text: str) -> str:
    first_line = text.strip().splitlines()[0].strip()
    return first_line if len(first_line) <= 60 else first_line[:59].rstrip() + "…"


def create_session(
    *,
    owner: AbstractBaseUser,
    agent: str | None = None,
    mode: str | None = None,
    cwd: str | None = None,
    title: str = "",
) -> Session:
    """Create a session with its first event. Raises UnknownAgent, FolderRefused."""
    name = registry.check(agent or registry.default())
    session = Session(owner_id=owner.pk, agent=name)
    folder = folders.check(cwd) if cwd else folders.own_folder(session.pk)
    session.cwd = str(folder)
    with transaction.atomic():
        session.save(force_insert=True)
        created = drafts.session_created(
            title=title[:MAX_TITLE], agent=name, mode=(mode or "")[:64], cwd=str(folder)
        )
        store.append(session.pk, [created])
    return session


# --- Interrupt and stop -------------------------------------------------------------------------


async def interrupt(
    *,
    user: AbstractBaseUser,
    session_id: UUID,
    turn_id: str | None = None,
    text: str | None = None,
    client_msg_id: str | None = None,
    kill: bool = False,
) -> InterruptOutcome:
    """Stop the running turn, and with kill the agent's process too; wait for what came of it.

    turn_id: the turn that is meant; where it is over nothing is stopped. text is a prompt to go on
    with: it is admitted together with the request, and whatever comes of that, it runs. Never
    raises because of the agent; answers within INTERRUPT_TIMEOUT_S and a margin.
    Raises UnknownSession, and what send_message raises for text.
    """
    requested = await in_thread(
        _request_interrupt,
        user,
        session_id,
        turn_id=turn_id,
        text=text,
        client_msg_id=client_msg_id or str(uuid.uuid4()),
        kill=kill,
    )
    if requested is None:
        return InterruptOutcome(interrupted=False, code="not_running")
    return await _interrupt_outcome(session_id, requested)


def request_interrupt(*, by: str, session_id: UUID, stop: bool) -> bool:
    """Request an interrupt in the server's name and do not wait; return whether there is a need.

    For the admin: asks nobody whose session it is. stop: the agent's process is to end too. An
    agent that never started is ended at once. Raises UnknownSession.
    """
    with transaction.atomic():
        session = lifecycle.locked(session_id)
        target = _interruptible(session)
        if target or (stop and session.state in LIVE_STATES):
            request = drafts.interrupt_requested(by=by, stop=stop, **target)
            store.append(session_id, [request])
            return True
        if stop and session.state == SessionState.CREATED:
            return bool(lifecycle.move(session_id, SessionState.ENDED, "closed"))
    return False


def _request_interrupt(
    user: AbstractBaseUser,
    session_id: UUID,
    *,
    turn_id: str | None,
    text: str | None,
    client_msg_id: str,
    kill: bool,
) -> int | None:
    """Append the request and return its seq, or None when there is nothing to interrupt.

    What is meant is chosen before the text is admitted, under the lock that both are under: no
    turn can end or begin in between.
    """
    owned(user, session_id)
    with transaction.atomic():
        session = lifecycle.locked(session_id)
        target = _interruptible(session, turn_id=turn_id, but_not=client_msg_id)
        if text is not None:
            send_message(user=user, client_msg_id=client_msg_id, session_id=session_id, text=text)
        if not target and not (kill and session.state in LIVE_STATES):
            return None
        request = drafts.interrupt_requested(by=user.get_username(), stop=kill, **target)
        [event] = store.append(session_id, [request])
        return event.seq if target else None


class _Target(TypedDict, total=False):
    """The turn or the waiting prompt that an interrupt means; neither where there is none."""

    turn_id: str
    client_msg_id: str


def _interruptible(session: Session, *, turn_id: str | None = None, but_not: str = "") -> _Target:
    """Return what an interrupt means now: the running turn, else the prompt that is to run next.

    turn_id: that turn alone is meant. but_not: the prompt to go on with is never meant.
    """
    turn = session.live.get("turn")
    if turn_id is not None or turn:
        is_meant = turn and turn_id in (None, turn["turnId"]) and turn["clientMsgId"] != but_not
        return {"turn_id": turn["turnId"]} if is_meant else {}
    prompt = prompts.next_accepted(session.pk)
    is_meant = prompt is not None and prompt.client_msg_id != but_not
    return {"client_msg_id": prompt.client_msg_id} if prompt and is_meant else {}


async def _interrupt_outcome(session_id: UUID, requested: int) -> InterruptOutcome:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + chat.INTERRUPT_TIMEOUT_S + INTERRUPT_MARGIN_S
    while loop.time() < deadline:
        event = await in_thread(_first_outcome, session_id, requested)
        if event is not None:
            return _outcome_of(event)
        await asyncio.sleep(INTERRUPT_POLL_S)
    logger.warning("nobody carried out an interrupt", extra={"session": str(session_id)})
    failed = drafts.interrupt_failed(
        code="no_runner",
        error="The interrupt was not carried out: no runner answered.",
        escalation="none",
    )
    await in_thread(store.append, session_id, [failed])
    return InterruptOutcome(interrupted=False, code="no_runner")


def _first_outcome(session_id: UUID, after: int) -> LoggedEvent | None:
    types = (EventType.TURN_END, EventType.INTERRUPT_FAILED)
    found = store.read(session_id, after=after, limit=1, types=types)
    return found[0] if found else None


def _outcome_of(event: LoggedEvent) -> InterruptOutcome:
    if event.type == EventType.INTERRUPT_FAILED:
        return InterruptOutcome(interrupted=False, code=event.payload["code"])
    if event.payload["stopReason"] == StopReason.INTERRUPTED:
        return InterruptOutcome(interrupted=True)
    # The turn ended by itself before the interrupt reached it.
    return InterruptOutcome(interrupted=False, code="not_running")


# --- Permissions, modes, the rest ---------------------------------------------------------------


def answer_permission(
    *, user: AbstractBaseUser, session_id: UUID, perm_id: str, option_id: str
) -> None:
    """Resolve an open permission request; the first answer wins over all devices.

    Raises PermissionAlreadyResolved (with who answered), UnknownPermission, InvalidRequest.
    """
    owned(user, session_id)
    with transaction.atomic():
        session = lifecycle.locked(session_id)
        request = next(
            (p for p in session.live.get("permissions", []) if p["permId"] == perm_id), None
        )
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


def _why_not_open(session_id: UUID, perm_id: str) -> Exception:
    resolved = Event.objects.filter(
        session_id=session_id, type=EventType.PERMISSION_RESOLVED, payload__permId=perm_id
    ).first()
    if resolved is None:
        return UnknownPermission(permId=perm_id)
    facts = {key: resolved.payload[key] for key in ("permId", "decision", "by", "reason")}
    return PermissionAlreadyResolved(**facts)


def set_mode(*, user: AbstractBaseUser, session_id: UUID, mode: str) -> None:
    """Ask the agent for another mode. Raises UnknownMode when it does not offer it."""
    owned(user, session_id)
    with transaction.atomic():
        session = lifecycle.locked(session_id)
        offered = [choice["id"] for choice in session.live.get("modes", [])]
        if mode not in offered:
            raise UnknownMode(mode=mode, modes=offered)
        if mode != session.mode:
            name = user.get_username()
            by = f"user {name}" if name == BY_AGENT else name  # else nobody would carry it out
            store.append(session_id, [drafts.mode_changed(mode=mode, by=by)])


def close(*, user: AbstractBaseUser, session_id: UUID) -> None:
    """Tell a session to finish: what runs and waits is done first, then its agent ends."""
    owned(user, session_id)
    with transaction.atomic():
        session = lifecycle.locked(session_id)
        waits = prompts.next_accepted(session_id) is not None
        if session.state in LIVE_STATES or waits:
            Session.objects.filter(pk=session_id).update(closes_when_done=True)
            lifecycle.begin_closing(session_id)
        elif session.state == SessionState.CREATED:
            lifecycle.move(session_id, SessionState.ENDED, "closed")


def rename(*, user: AbstractBaseUser, session_id: UUID, title: str) -> None:
    """Give a session another title. Raises InvalidRequest for an empty or overlong one."""
    owned(user, session_id)
    title = " ".join(clean_text(title).split())
    if not 1 <= len(title) <= MAX_TITLE:
        raise InvalidRequest(f"A title has 1 to {MAX_TITLE} characters.", field="title")
    store.append(session_id, [drafts.title_changed(title=title)])


def archive(*, user: AbstractBaseUser, session_id: UUID) -> None:
    """Take a session off the list and close it; its log stays."""
    with transaction.atomic():
        close(user=user, session_id=session_id)
        Session.objects.filter(pk=session_id).update(archived_at=timezone.now())
