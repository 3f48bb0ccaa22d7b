"""An import: a new session with the past of a chat, in one transaction, once for each chat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.db import IntegrityError, transaction

from sessions.account_models import Project
from sessions.agent_models import ImportedChat
from sessions.agents import registry
from sessions.control import lifecycle, settings
from sessions.control.send import create_session
from sessions.core.db import in_thread
from sessions.core.errors import OpenElsewhere, UnknownChat
from sessions.core.source import Source
from sessions.core.states import SessionState
from sessions.eventlog import drafts, store
from sessions.eventlog.blobs import rows
from sessions.eventlog.events import Draft
from sessions.imports import rows as imports
from sessions.models import Session
from sessions.runner.imports import listing
from sessions.runner.imports.drawing import drafts_of
from sessions.runner.imports.listing import Told
from sessions.trail.record import NOWHERE, Act, record_chat

# So many events are appended at once, all in one transaction.
BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Imported:
    """The session of a chat. is_new: this import made it. read_only: a terminal has it open."""

    session_id: UUID
    is_new: bool
    read_only: bool


async def import_chat(
    user: AbstractUser, *, agent: str, agent_session_id: str, cwd: str, source: Source = NOWHERE
) -> Imported:
    """Return the session that continues a chat, made where there is none.

    Raises Forbidden, UnknownAgent, FolderRefused, UnknownChat, StorageFull.
    """
    folder = await in_thread(partial(listing.checked, user, agent, cwd))
    there = await in_thread(partial(_there, user, agent_session_id, source))
    if there is not None:
        return there
    told = await listing.told(user, agent, agent_session_id, folder)
    if told is None:
        raise UnknownChat(agentSessionId=agent_session_id)
    return await in_thread(partial(_imported, user, agent, folder, told, source))


def _there(user: AbstractUser, agent_session_id: str, source: Source) -> Imported | None:
    """Return the session of a user that has a chat. Raises UnknownChat for another user's."""
    known = imports.known([agent_session_id]).get(agent_session_id)
    if known is None:
        return None
    if known.owner_id != user.pk:
        raise UnknownChat(agentSessionId=agent_session_id)
    session = Session.objects.get(pk=known.session_id)
    settings.restore(user=user, session_id=session.pk, source=source)
    return Imported(session.pk, is_new=False, read_only=imports.is_open(session))


def _imported(user: AbstractUser, agent: str, folder: Path, told: Told, source: Source) -> Imported:
    past = list(drafts_of(told.past, partial(rows.put_for, [user.pk])))
    try:
        with transaction.atomic():
            session_id = _recorded(user, agent, folder, told, past)
            facts = {"agent": agent, "folder": str(folder)}
            record_chat(Act.SESSION_IMPORTED, user, session_id, source, **facts)
    except IntegrityError:
        # Another request has imported the chat meanwhile.
        there = _there(user, told.chat.agent_session_id, source)
        if there is None:
            raise
        return there
    return Imported(session_id, is_new=True, read_only=told.is_open)


def _recorded(
    user: AbstractUser, agent: str, folder: Path, told: Told, past: Sequence[Draft]
) -> UUID:
    chat = told.chat
    session = create_session(
        owner=user,
        agent=agent,
        cwd=str(folder),
        project=Project.objects.filter(owner_id=user.pk, folder=str(folder)).first(),
        title=_title(told),
    )
    ImportedChat.objects.create(
        owner_id=user.pk,
        agent=agent,
        agent_session_id=chat.agent_session_id,
        session=session,
        changed_at=imports.moment(chat.changed_at),
    )
    Session.objects.filter(pk=session.pk).update(agent_session_id=chat.agent_session_id)
    all_drafts = iter([*past, *_notices(agent, told)])
    while batch := list(islice(all_drafts, BATCH)):
        store.append(session.pk, batch)
    lifecycle.move(session.pk, SessionState.ENDED, "imported")
    return session.pk


def _title(told: Told) -> str:
    prompts = (turn.prompt for turn in told.past.turns if turn.prompt)
    first = next(prompts, "").strip().splitlines()
    return told.chat.title or (first[0] if first else "")


def _notices(agent: str, told: Told) -> Iterator[Draft]:
    label = registry.find(agent).label
    if told.past.turns:
        said = "The messages above are imported: they were said outside of Backstay."
        yield drafts.notice(kind="imported", text=said)
    if told.why_not:
        said = f"{told.why_not} {label} may have forgotten what was said before."
        yield drafts.error(code="memory_lost", error=said)
    if told.is_open:
        yield drafts.error(code=OpenElsewhere.code, error=OpenElsewhere.sentence)
