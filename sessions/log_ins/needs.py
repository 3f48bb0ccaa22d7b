"""The log-ins that agents of this server want, one row for each agent and system user.

A row outlives a restart. An answered prompt settles it, and so does a log-in; a session that opens
settles it where the agent wanted the log-in for a session. The chats in which it was told are told
of the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.db.models import QuerySet
from django.utils import timezone
from typing_extensions import TypedDict

from sessions.agent_models import AgentLogIn
from sessions.agents.processes import accounts
from sessions.agents.trial import Tried
from sessions.agents.ways import Method, Shown
from sessions.eventlog import drafts, store
from sessions.eventlog.events import timestamp
from sessions.models import Session

# Of the chats that wait for the log-in, the last active ones are told of its end. The others are
# told at their next answer.
MAX_TOLD: Final = 200


class Need(TypedDict):
    """A log-in that an agent wants. ways: those that it offered when it last wanted it."""

    since: str
    ways: list[Shown]


def note(agent: str, account: str, ways: Iterable[Method], *, at_prompt: bool) -> None:
    """Keep that an agent wants a log-in. account: the system user. at_prompt: a session opened."""
    shown = [way.shown() for way in ways]
    told = {"ways": shown, "at_prompt": at_prompt}
    row, is_new = AgentLogIn.objects.get_or_create(
        agent=agent, account=account, defaults={**told, "since": timezone.now()}
    )
    if not is_new and (row.ways, row.at_prompt) != (shown, at_prompt):
        AgentLogIn.objects.filter(pk=row.pk).update(**told)


def note_trial(agent: str, account: str, tried: Tried) -> None:
    """Keep what a trial says about a log-in: one that is wanted, or by an answer that none is."""
    if tried.log_in is not None:
        note(agent, account, tried.log_in, at_prompt=tried.at_prompt)
    elif not tried.error:
        settle(agent, account)


def settle(agent: str, account: str, *, by_session: bool = False) -> None:
    """Forget that an agent wants a log-in, and tell the chats that wait for it.

    by_session: a session has opened, which says nothing about prompts.
    """
    rows = AgentLogIn.objects.filter(agent=agent, account=account)
    if by_session:
        rows = rows.filter(at_prompt=False)
    # Looked at before: to delete nothing would lock the whole of SQLite at each answer.
    if rows.exists() and rows.delete()[0]:
        tell(_in_need(agent, account))


def tell(sessions: Iterable[Session]) -> None:
    """Append to the logs of chats that their agent wants no log-in any more."""
    done = store.Batch([drafts.log_in_changed(needed=False)])
    store.append_many({session.pk: done for session in sessions})


def forget(agent: str) -> None:
    """Forget all of an agent that was removed."""
    AgentLogIn.objects.filter(agent=agent).delete()


def of_account(account: str) -> dict[str, Need]:
    """Return the log-ins that agents want of a system user, by the names of the agents."""
    return {row.agent: told(row) for row in AgentLogIn.objects.filter(account=account)}


def everywhere() -> QuerySet[AgentLogIn]:
    """Return the rows of all system users."""
    return AgentLogIn.objects.order_by("agent", "account")


def told(row: AgentLogIn) -> Need:
    """Return a row as the API tells it."""
    return {"since": timestamp(row.since), "ways": row.ways}


def _in_need(agent: str, account: str) -> list[Session]:
    rows = Session.objects.filter(agent=agent, live__logIn__since__isnull=False)
    rows = rows.select_related("owner").order_by("-last_activity_at")[:MAX_TOLD]
    return [row for row in rows if accounts.name_of(row.owner.get_username()) == account]
