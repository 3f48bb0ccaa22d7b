"""The routes for rules: docs/reference/http-api.md#rules."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ninja import Field, Query, Router, Schema
from typing_extensions import TypedDict

from sessions.access.auth import require_confirmed
from sessions.core.db import in_thread
from sessions.eventlog.events import timestamp
from sessions.models import Rule
from sessions.rules import patterns, rows, suggesting, trying
from sessions.web.answers import DONE, Done, JsonAnswer, command, reading
from sessions.web.validation import Body, Uuid

router = Router(tags=["rules"])

MAX_ID = 2**63 - 1

Id = Annotated[int, Field(ge=0, le=MAX_ID)]
Words = Annotated[str, Field(max_length=trying.MAX_CHARS)]
Place = Annotated[str, Field(max_length=4096)]


class NewRule(Body):
    """A rule to make; sessionId: its chat, or the chat whose project or agent is meant."""

    scope: Literal["chat", "project", "agent", "everywhere"]
    effect: Literal["allow", "ask", "deny"]
    kind: Literal["command", "path", "tool", "mcp"]
    pattern: str = Field(min_length=1, max_length=patterns.MAX_CHARS)
    sessionId: Uuid | None = None  # noqa: N815 (the wire's name)
    folder: Place = ""
    agent: str = Field("", max_length=64)


class Trial(Body):
    """An action to hold against the rules, in a chat or in a folder with an agent."""

    command: Words = ""
    path: Words = ""
    tool: Annotated[str, Field(max_length=200)] = ""
    sessionId: Uuid | None = None  # noqa: N815 (the wire's name)
    folder: Place = ""
    agent: str = Field("", max_length=64)


class WhichRequest(Body):
    """The open request that a rule is to be made from."""

    sessionId: Uuid  # noqa: N815 (the wire's name)
    permId: str = Field(min_length=1, max_length=200)  # noqa: N815


class WhichRule(Schema):
    """The rule to remove."""

    id: Id


class RuleRow(TypedDict):
    """A rule. sessionId, folder, agent: the place of its scope, null for another scope."""

    id: int
    scope: str
    effect: str
    kind: str
    pattern: str
    sessionId: str | None
    folder: str | None
    agent: str | None
    createdAt: str


class RuleList(TypedDict):
    """The rules of the user, the youngest first."""

    rules: list[RuleRow]


class MadeRule(TypedDict):
    """A rule that was made, or the one that says the same."""

    ok: Literal[True]
    rule: RuleRow


class Tried(TypedDict):
    """The answer of the rules. rule: null where none is about the action, which is then asked.

    isPlain: whether a rule that allows could be about it.
    """

    ok: Literal[True]
    effect: Literal["allow", "ask", "deny"]
    rule: RuleRow | None
    isPlain: bool


class Suggested(TypedDict):
    """A kind and a pattern, "" where no rule can allow the action; sentence says why."""

    ok: Literal[True]
    kind: str
    pattern: str
    sentence: str


@router.get("/rules", response=reading(RuleList), summary="Rules of the user")
async def list_rules(request: Any) -> JsonAnswer[RuleList]:
    """Every rule that answers permission requests in the user's chats."""
    return JsonAnswer({"rules": await in_thread(_rows, request.auth)})


@router.post("/rules", response=command(MadeRule, status=201), summary="Make a rule")
async def make_rule(request: Any, body: NewRule) -> JsonAnswer[MadeRule]:
    """Make a rule; one for everywhere needs a recent proof, or a token of the scope `admin`."""
    if body.scope == "everywhere":
        await in_thread(require_confirmed, request)
    wanted = rows.Wanted(
        body.scope, body.effect, body.kind, body.pattern, body.sessionId, body.folder, body.agent
    )
    made = await in_thread(rows.make, request.auth, wanted, source=request.source)
    return JsonAnswer({"ok": True, "rule": row_of(made)}, status=201)


@router.post("/rules/try", response=command(Tried), summary="Try an action against the rules")
async def try_rules(request: Any, body: Trial) -> JsonAnswer[Tried]:
    """Tell which rule would answer an action; nothing is asked, run or stored."""
    tried = trying.Trial(
        body.command, body.path, body.tool, body.sessionId, body.folder, body.agent
    )
    found = await in_thread(trying.answer, request.auth, tried)
    rule = row_of(found.rule) if found.rule else None
    return JsonAnswer({"ok": True, "effect": found.effect, "rule": rule, "isPlain": found.is_plain})


@router.post("/rules/suggest", response=command(Suggested), summary="Suggest a pattern")
async def suggest_rule(request: Any, body: WhichRequest) -> JsonAnswer[Suggested]:
    """Return the narrow pattern of a rule that would allow an open request."""
    found = await in_thread(suggesting.suggestion, request.auth, body.sessionId, body.permId)
    return JsonAnswer(
        {"ok": True, "kind": found.kind, "pattern": found.pattern, "sentence": found.sentence}
    )


@router.delete("/rules", response=command(Done), summary="Remove the rule that `id` names")
async def remove_named_rule(request: Any, which: Query[WhichRule]) -> JsonAnswer[Done]:
    """Remove a rule of the user."""
    return await _removed(request, which.id)


@router.delete("/rules/{int:rule_id}", response=command(Done), summary="Remove a rule")
async def remove_rule(request: Any, rule_id: int) -> JsonAnswer[Done]:
    """Remove a rule of the user; requests that it has answered stay answered."""
    return await _removed(request, min(rule_id, MAX_ID))


def row_of(rule: Rule) -> RuleRow:
    """Return a rule as JSON."""
    return {
        "id": rule.pk,
        "scope": rule.scope,
        "effect": rule.effect,
        "kind": rule.kind,
        "pattern": rule.pattern,
        "sessionId": str(rule.session_id) if rule.session_id else None,
        "folder": rule.folder or None,
        "agent": rule.agent or None,
        "createdAt": timestamp(rule.created_at),
    }


async def _removed(request: Any, number: int) -> JsonAnswer[Done]:
    await in_thread(rows.remove, request.auth, number, source=request.source)
    return JsonAnswer(DONE)


def _rows(user: Any) -> list[RuleRow]:
    return [row_of(rule) for rule in rows.of_user(user)]
