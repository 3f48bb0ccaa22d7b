"""Admitting a prompt exactly once, and making the session that it may need."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import DatabaseError, transaction

from sessions.account_models import Project
from sessions.agents import registry
from sessions.choices import options as choices
from sessions.control import lifecycle
from sessions.control.admission import standing
from sessions.control.admission.sent import Sent
from sessions.control.admission.standing import Receipt
from sessions.control.worktrees import beginning
from sessions.core import storage
from sessions.core.errors import UnknownBlob, UnknownSession
from sessions.core.states import SessionState
from sessions.eventlog import drafts, store
from sessions.eventlog.blobs import uploads
from sessions.eventlog.shapes import Attachment
from sessions.imports import rows as imports
from sessions.models import MAX_MODE_CHARS, MAX_TITLE_CHARS, Prompt, Session
from sessions.personal import rows as personal
from sessions.projects import defaults
from sessions.projects import rows as projects
from sessions.trail.record import NOWHERE, Act, record_chat
from sessions.workspace import folders, inside, roots
from sessions.workspace.paths import mentions

# A title that is made from a prompt: the first line, so much of it.
MAX_MADE_TITLE: Final = 60


def send_message(
    *,
    user: AbstractBaseUser,
    client_msg_id: str,
    session_id: UUID | None,
    text: str,
    agent: str | None = None,
    mode: str | None = None,
    cwd: str | None = None,
    project_id: UUID | None = None,
    options: dict[str, str | bool] | None = None,
    worktree: beginning.Wanted | None = None,
    files: Sequence[tuple[str, str]] = (),
    named: Sequence[str] = (),
) -> Receipt:
    """Admit a prompt exactly once, however often and however concurrently it is sent (I4).

    session_id None makes a session for it, in the folder of a project where one is named, with
    these options of its agent, in a worktree of the folder where one is wanted. files: blobs of
    the user with their names. named: paths of files of the folder. Raises InvalidRequest,
    PromptTooLarge, FingerprintConflict, StorageFull, RateLimited, TooManyPrompts, UnknownSession,
    UnknownProject, UnknownAgent, UnknownBlob, FolderRefused, WorktreeRefused, FileRefused,
    UnknownFile, OpenElsewhere.
    """
    return send(
        Sent(
            *(user, client_msg_id, session_id, text, agent, mode, cwd, project_id, options or {}),
            worktree=worktree,
            files=tuple(files),
            mentions=tuple(named),
        )
    )


def send(sent: Sent) -> Receipt:
    """Admit a prompt, as `send_message` does."""
    sent.check()
    paths: list[str] = []
    if sent.mentions:
        known = standing.of(sent).receipt
        if known is not None:
            return known
        # Before the transaction: a slow disk holds up no other write.
        paths = _mentions(sent)
    return admit(sent, paths)


def admit(sent: Sent, paths: Sequence[str] = ()) -> Receipt:
    """Admit a checked prompt in a transaction or, inside of one, with a savepoint.

    paths: its mentions, checked. Raises as `send_message` does.
    """
    try:
        with transaction.atomic():
            return _admit(sent, paths)
    except DatabaseError:
        # Another request under the same id was admitted while this one ran, or nothing can be
        # stored any more: a receipt from before stands.
        known = standing.of(sent).receipt
        if known is None:
            raise
        return known


def create_session(
    *,
    owner: AbstractBaseUser,
    agent: str | None = None,
    mode: str | None = None,
    cwd: str | None = None,
    project: Project | None = None,
    options: dict[str, str | bool] | None = None,
    worktree: beginning.Wanted | None = None,
    title: str = "",
) -> Session:
    """Create a session with its first event: in cwd, in its project, or in a folder of its own.

    worktree: of that folder, to be made before the agent starts. Raises UnknownAgent,
    FolderRefused, WorktreeRefused.
    """
    if project is not None:
        agent, cwd = agent or defaults.of(project)["agent"], project.folder
    name = registry.check(agent or registry.default())
    session = Session(owner_id=owner.pk, agent=name, project=project)
    folder = folders.check(cwd) if cwd else folders.own_folder(session.pk)
    session.cwd = str(folder)
    if cwd and project is None:
        session.project = projects.of_folder(owner, session.cwd)
    if worktree is not None:
        beginning.check(worktree, folder if cwd else None)
        session.cwd = str(folders.own_folder(session.pk))
    session.chosen = choices.remembered(owner.pk, name, session.project)
    mode = (mode or choices.mode_of_new_chat(name, session.project))[:MAX_MODE_CHARS]
    with transaction.atomic():
        session.save(force_insert=True)
        created = drafts.session_created(
            title=title[:MAX_TITLE_CHARS], agent=name, mode=mode, cwd=session.cwd
        )
        store.append(session.pk, [created])
        if worktree is not None:
            beginning.want(session, worktree, folder)
        personal.begin(owner.pk, session.pk)
        if options:
            choices.choose(session, options)
    return session


def _admit(sent: Sent, paths: Sequence[str]) -> Receipt:
    session = _locked(sent)
    now = standing.of(sent, session)
    if now.receipt is not None:
        return now.receipt
    storage.require_room()
    now.require_room(sent)
    session = _new_session(sent) if sent.session_id is None else _reopened(session, sent)
    message = drafts.user_message(
        message_id=f"u-{uuid.uuid4()}",
        client_msg_id=sent.client_msg_id,
        text=sent.text,
        attachments=_attachments(sent),
        mentions=list(paths),
    )
    [event] = store.append(session.pk, [message])
    Prompt.objects.create(
        owner_id=sent.user.pk,
        client_msg_id=sent.client_msg_id,
        fingerprint=sent.fingerprint,
        session=session,
        seq=event.seq,
    )
    return Receipt(sent.client_msg_id, session.pk, event.seq, duplicate=False)


def _locked(sent: Sent) -> Session | None:
    """Return the user's session of a prompt, its row locked; None where there is none."""
    if sent.session_id is None:
        return None
    rows = Session.objects.select_for_update(no_key=True).visible_to(sent.user)
    return rows.defer("offers").filter(pk=sent.session_id).first()


