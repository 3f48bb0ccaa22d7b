"""The routes for MCP servers: docs/reference/http-api.md#mcp-servers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ninja import Field, Query, Router, Schema
from typing_extensions import TypedDict

from sessions.access.auth import require_confirmed
from sessions.agent_models import McpServer
from sessions.core.db import in_thread
from sessions.eventlog.events import timestamp
from sessions.mcp import rows, trial
from sessions.web.answers import DONE, Done, JsonAnswer, command, reading
from sessions.web.authorised import Authorised
from sessions.web.validation import Body, Uuid

router = Router(tags=["mcp servers"])

MAX_ID = 2**63 - 1

Words = Annotated[str, Field(max_length=1024)]
Secret = Annotated[str, Field(max_length=rows.MAX_VALUE)]
Id = Annotated[int, Field(ge=0, le=MAX_ID)]


class NewServer(Body):
    """A server to add. secrets: headers of http, variables of stdio."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    kind: Literal["stdio", "http"]
    command: Words = ""
    args: Annotated[list[Words], Field(max_length=100)] = []
    url: Annotated[str, Field(max_length=2000)] = ""
    secrets: Annotated[dict[str, Secret], Field(max_length=rows.MAX_SECRETS)] = {}
    projectId: Uuid | None = None  # noqa: N815 (the wire's name)


class WhichServer(Schema):
    """The server to remove."""

    id: Id


class ServerRow(TypedDict):
    """A server. secrets: the names alone. tools: their number at its trial."""

    id: int
    name: str
    kind: str
    command: str
    args: list[str]
    url: str
    secrets: list[str]
    projectId: str | None
    tools: int
    createdAt: str


class ServerList(TypedDict):
    """The servers of the user, the youngest first. mayRun: whether the user may add a command."""

    servers: list[ServerRow]
    mayRun: bool


class AddedServer(TypedDict):
    """A server that has answered and was added."""

    ok: Literal[True]
    server: ServerRow


@router.get("/mcp-servers", response=reading(ServerList), summary="MCP servers of the user")
async def list_servers(request: Authorised) -> JsonAnswer[ServerList]:
    """Every MCP server that the user's agents get; no secret is told."""
    found = await in_thread(_rows, request.auth)
    return JsonAnswer({"servers": found, "mayRun": request.auth.is_staff})


@router.post(
    "/mcp-servers", response=command(AddedServer, status=201), summary="Try and add a server"
)
async def add_server(request: Authorised, body: NewServer) -> JsonAnswer[AddedServer]:
    """Connect to a server, and add it when it answers; a recent proof is needed."""
    await in_thread(require_confirmed, request)
    args, secrets = tuple(body.args), dict(body.secrets)
    wanted = rows.Wanted(
        body.name, body.kind, body.command, args, body.url, secrets, body.projectId
    )
    made = await added(request.auth, wanted, source=request.source)
    return JsonAnswer({"ok": True, "server": row_of(made)}, status=201)


@router.delete("/mcp-servers", response=command(Done), summary="Remove the server that `id` names")
async def remove_named_server(request: Authorised, which: Query[WhichServer]) -> JsonAnswer[Done]:
    """Remove a server of the user; agents that run keep it until their end."""
    return await _removed(request, which.id)


@router.delete("/mcp-servers/{int:server_id}", response=command(Done), summary="Remove a server")
async def remove_server(request: Authorised, server_id: int) -> JsonAnswer[Done]:
    """Remove a server of the user; agents that run keep it until their end."""
    return await _removed(request, min(server_id, MAX_ID))


async def added(user: Any, wanted: rows.Wanted, *, source: Any) -> McpServer:
    """Check, try and store a server. Raises as of `rows.check` and `trial.count_tools`."""
    await in_thread(rows.check, user, wanted)
    tools = await trial.count_tools(wanted.server(), is_staff=user.is_staff)
    return await in_thread(rows.make, user, wanted, tools=tools, source=source)


def row_of(server: McpServer) -> ServerRow:
    """Return a server as JSON, without its secrets."""
    return {
        "id": server.pk,
        "name": server.name,
        "kind": server.kind,
        "command": server.command,
        "args": server.args,
        "url": server.url,
        "secrets": server.names,
        "projectId": str(server.project_id) if server.project_id else None,
        "tools": server.tools,
        "createdAt": timestamp(server.created_at),
    }


async def _removed(request: Authorised, number: int) -> JsonAnswer[Done]:
    await in_thread(rows.remove, request.auth, number, source=request.source)
    return JsonAnswer(DONE)


def _rows(user: Any) -> list[ServerRow]:
    return [row_of(server) for server in rows.of_user(user)]
