"""Changes to a session beside its turns: mode, title, close, archive."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import DatabaseError, transaction
from django.db.models.functions import Substr
from django.utils import timezone

from sessions.choices import options as choices
from sessions.control import lifecycle, prompts
from sessions.control.direct import stoppers
from sessions.core import storage
from sessions.core.clean import clean_text
from sessions.core.errors import InvalidRequest, NothingToName, UnknownMode, UnknownOption
from sessions.core.source import Source
from sessions.core.states import LIVE_STATES, SessionState
from sessions.eventlog import drafts, store
from sessions.eventlog.events import BY_AGENT
from sessions.eventlog.shapes import ConfigOption
from sessions.models import MAX_TITLE_CHARS, Message, Session
from sessions.text import naming
from sessions.trail.record import NOWHERE, Act, record_chat


def set_mode(
    *, user: AbstractBaseUser, session_id: UUID, mode: str, source: Source = NOWHERE
) -> None:
    """Ask the agent for another mode. Raises UnknownMode when it does not offer it."""
    with transaction.atomic():
        session = lifecycle.locked_for(user, session_id)
        offered = [choice["id"] for choice in session.live.get("modes", [])]
        if mode not in offered:
            raise UnknownMode(mode=mode, modes=offered)
        if mode != session.mode:
            by = _name_of(user)
            store.append(session_id, [drafts.mode_changed(mode=mode, by=by)])
            record_chat(Act.MODE_CHANGED, user, session_id, source, mode=mode)


def set_option(
    *,
    user: AbstractBaseUser,
    session_id: UUID,
    option_id: str,
    value: str | bool,
    source: Source = NOWHERE,
) -> None:
    """Ask the agent for another value of a setting. Raises UnknownOption when it has none such."""
    with transaction.atomic():
        session = lifecycle.locked_for(user, session_id)
        offered: list[ConfigOption] = session.offers.get("options", [])
        option = next((one for one in offered if one["id"] == option_id), None)
        if option is None or not _takes(option, value):
            raise UnknownOption(optionId=option_id, options=[one["id"] for one in offered])
        if option["value"] != value:
            by = _name_of(user)
            changed = drafts.option_changed(option_id=option_id, value=value, by=by)
            store.append(session_id, [changed])
            facts = {"option": option_id, "value": value}
            record_chat(Act.OPTION_CHANGED, user, session_id, source, **facts)
        if option["category"] != choices.MODE:
            choices.choose(session, {option_id: value})


def _takes(option: ConfigOption, value: str | bool) -> bool:  # noqa: FBT001 (its value)
    if option["kind"] == "boolean":
        return isinstance(value, bool)
    return any(choice["id"] == value for choice in option["choices"])


def _name_of(user: AbstractBaseUser) -> str:
    """Return the actor of a user's change; under the agent's own name it is not carried out."""
    name = user.get_username()
    return f"user {name}" if name == BY_AGENT else name


def close(*, user: AbstractBaseUser, session_id: UUID) -> None:
    """Tell a session to finish: running and waiting prompts are done, then its agent ends.

    While nothing can be stored, a runner of this process ends the agent after its turn: the close
    itself is not recorded. Raises UnknownSession, and the errors of sessions.core.storage.
    """
    try:
        _record_close(user, session_id)
    except DatabaseError as exc:
        refusal = storage.refusal(exc)
        if refusal is None:
            raise
        Session.objects.find(user, session_id)
        try:
            stoppers.close_now(session_id)
        except LookupError:
            raise refusal from exc


def _record_close(user: AbstractBaseUser, session_id: UUID) -> None:
    with transaction.atomic():
        session = lifecycle.locked_for(user, session_id)
        waits = prompts.next_accepted(session_id) is not None
        if session.state in LIVE_STATES or waits:
            Session.objects.filter(pk=session_id).update(closes_when_done=True)
            lifecycle.begin_closing(session_id)
        elif session.state == SessionState.CREATED:
            lifecycle.move(session_id, SessionState.ENDED, "closed")


def rename(*, user: AbstractBaseUser, session_id: UUID, title: str) -> None:
    """Give a session another title. Raises InvalidRequest for an empty or overlong one."""
    Session.objects.find(user, session_id)
    title = " ".join(clean_text(title).split())
    if not 1 <= len(title) <= MAX_TITLE_CHARS:
        raise InvalidRequest(f"A title has 1 to {MAX_TITLE_CHARS} characters.", field="title")
    store.append(session_id, [drafts.title_changed(title=title)])


def name_by_content(*, user: AbstractBaseUser, session_id: UUID) -> None:
    """Give a session a title from its first prompt and answer. Raises NothingToName."""
    session = Session.objects.find(user, session_id)
    title = naming.name_of(_first(session, "user"), _first(session, "assistant"))
    if not title:
        raise NothingToName
    rename(user=user, session_id=session_id, title=title)


def _first(session: Session, role: str) -> str:
    """Return the beginning of the first text of a role."""
    said = Message.objects.filter(session=session, role=role).exclude(text="").order_by("seq")
    begin = said.annotate(begin=Substr("text", 1, naming.MAX_LOOK_CHARS))
    return str(begin.values_list("begin", flat=True).first() or "")


def archive(*, user: AbstractBaseUser, session_id: UUID, source: Source = NOWHERE) -> None:
    """Take a session off the list and close it; its log stays."""
    with transaction.atomic():
        _record_close(user, session_id)
        listed = Session.objects.filter(pk=session_id, archived_at=None)
        if listed.update(archived_at=timezone.now()):
            record_chat(Act.SESSION_ARCHIVED, user, session_id, source)


def restore(*, user: AbstractBaseUser, session_id: UUID, source: Source = NOWHERE) -> None:
    """Put an archived session back into the list. Raises UnknownSession."""
    with transaction.atomic():
        lifecycle.locked_for(user, session_id)
        archived = Session.objects.filter(pk=session_id, archived_at__isnull=False)
        if archived.update(archived_at=None):
            record_chat(Act.SESSION_RESTORED, user, session_id, source)