def _attachments(sent: Sent) -> list[Attachment]:
    """Return the files of a prompt as its event tells them. Raises UnknownBlob."""
    if not sent.files:
        return []
    known = uploads.of_user(sent.user.pk, {blob for blob, _ in sent.files})
    missing = next((blob for blob, _ in sent.files if blob not in known), None)
    if missing is not None:
        raise UnknownBlob(clientMsgId=sent.client_msg_id, blob=missing)
    return [
        {"blob": blob, "name": name, "mime": known[blob][0], "size": known[blob][1]}
        for blob, name in sent.files
    ]


def _mentions(sent: Sent) -> list[str]:
    """Return the paths of a prompt from its folder. Raises FileRefused, UnknownFile."""
    if not sent.mentions:
        return []
    session = Session(pk=sent.session_id)
    if sent.session_id is not None:
        session = Session.objects.find(sent.user, sent.session_id)
    elif sent.project_id is not None:
        mine = projects.of_user(sent.user).filter(pk=sent.project_id)
        session.cwd = mine.values_list("folder", flat=True).first() or ""
    elif sent.cwd:
        session.cwd = str(folders.check(sent.cwd))
    else:
        session.pk = uuid.uuid4()  # a folder of its own, which is empty
    with inside.of_session(session.pk, session.cwd, roots.roots()) as folder:
        return mentions.checked(folder, sent.mentions)


def _new_session(sent: Sent) -> Session:
    project = projects.begin_chat(sent.user, sent.project_id) if sent.project_id else None
    return create_session(
        owner=sent.user,
        agent=sent.agent,
        mode=sent.mode,
        cwd=sent.cwd,
        project=project,
        options=sent.options,
        worktree=sent.worktree,
        title=_title_from(sent.text if sent.text.strip() else sent.files[0][1]),
    )


def _reopened(session: Session | None, sent: Sent) -> Session:
    """Return a locked session, ready for a prompt. Raises UnknownSession, OpenElsewhere."""
    if session is None:
        raise UnknownSession(sessionId=str(sent.session_id))
    if session.state == SessionState.ENDED:
        imports.check_not_open(session)
        lifecycle.move(session.pk, SessionState.CREATED, "prompt")
        # The close is done: this prompt came after it.
        Session.objects.filter(pk=session.pk).update(closes_when_done=False)
    if session.archived_at is not None:
        # A chat that goes on belongs on the list.
        Session.objects.filter(pk=session.pk).update(archived_at=None)
        record_chat(Act.SESSION_RESTORED, sent.user, session.pk, NOWHERE, by="prompt")
    return session


def _title_from(text: str) -> str:
    first_line = next(iter(text.strip().splitlines()), "").strip()
    if len(first_line) <= MAX_MADE_TITLE:
        return first_line
    return first_line[: MAX_MADE_TITLE - 1].rstrip() + "…"
