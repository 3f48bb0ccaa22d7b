"""The route of the prompts that the arrow keys walk: docs/reference/http-api.md#history."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import User
from ninja import Field, Query, Router, Schema
from typing_extensions import TypedDict

from sessions.core.errors import InvalidRequest
from sessions.reading import history
from sessions.web import reads
from sessions.web.answers import EncodedAnswer, reading
from sessions.web.authorised import Authorised

router = Router(tags=["reading"])


class HistoryQuery(Schema):
    """A session or a project; neither: the chats without a project."""

    session_id: UUID | None = Field(None, alias="sessionId")
    project_id: UUID | None = Field(None, alias="projectId")


class History(TypedDict):
    """The last prompts, oldest first."""

    prompts: list[str]


@router.get("/history", response=reading(History), summary="The last prompts of a project")
async def list_prompts(request: Authorised, query: Query[HistoryQuery]) -> EncodedAnswer[History]:
    """The user's own prompts of all chats of a project, each text once."""
    if query.session_id is not None and query.project_id is not None:
        raise InvalidRequest("Name a session or a project.", field="projectId")
    return await reads.answer(request.auth, _history, request.auth, query)


def _history(user: User, query: HistoryQuery) -> History:
    return {
        "prompts": history.prompts(user, session_id=query.session_id, project_id=query.project_id)
    }
