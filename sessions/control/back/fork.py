"""A fork: a chat with the beginning of another one, in the same folder or in a worktree of it.

The events are copied. A reference would let a log begin in another one: each reader, each page and
each count of seqs would have to know that. A copy is a log like any other (I1).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction

from sessions.agents.acp import memory
from sessions.control import lifecycle
from sessions.control.back import target
from sessions.control.worktrees import beginning
from sessions.control.worktrees.beginning import Wanted
from sessions.core import storage
from sessions.core.errors import FingerprintConflict, InvalidRequest
from sessions.core.states import RunState, SessionState
from sessions.eventlog import drafts, store
from sessions.eventlog.events import Draft, EventType, LoggedEvent
from sessions.eventlog.shapes import Rewind
from sessions.models import MAX_TITLE_CHARS, Event, Session
from sessions.personal import rows as personal
from sessions.workspace import folders

_SUFFIX: Final = " (fork)"
_BATCH_BYTES: Final = 1024 * 1024
# The whole of a piece is in the event that ends it; costs are counted once, in the origin.
_OF_ANSWERS: Final = frozenset(
    {
        EventType.BLOCK_START,
        EventType.BLOCK_END,
        EventType.TOOL_UPDATE,
        EventType.TOOL_RESULT,
        EventType.MESSAGE_END,
    }
)
_OF_PROMPTS: Final = frozenset({EventType.USER_MESSAGE, EventType.PROMPT_EDITED})
_OF_TURNS: Final = frozenset({EventType.TURN_START, EventType.MESSAGE_START, EventType.TURN_END})
_COPIED: Final = _OF_ANSWERS | _OF_PROMPTS | _OF_TURNS


@dataclass(frozen=True, slots=True)
class Forked:
    """The new session. duplicate: it was made by an earlier request under the same id."""

    session_id: UUID
    duplicate: bool = False


@dataclass(slots=True)
class _Part:
    """The turns of a log that a fork has, and the names of what belongs to them.

    rewinds: of the origin. Imported messages belong to no turn, and stand for themselves.
    """

    rewinds: list[Rewind] = field(default_factory=list)

    turns: set[str] = field(default_factory=set)
    prompts: set[str] = field(default_factory=set)
    messages: set[str] = field(default_factory=set)

    def has(self, event: LoggedEvent) -> bool:
        """Return whether an event belongs to one of the turns; they come in the log's order."""
        told = event.payload
        is_imported = told.get("imported", False) and not self.has_back(event.seq)
        if event.type in _OF_PROMPTS:
            return is_imported or told["clientMsgId"] in self.prompts
        if event.type in _OF_ANSWERS:
            return told["messageId"] in self.messages
        is_ours = is_imported or told.get("turnId") in self.turns
        if is_ours and event.type == EventType.MESSAGE_START:
            self.messages.add(told["messageId"])
        return is_ours

    def has_back(self, seq: int) -> bool:
        """Return whether what began at a seq was taken back."""
        return any(each["since"] <= seq < each["seq"] for each in self.rewinds)


def fork(
    *,
    user: AbstractBaseUser,
    session_id: UUID,
    at: int,
    client_msg_id: str | None = None,
    worktree: Wanted | None = None,
) -> Forked:
    """Begin a chat with the turns of a session that had ended at seq `at`, or before a prompt ran.

    client_msg_id: names the request; repeated, it returns the same session. worktree: of the
    repository that the session works in. Raises UnknownSession, InvalidRequest, FolderRefused,
    WorktreeRefused, FingerprintConflict, StorageFull.
    """
    origin = Session.objects.find(user, session_id)
    if at > origin.head_seq:
        raise InvalidRequest(f"at: the session has {origin.head_seq} events.", field="at")
    name = f"{user.pk}:{client_msg_id}" if client_msg_id else str(uuid.uuid4())
    new_id = uuid.uuid5(origin.pk, name)
    try:
        return _known(new_id, at, worktree) or _made(user, origin, at, new_id, worktree)
    except IntegrityError:
        # Another request under the same id was faster.
        known = _known(new_id, at, worktree)
        if known is None:
            raise
        return known


def _known(new_id: UUID, at: int, worktree: Wanted | None) -> Forked | None:
    first = Event.objects.filter(session_id=new_id, seq=1).values_list("payload", flat=True).first()
    if first is None:
        return None
    if first.get("forkAt") != at or not beginning.is_wanted(new_id, worktree):
        raise FingerprintConflict(sessionId=str(new_id))
    return Forked(new_id, duplicate=True)


def _made(
    user: AbstractBaseUser, origin: Session, at: int, new_id: UUID, worktree: Wanted | None
) -> Forked:
    storage.require_room()
    part_at = target.before(origin, at)
    session = Session(
        id=new_id,
        owner_id=user.pk,
        agent=origin.agent,
        cwd=origin.cwd,
        project_id=origin.project_id,
        chosen=origin.chosen,
        agent_session_id=_memory(origin, part_at),
    )
    repository = None
    if worktree is not None:
        repository, worktree = beginning.beside(origin, worktree)
        beginning.check(worktree, repository)
        session.cwd = str(folders.own_folder(new_id))
        session.agent_session_id = ""  # agents know their sessions by the folder
    created = drafts.session_created(
        title=origin.title[: MAX_TITLE_CHARS - len(_SUFFIX)] + _SUFFIX,
        agent=origin.agent,
        mode=origin.mode,
        cwd=session.cwd,
        fork_of=str(origin.pk),
        fork_at=at,
    )
    with transaction.atomic():
        session.save(force_insert=True)
        store.append(new_id, [created])
        if worktree is not None and repository is not None:
            beginning.want(session, worktree, repository)
        personal.begin(user.pk, new_id)
        for batch in _copies(origin, part_at):
            store.append(new_id, batch)
        # No agent starts before a prompt wants one.
        lifecycle.move(new_id, SessionState.ENDED, "forked")
    return Forked(new_id)


def _memory(origin: Session, at: int) -> str:
    """Return the agent's session for it to copy, "" where it knows another past than the fork."""
    knows_more = Event.objects.filter(
        session=origin, seq__gte=at, type__in=(EventType.TURN_START, EventType.MESSAGE_START)
    )
    is_its_own = not origin.live.get("retells") and origin.run_state == RunState.IDLE
    return memory.fork_of(origin.agent_session_id) if is_its_own and not knows_more.exists() else ""


def _copies(origin: Session, at: int) -> Iterator[list[Draft]]:
    part = _part(origin, at)
    batches = store.batches(
        origin.pk, after=0, limit=at, max_bytes=_BATCH_BYTES, upto=at, types=_COPIED
    )
    with closing(batches):
        for batch in batches:
            yield [drafts.copied(e) for e in batch if part.has(e)]


def _part(origin: Session, at: int) -> _Part:
    """Return the turns that had ended at seq `at`, without those that were taken back."""
    bounds = Event.objects.filter(
        session=origin, seq__lte=at, type__in=(EventType.TURN_START, EventType.TURN_END)
    )
    begun: dict[str, str] = {}
    part = _Part(rewinds=origin.live.get("rewinds", []))
    for seq, kind, told in bounds.order_by("seq").values_list("seq", "type", "payload"):
        if kind == EventType.TURN_END:
            if told["turnId"] in begun:
                part.turns.add(told["turnId"])
                part.prompts.add(begun[told["turnId"]])
        elif not part.has_back(seq):
            begun[told["turnId"]] = told.get("clientMsgId", "")
    return part
