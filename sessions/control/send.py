"""Admitting a prompt exactly once, and making the session that it may need."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils import timezone

from sessions.agents import registry
from sessions.control import lifecycle
from sessions.core import storage
from sessions.core.clean import clean_text
from sessions.core.conf import chat
from sessions.core.errors import (
    FingerprintConflict,
    InvalidRequest,
    PromptTooLarge,
    RateLimited,
    TooManyPrompts,
)
from sessions.core.states import SessionState
from sessions.eventlog import drafts, store
from sessions.models import MAX_TITLE_CHARS, Command, Session
from sessions.workspace import folders

MAX_CLIENT_MSG_ID: Final = 100
# A title that is made from a prompt: the first line, so much of it.
MAX_MADE_TITLE: Final = 60
RATE_WINDOW_S: Final = 60


@dataclass(frozen=True, slots=True)
class Receipt:
    """The prompt is in the log, at this seq, exactly once."""

    client_msg_id: str
    session_id: UUID
    seq: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class _Sent:
    """A prompt as it was sent."""

    user: AbstractBaseUser
    client_msg_id: str
    session_id: UUID | None
    text: str
    agent: str | None
    mode: str | None
    cwd: str | None

    @property
    def fingerprint(self) -> str:
        """The digest of all that the prompt means: another body under its id is a conflict."""
        session_id = str(self.session_id) if self.session_id else None
        meaning = json.dumps([session_id, self.text, self.agent, self.mode, self.cwd])
        return hashlib.sha256(meaning.encode()).hexdigest()


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
    """Admit a prompt exactly once, however often and however concurrently it is sent (I4).

    session_id None makes a session for it. Raises InvalidRequest, PromptTooLarge,
    FingerprintConflict, StorageFull, RateLimited, TooManyPrompts, UnknownSession, UnknownAgent,
    FolderRefused.
    """
    sent = _Sent(user, client_msg_id, session_id, text, agent, mode, cwd)
    _check(sent)
    known = _receipt(sent)
    if known is not None:
        return known
    try:
        with transaction.atomic():
            return _receipt(sent) or _admit(sent)
    except IntegrityError:
        # Another request under the same id was admitted while this one ran: its receipt is ours.
        known = _receipt(sent)
        if known is None:
            raise
        return known


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
            title=title[:MAX_TITLE_CHARS], agent=name, mode=(mode or "")[:64], cwd=str(folder)
        )
        store.append(session.pk, [created])
    return session


def _check(sent: _Sent) -> None:
    name = sent.client_msg_id
    if not 1 <= len(name) <= MAX_CLIENT_MSG_ID or clean_text(name) != name:
        raise InvalidRequest(
            f"clientMsgId must have 1 to {MAX_CLIENT_MSG_ID} characters.", field="clientMsgId"
        )
    if not sent.text.strip():
        raise InvalidRequest("The prompt is empty.", field="text")
    size = len(sent.text.encode(errors="replace"))
    if size > chat.MAX_PROMPT_BYTES:
        raise PromptTooLarge(
            f"The prompt has {size} bytes; {chat.MAX_PROMPT_BYTES} are allowed.",
            clientMsgId=name,
            maxBytes=chat.MAX_PROMPT_BYTES,
        )


def _receipt(sent: _Sent) -> Receipt | None:
    """Return the receipt of a prompt that was admitted before. Raises FingerprintConflict."""
    admitted = Command.objects.filter(
        owner_id=sent.user.pk, client_msg_id=sent.client_msg_id
    ).first()
    if admitted is None:
        return None
    if admitted.fingerprint != sent.fingerprint:
        raise FingerprintConflict(clientMsgId=sent.client_msg_id)
    return Receipt(sent.client_msg_id, admitted.session_id, admitted.seq, duplicate=True)


def _admit(sent: _Sent) -> Receipt:
    storage.require_room()
    _check_rate(sent)
    session = _new_session(sent) if sent.session_id is None else _reopened(sent, sent.session_id)
    message = drafts.user_message(
        message_id=f"u-{uuid.uuid4()}", client_msg_id=sent.client_msg_id, text=sent.text
    )
    [event] = store.append(session.pk, [message])
    Command.objects.create(
        owner_id=sent.user.pk,
        client_msg_id=sent.client_msg_id,
        fingerprint=sent.fingerprint,
        session=session,
        seq=event.seq,
    )
    return Receipt(sent.client_msg_id, session.pk, event.seq, duplicate=False)


def _check_rate(sent: _Sent) -> None:
    """Raise RateLimited beyond SENDS_PER_MINUTE.

    A row from the future, which a clock that was set back leaves behind, is not recent.
    """
    now = timezone.now()
    window = timedelta(seconds=RATE_WINDOW_S)
    recent = Command.objects.filter(
        owner_id=sent.user.pk, created_at__gt=now - window, created_at__lte=now
    ).order_by("-created_at")
    times = list(recent.values_list("created_at", flat=True)[: chat.SENDS_PER_MINUTE])
    if len(times) < chat.SENDS_PER_MINUTE:
        return
    wait_s = (times[-1] + window - now).total_seconds()
    raise RateLimited(clientMsgId=sent.client_msg_id, retryAfter=max(1, round(wait_s + 0.5)))


def _new_session(sent: _Sent) -> Session:
    return create_session(
        owner=sent.user,
        agent=sent.agent,
        mode=sent.mode,
        cwd=sent.cwd,
        title=_title_from(sent.text),
    )


def _reopened(sent: _Sent, session_id: UUID) -> Session:
    """Return the user's session, locked and ready for a prompt."""
    session = lifecycle.locked_for(sent.user, session_id)
    waiting = Command.objects.waiting().filter(session=session).count()
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
    if len(first_line) <= MAX_MADE_TITLE:
        return first_line
    return first_line[: MAX_MADE_TITLE - 1].rstrip() + "…"
