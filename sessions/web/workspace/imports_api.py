"""The routes for chats that began outside of Backstay: docs/reference/http-api.md."""

from __future__ import annotations

import shlex
from functools import partial
from typing import Annotated, Literal
from uuid import UUID

from ninja import Field, Query, Router, Schema
from typing_extensions import TypedDict

from sessions.account_models import Project
from sessions.agents import registry
from sessions.agents.acp.memory import Memory
from sessions.core.db import in_thread
from sessions.core.errors import InvalidRequest
from sessions.core.states import LIVE_STATES
from sessions.eventlog.events import timestamp
from sessions.imports import rows as imports
from sessions.limits import visits
from sessions.models import Session
from sessions.runner.imports import importing, listing
from sessions.web.answers import JsonAnswer, command, reading
from sessions.web.authorised import Authorised
from sessions.web.validation import Body

router = Router(tags=["chats"])

MAX_CHATS = 2_000


class ChatsQuery(Schema):
    """The project or the folder of the chats, and which of them; offset: how many to pass over."""

    project_id: UUID | None = Field(None, alias="projectId")
    cwd: str = Field("", max_length=4096)
    offset: Annotated[int, Field(ge=0, le=MAX_CHATS)] = 0
    limit: Annotated[int, Field(ge=1, le=MAX_CHATS)] = 100


class ChatRow(TypedDict):
    """A chat of an agent. updatedAt: None where it is not known. sessionId: it is here already.

    isOpen: a terminal may be writing it.
    """

    agentSessionId: str
    title: str
    cwd: str
    updatedAt: str | None
    sessionId: str | None
    isOpen: bool


class ChatPage(TypedDict):
    """Chats of a folder, the last changed first. whyNot: why the agent tells none."""

    sessions: list[ChatRow]
    hasMore: bool
    whyNot: str | None


class Import(Body):
    """The chat to take over."""

    agent: str = Field(max_length=64)
    agent_session_id: str = Field(alias="agentSessionId", min_length=1, max_length=256)
    cwd: str = Field(min_length=1, max_length=4096)


class Imported(TypedDict):
    """The session of a chat. imported: this request made it. readOnly: a terminal has it open."""

    ok: Literal[True]
    sessionId: str
    imported: bool
    readOnly: bool


class InTerminal(TypedDict):
    """The way back. command: None where the agent names none. warning: why to wait with it.

    isOpen: a terminal may be writing this chat now.
    """

    command: str | None
    warning: str | None
    isOpen: bool


@router.get(
    "/agents/{str:name}/sessions",
    response=reading(ChatPage),
    summary="Chats of an agent that began outside of Backstay",
)
async def list_chats(
    request: Authorised, name: str, query: Query[ChatsQuery]
) -> JsonAnswer[ChatPage]:
    """The agent's chats in a folder, from itself or from its own files."""
    if bool(query.cwd) == (query.project_id is not None):
        raise InvalidRequest("Name a project or a folder.", field="projectId")
    visits.hold(visits.chat_lists, request.auth.pk)
    cwd = query.cwd.replace("\0", "")
    if query.project_id is not None:
        find = partial(Project.objects.find, request.auth, query.project_id)
        cwd = (await in_thread(find)).folder
    found = await listing.chats_of(request.auth, name, cwd)
    end = query.offset + query.limit
    page: ChatPage = {
        "sessions": [_row(each) for each in found.listed[query.offset : end]],
        "hasMore": len(found.listed) > end,
        "whyNot": found.why_not or None,
    }
    return JsonAnswer(page)


@router.post(
    "/sessions/import",
    response=command(Imported, status=201),
    summary="Continue a chat that began outside of Backstay",
)
async def import_chat(request: Authorised, body: Import) -> JsonAnswer[Imported]:
    """Draw the past of a chat into a new session; a second import answers with the first one."""
    visits.hold(visits.chat_lists, request.auth.pk)
    made = await importing.import_chat(
        request.auth,
        agent=body.agent,
        agent_session_id=body.agent_session_id,
        cwd=body.cwd,
        source=request.source,
    )
    answer: Imported = {
        "ok": True,
        "sessionId": str(made.session_id),
        "imported": made.is_new,
        "readOnly": made.read_only,
    }
    return JsonAnswer(answer, status=201 if made.is_new else 200)


@router.get(
    "/sessions/{uuid:session_id}/terminal",
    response=reading(InTerminal),
    summary="The command that continues a session in a terminal",
)
async def in_terminal(request: Authorised, session_id: UUID) -> JsonAnswer[InTerminal]:
    """The agent's own command for this chat."""
    return JsonAnswer(await in_thread(partial(_in_terminal, request, session_id)))


def _in_terminal(request: Authorised, session_id: UUID) -> InTerminal:
    session = Session.objects.find(request.auth, session_id)
    memory = Memory.read(session.agent_session_id)
    newest = None if memory.is_fork else memory.newest  # the copy is made at the first start
    words = registry.find(session.agent).in_terminal(newest) if newest else ()
    command_line = f"cd {shlex.quote(session.cwd)} && {shlex.join(words)}" if words else None
    runs = command_line is not None and session.state in LIVE_STATES
    warning = "The agent of this chat still runs here: stop it first." if runs else None
    return {"command": command_line, "warning": warning, "isOpen": imports.is_open(session)}


def _row(each: listing.Listed) -> ChatRow:
    one, known = each.chat, each.known
    changed = imports.moment(one.changed_at)
    return {
        "agentSessionId": one.agent_session_id,
        "title": one.title,
        "cwd": one.cwd,
        "updatedAt": timestamp(changed) if changed is not None else None,
        "sessionId": str(known.session_id) if known is not None else None,
        "isOpen": each.is_open,
    }
