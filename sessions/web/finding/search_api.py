"""The routes of the search in messages: docs/reference/http-api.md#search."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from ninja import Field, Query, Router, Schema

from sessions.limits import visits
from sessions.reading import queries, search
from sessions.web import reads
from sessions.web.answers import EncodedAnswer, reading
from sessions.web.authorised import Authorised

router = Router(tags=["reading"])

MAX_ROW = 2**63 - 1


class SearchQuery(Schema):
    """The words to look for, and which page of messages."""

    q: str = Field(min_length=1, max_length=queries.MAX_QUERY_CHARS)
    before: Annotated[int | None, Field(ge=0, le=MAX_ROW)] = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20


@router.get("/search", response=reading(search.HitPage), summary="Messages that have some words")
async def search_all(
    request: Authorised, query: Query[SearchQuery]
) -> EncodedAnswer[search.HitPage]:
    """Messages of all sessions of the user, archived ones too, the newest first."""
    return await _answer(request, query, None)


@router.get(
    "/sessions/{uuid:session_id}/search",
    response=reading(search.HitPage),
    summary="Messages of a session that have some words",
)
async def search_session(
    request: Authorised, session_id: UUID, query: Query[SearchQuery]
) -> EncodedAnswer[search.HitPage]:
    """Messages of one session, over all of it, the newest first."""
    return await _answer(request, query, session_id)


async def _answer(
    request: Authorised, query: SearchQuery, session_id: UUID | None
) -> EncodedAnswer[search.HitPage]:
    await reads.hold_place(request.auth, visits.searches)
    return await reads.answer(
        request.auth,
        search.search,
        request.auth,
        text=query.q,
        session_id=session_id,
        before=query.before,
        limit=query.limit,
    )
