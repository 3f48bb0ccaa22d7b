"""The routes for tokens, for a program with a token of the scope `admin`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Router
from typing_extensions import TypedDict

from sessions.access import tokens
from sessions.access.auth import token_of_admin
from sessions.account_models import ApiToken
from sessions.core.db import in_thread
from sessions.core.errors import UnknownToken
from sessions.eventlog.events import timestamp
from sessions.web.answers import DONE, Done, JsonAnswer, command, reading
from sessions.web.validation import Body

router = Router(tags=["tokens"], auth=token_of_admin)

MAX_ID = 2**63 - 1
MAX_LISTED = 1_000


class NewToken(Body):
    """A token to make; days: until its end, null for the default, 0 for none."""

    name: str = Field(min_length=1, max_length=tokens.MAX_NAME_CHARS)
    scope: Literal["read", "chat", "admin"] = "chat"
    days: Annotated[int | None, Field(ge=0, le=tokens.MAX_DAYS)] = None
    outlivesPassword: bool = False  # noqa: N815 (the wire's name)


class TokenRow(TypedDict):
    """A token, without its secret."""

    id: int
    name: str
    scope: str
    createdAt: str
    lastUsedAt: str | None
    expiresAt: str | None
    outlivesPassword: bool


class TokenList(TypedDict):
    """The tokens of the user, the youngest first."""

    tokens: list[TokenRow]


class MadeToken(TypedDict):
    """A new token, which is shown this once."""

    ok: Literal[True]
    token: str


@router.get("/tokens", response=reading(TokenList), summary="Tokens of the user")
async def list_tokens(request: Any) -> JsonAnswer[TokenList]:
    """Every token, without its secret; ended ones too."""
    return JsonAnswer({"tokens": await in_thread(_rows, request.auth)})


@router.post("/tokens", response=command(MadeToken, status=201), summary="Make a token")
async def make_token(request: Any, body: NewToken) -> JsonAnswer[MadeToken]:
    """Make a token; the answer alone has its secret."""
    wanted = tokens.Wanted(body.name, body.scope, body.days, body.outlivesPassword)
    made = await in_thread(
        tokens.create_token,
        request.auth,
        wanted=wanted,
        by=request.auth.get_username(),
        source=request.source,
    )
    return JsonAnswer({"ok": True, "token": made}, status=201)


@router.delete("/tokens/{int:token_id}", response=command(Done), summary="End a token")
async def end_token(request: HttpRequest, token_id: int) -> JsonAnswer[Done]:
    """End a token of the user, also the one that asks."""
    await in_thread(_end, request, token_id)
    return JsonAnswer(DONE)


def _rows(user: Any) -> list[TokenRow]:
    rows = ApiToken.objects.filter(user=user).order_by("-pk")[:MAX_LISTED]
    return [
        {
            "id": row.pk,
            "name": row.name,
            "scope": row.scope,
            "createdAt": timestamp(row.created_at),
            "lastUsedAt": _time(row.last_used_at),
            "expiresAt": _time(row.expires_at),
            "outlivesPassword": row.outlives_password,
        }
        for row in rows
    ]


def _end(request: Any, token_id: int) -> None:
    found = ApiToken.objects.filter(user=request.auth, pk=min(token_id, MAX_ID))
    rows = list(found.select_related("user"))
    if not rows:
        raise UnknownToken
    tokens.revoke(rows, by=request.auth.get_username(), source=request.source)


def _time(moment: datetime | None) -> str | None:
    return timestamp(moment) if moment else None
