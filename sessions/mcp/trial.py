"""A trial of an MCP server: its handshake and its list of tools, bounded in time and bytes."""

from __future__ import annotations

import asyncio
import json
import tempfile
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import httpx

from sessions.agents.content import ToolServer
from sessions.agents.processes.confine import CannotConfine, Confinement
from sessions.agents.processes.environment import build
from sessions.agents.processes.group import AgentProcess
from sessions.mcp.address import resolved
from sessions.mcp.refusals import ServerFailed

DEADLINE_S: Final = 20.0
MAX_BYTES: Final = 1024 * 1024
PROTOCOL: Final = "2025-06-18"
# Caches of the programs that start servers, such as npx and uvx.
_WRITE: Final = ("~/.npm", "~/.cache", "~/.local/share")

Json = dict[str, Any]

_HELLO: Final[Json] = {
    "protocolVersion": PROTOCOL,
    "capabilities": {},
    "clientInfo": {"name": "backstay", "version": "1"},
}


async def count_tools(server: ToolServer, *, is_staff: bool) -> int:
    """Return the number of tools of a server that answers. Raises ServerFailed with the reason."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            if server.kind == "stdio":
                return await _by_command(server)
            return await _by_http(server, is_staff=is_staff)
    except TimeoutError as exc:
        raise ServerFailed(f"It did not answer within {DEADLINE_S:g} s.") from exc
    except (OSError, CannotConfine) as exc:
        raise ServerFailed(f"It cannot be started: {exc}.") from exc
    except httpx.HTTPError as exc:
        raise ServerFailed(f"It cannot be reached: {str(exc) or type(exc).__name__}.") from exc
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise ServerFailed("Its answer is not one of an MCP server.") from exc


async def _by_command(server: ToolServer) -> int:
    with tempfile.TemporaryDirectory() as folder:
        env = build((), dict(server.secrets))
        process = await AgentProcess.spawn(
            (server.command, *server.args),
            cwd=Path(folder),
            env=env,
            confinement=Confinement(write=_WRITE),
        )
        try:
            await _asked_by_pipe(process, 1, "initialize", _HELLO)
            process.stdin.write(_line({"method": "notifications/initialized"}))
            return _tools(await _asked_by_pipe(process, 2, "tools/list", {}))
        finally:
            await process.close(grace_s=0)


async def _asked_by_pipe(process: AgentProcess, number: int, method: str, params: Json) -> Json:
    process.stdin.write(_line({"id": number, "method": method, "params": params}))
    await process.stdin.drain()
    left = MAX_BYTES
    while line := await process.stdout.readline():
        left -= len(line)
        if left < 0:
            raise ServerFailed("It says too much.")
        try:
            told = json.loads(line)
        except ValueError:
            continue  # a word of the program, not of the protocol
        if isinstance(told, dict) and told.get("id") == number:
            return _result(told)
    raise ServerFailed("It ended. " + process.stderr_tail(lines=3))


async def _by_http(server: ToolServer, *, is_staff: bool) -> int:
    address, host, name = await resolved(server.url, is_staff=is_staff)
    headers = {
        **server.secrets,
        "Host": host,
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
    }
    async with httpx.AsyncClient(trust_env=False, timeout=DEADLINE_S) as client:

        async def ask(body: Json, more: dict[str, str]) -> tuple[Json, dict[str, str]]:
            request = client.build_request(
                "POST",
                address,
                headers={**headers, **more},
                content=_line(body),
                extensions={"sni_hostname": name},
            )
            answer = await client.send(request, stream=True)
            async with aclosing(answer):
                return await _answered(answer, body.get("id")), dict(answer.headers)

        hello, told = await ask({"id": 1, "method": "initialize", "params": _HELLO}, {})
        more = {"MCP-Protocol-Version": str(hello.get("protocolVersion", PROTOCOL))}
        if "mcp-session-id" in told:
            more["Mcp-Session-Id"] = told["mcp-session-id"]
        await ask({"method": "notifications/initialized"}, more)
        listed, _ = await ask({"id": 2, "method": "tools/list", "params": {}}, more)
        return _tools(listed)


async def _answered(answer: httpx.Response, number: int | None) -> Json:
    """Return the result under a number, of JSON or of a stream; {} for a notification."""
    if answer.status_code >= httpx.codes.MULTIPLE_CHOICES:
        raise ServerFailed(f"It answers with the status {answer.status_code}.")
    if number is None:
        return {}
    is_stream = answer.headers.get("content-type", "").startswith("text/event-stream")
    data = b""
    async for piece in answer.aiter_raw(65_536):
        data += piece
        if len(data) > MAX_BYTES:
            raise ServerFailed("It says too much.")
        if is_stream:
            for line in data.split(b"\n")[:-1]:
                told = _of_stream(line)
                if told.get("id") == number:
                    return _result(told)
    return _result(json.loads(data))


def _of_stream(line: bytes) -> Json:
    told = json.loads(line.removeprefix(b"data:")) if line.startswith(b"data:") else {}
    return told if isinstance(told, dict) else {}


def _result(told: Json) -> Json:
    if "error" in told:
        raise ServerFailed(f"It refuses: {str(told['error'].get('message', ''))[:200]}")
    result: Json = told["result"]
    return result


def _tools(listed: Json) -> int:
    return len(list(listed["tools"]))


def _line(body: Json) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **body}).encode() + b"\n"
