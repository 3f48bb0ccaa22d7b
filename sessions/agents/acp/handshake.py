"""The first words with an ACP agent: hello, a new or resumed session, its mode."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from acp import PROTOCOL_VERSION, RequestError
from acp.client.connection import ClientSideConnection
from acp.schema import (
    ClientCapabilities,
    Implementation,
    InitializeResponse,
    LoadSessionResponse,
    NewSessionResponse,
    ResumeSessionResponse,
)
from pydantic import ValidationError

from sessions.agents.acp import modes
from sessions.agents.acp.modes import Modes
from sessions.agents.acp.pipe.wire import error_text

# JSON-RPC code of ACP's "authentication required".
AUTH_REQUIRED = -32000
# JSON-RPC's "method not found".
UNKNOWN_METHOD = -32601

Resumed = LoadSessionResponse | ResumeSessionResponse
ResumeCall = Callable[..., Awaitable[Resumed]]


class LoadFailed(Exception):
    """The agent hung, died or answered nonsense while it loaded a session; the text says which."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session of the agent, ready for prompts."""

    session_id: str
    modes: Modes
    resumed: bool
    can_resume: bool
    is_loaded: bool  # the agent replays it, and may not be at its end
    mode_error: str | None  # why it is not in the mode that was asked for, as "offers no …"
    refusal: str | None  # why it did not resume the first of the sessions


async def open_session(
    connection: ClientSideConnection,
    *,
    cwd: Path,
    resume: Sequence[str],
    mode: str | None,
    load_s: float,
) -> Opened:
    """Open a session in cwd: the first of those to resume that the agent takes, else a new one.

    The old messages that an agent replays belong to no turn. An agent that refuses the mode stays
    in its own. load_s: how long it may load. Raises LoadFailed, and the agent's own answers:
    RequestError, ConnectionError.
    """
    hello = await connection.initialize(
        protocol_version=PROTOCOL_VERSION,
        client_capabilities=ClientCapabilities(),
        client_info=Implementation(name="backstay", title="Backstay", version="1"),
    )
    calls = _resume_calls(connection, hello)
    try:
        async with asyncio.timeout(load_s):
            session_id, old, refusal = await _resume(calls, cwd, resume)
    except TimeoutError as exc:
        raise LoadFailed(f"no answer within {load_s:g} s") from exc
    answer: NewSessionResponse | Resumed | None = old
    if answer is None:
        answer = new = await connection.new_session(cwd=str(cwd), mcp_servers=[])
        session_id = new.session_id
    offered = modes.of(answer)
    mode_error = None
    if mode is not None and mode != offered.current:
        offered, mode_error = await _in_mode(connection, offered, mode, session_id=session_id)
    return Opened(
        session_id,
        offered,
        resumed=old is not None,
        can_resume=bool(calls),
        is_loaded=isinstance(old, LoadSessionResponse),
        mode_error=mode_error,
        refusal=refusal,
    )


async def _in_mode(
    connection: ClientSideConnection, offered: Modes, mode: str, *, session_id: str
) -> tuple[Modes, str | None]:
    """Switch to a mode; return the modes as they are then, and why it is not the current one."""
    if not offered.has(mode):
        return offered, f"offers no mode {mode!r}"
    try:
        return await modes.switch(connection, offered, mode, session_id=session_id), None
    except RequestError as exc:
        return offered, f"did not change its mode: {exc}"


def start_error(label: str, exc: Exception, *, timeout_s: float, stderr: str) -> str:
    """Return why an agent did not start, for a person, with the last lines of its stderr."""
    reason = why_failed(exc, timeout_s=timeout_s)
    return f"{label} cannot be started: {reason}." + (f"\n{stderr}" if stderr else "")


def why_failed(exc: Exception, *, timeout_s: float) -> str:
    """Return why a request to an agent failed, in words for a person."""
    if isinstance(exc, RequestError) and exc.code == AUTH_REQUIRED:
        return "it wants you to log in: start it once in a terminal and log in there"
    if isinstance(exc, RequestError):
        return error_text(exc.to_error_obj())
    if isinstance(exc, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(exc, ValidationError):
        return "its answer has another form than the protocol's"
    return str(exc) or type(exc).__name__


async def _resume(
    calls: Sequence[ResumeCall], cwd: Path, session_ids: Sequence[str]
) -> tuple[str, Resumed | None, str | None]:
    """Resume the first session that the agent takes.

    Return its id and the agent's answer, ("", None) for none, and why it did not take the first.
    Raises LoadFailed.
    """
    refusal = None if calls else "it can resume none"
    for session_id in session_ids:
        for call in calls:
            try:
                answer = await call(cwd=str(cwd), session_id=session_id, mcp_servers=[])
            except RequestError as exc:
                refusal = refusal or error_text(exc.to_error_obj())
                if exc.code != UNKNOWN_METHOD:
                    break
            except (ConnectionError, ValidationError) as exc:
                raise LoadFailed(_short(exc)) from exc
            else:
                return session_id, answer, refusal if session_id != session_ids[0] else None
    return "", None, refusal


def _short(exc: Exception) -> str:
    """Return why a load failed."""
    return "it ended" if isinstance(exc, ConnectionError) else "its answer has another form"


def _resume_calls(connection: ClientSideConnection, hello: InitializeResponse) -> list[ResumeCall]:
    """Return the calls by which the agent says that it resumes a session, without a replay first.

    Qwen offers the first and knows only the second.
    """
    can = hello.agent_capabilities
    calls: list[ResumeCall] = []
    if can is None:
        return calls
    if can.session_capabilities is not None and can.session_capabilities.resume is not None:
        calls.append(connection.resume_session)
    if can.load_session:
        calls.append(connection.load_session)
    return calls
