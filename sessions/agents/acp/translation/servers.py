"""The MCP servers of a person, as an agent's session gets them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from acp.schema import (
    AcpMcpServer,
    EnvVariable,
    HttpHeader,
    HttpMcpServer,
    InitializeResponse,
    McpServerStdio,
    SseMcpServer,
)

from sessions.agents.content import ToolServer

Server: TypeAlias = HttpMcpServer | SseMcpServer | AcpMcpServer | McpServerStdio


def taken(servers: Sequence[ToolServer], hello: InitializeResponse) -> list[Server]:
    """Return the servers that an agent takes: every one takes commands, not every one http."""
    can = hello.agent_capabilities
    by_http = bool(can and can.mcp_capabilities and can.mcp_capabilities.http)
    return [_server(one) for one in servers if by_http or one.kind != "http"]


def _server(one: ToolServer) -> Server:
    if one.kind == "http":
        headers = [HttpHeader(name=name, value=value) for name, value in one.secrets.items()]
        return HttpMcpServer(type="http", name=one.name, url=one.url, headers=headers)
    env = [EnvVariable(name=name, value=value) for name, value in one.secrets.items()]
    return McpServerStdio(name=one.name, command=one.command, args=list(one.args), env=env)
