"""The chats of an agent in a folder, from the agent itself or from its files."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from django.contrib.auth.models import AbstractUser
from django.utils import timezone

from sessions.agents import registry
from sessions.agents.chats import occupied
from sessions.agents.chats.found import ChatFiles, FoundChat, Past, is_in
from sessions.agents.port import AgentError
from sessions.core.conf import chat
from sessions.core.db import in_thread
from sessions.core.errors import ChatError
from sessions.imports import rows as imports
from sessions.workspace import folders

if TYPE_CHECKING:
    from sessions.agents.acp.chats.reader import OpenReader


@dataclass(frozen=True, slots=True)
class Listed:
    """A chat in the list of a user. session: of theirs, that has it already."""

    chat: FoundChat
    known: imports.Known | None
    is_open: bool


@dataclass(frozen=True, slots=True)
class Chats:
    """The chats of an agent in a folder. why_not: a sentence when the agent did not tell them."""

    listed: list[Listed]
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """One chat with its past. why_not: a sentence when the agent cannot load it."""

    chat: FoundChat
    past: Past
    is_open: bool
    why_not: str = ""


async def chats_of(user: AbstractUser, agent: str, cwd: str) -> Chats:
    """Return the chats of an agent in a folder, without those of other users.

    Raises Forbidden, UnknownAgent, FolderRefused.
    """
    folder = await in_thread(checked, user, agent, cwd)
    why_not = ""
    try:
        async with _asked(user, agent, folder) as asked:
            found = await asked.listed(folder)
    except AgentError as exc:
        why_not = str(exc)
        found = await in_thread(partial(_all_in_files, agent, folder))
        # The files tell all that is to tell.
        why_not = "" if found else why_not
    return await in_thread(partial(_of_user, user, agent, folder, found, why_not))


async def told(user: AbstractUser, agent: str, agent_session_id: str, folder: Path) -> Told | None:
    """Return a chat of a folder with its past; None when the agent does not know it there.

    A chat that is open in a terminal is read from its file: an agent that loads it might write.
    """
    one = await in_thread(partial(_in_files, agent, folder, agent_session_id))
    is_open = one is not None and await in_thread(partial(_is_open, agent, one))
    # Agents of ours resume a chat of a file, and tell no past.
    if one is not None and (is_open or registry.find(agent).is_ours):
        return Told(one, await in_thread(partial(_past_in_file, agent, one)), is_open)
    try:
        async with _asked(user, agent, folder) as asked:
            one = one or _named(await asked.listed(folder), agent_session_id, folder)
            if one is None:
                return None
            past, why_not = await asked.past(agent_session_id, folder), ""
    except AgentError as exc:
        if one is None:
            return None
        past, why_not = await in_thread(partial(_past_in_file, agent, one)), str(exc)
    return Told(one, past, await in_thread(partial(_is_open, agent, one)), why_not)


def checked(user: AbstractUser, agent: str, cwd: str) -> Path:
    """Return the folder of a request. Raises Forbidden, UnknownAgent, FolderRefused."""
    imports.check_may(user)
    registry.check(agent)
    return folders.check(cwd)


@asynccontextmanager
async def _asked(user: AbstractUser, agent: str, folder: Path) -> AsyncIterator[OpenReader]:
    """Start an agent that tells its chats. Raises AgentError."""
    found = registry.find(agent)
    why_not = f"{found.label} does not list its chats." if found.is_ours else found.why_not()
    if why_not:
        raise AgentError(why_not)
    # It has no session of ours, and gets a name for its files and its processes alone.
    name = str(uuid.uuid4())
    try:
        env = await in_thread(partial(_environment, user, agent, name, folder))
        async with registry.reader(agent, cwd=folder).opened(folder, env) as asked:
            yield asked
    finally:
        await in_thread(partial(registry.forget, agent, name))


def _environment(user: AbstractUser, agent: str, name: str, folder: Path) -> dict[str, str]:
    try:
        account = user.get_username()
        return registry.environment(agent, session_id=name, cwd=folder, account=account)
    except ChatError as exc:
        raise AgentError(str(exc)) from exc


def _named(found: list[FoundChat], agent_session_id: str, folder: Path) -> FoundChat | None:
    here = (one for one in found if is_in(one, str(folder)))
    return next((one for one in here if one.agent_session_id == agent_session_id), None)


def _of_user(
    user: AbstractUser, agent: str, folder: Path, found: list[FoundChat], why_not: str
) -> Chats:
    """Return the chats of a folder that are no other user's, with the facts of each."""
    here = [one for one in found if is_in(one, str(folder))]
    sessions = imports.known([one.agent_session_id for one in here])
    outside = occupied.running(imports.programs_of(agent))
    now = timezone.now().timestamp()
    listed = []
    for one in here:
        known = sessions.get(one.agent_session_id)
        if known is None or known.owner_id == user.pk:
            ours_at = known.said_at if known is not None else 0.0
            is_open = occupied.is_open(one, outside, ours_at=ours_at, now=now)
            listed.append(Listed(one, known, is_open))
    return Chats(listed, why_not)


def _is_open(agent: str, one: FoundChat) -> bool:
    changed = imports.changed_at(agent, one.agent_session_id, one.cwd)
    one = replace(one, changed_at=max(changed, one.changed_at))
    outside = occupied.running(imports.programs_of(agent))
    return occupied.is_open(one, outside, ours_at=0.0, now=timezone.now().timestamp())


# --- The agent's own files ----------------------------------------------------------------------


def _files(agent: str) -> ChatFiles | None:
    """Return the files of an agent that runs as this server's own system user."""
    return None if chat.AGENT_USER else registry.find(agent).files


def _all_in_files(agent: str, folder: Path) -> list[FoundChat]:
    files = _files(agent)
    return files.listed(str(folder)) if files is not None else []


def _in_files(agent: str, folder: Path, agent_session_id: str) -> FoundChat | None:
    return _named(_all_in_files(agent, folder), agent_session_id, folder)


def _past_in_file(agent: str, one: FoundChat) -> Past:
    files = _files(agent)
    place = files.place(one.agent_session_id, one.cwd) if files is not None else None
    return files.read(place) if files is not None and place is not None else Past([])
