"""The first words with an ACP agent: hello, a new or resumed session, its mode."""

from __future__ import annotations

import logging
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
    ResumeSessionResponse,
)

from sessions.agents.acp import modes
from sessions.agents.acp.modes import Modes
from sessions.agents.acp.wire import error_text
from sessions.core.clean import clean_text

logger = logging.getLogger(__name__)

# JSON-RPC code of ACP's "authentication required".
AUTH_REQUIRED = -32000
# JSON-RPC's "method not found".
UNKNOWN_METHOD = -32601
# What the row of a session holds.
MAX_ID_CHARS = 256

Resumed = LoadSessionResponse | ResumeSessionResponse
ResumeCall = Callable[..., Awaitable[Resumed]]


@dataclass(frozen=True, slots=True)
class Opened:
    """A session of the agent, ready for prompts."""

    session_id: str
    modes: Modes
    resumed: bool
    can_resume: bool
    is_loaded: bool  # the agent has told what was said in it, and may not be at its end
    mode_error: str | None  # why it is not in the mode that was asked for, as "offers no …"


async def open_session(
    connection: ClientSideConnection, *, cwd: Path, resume: str | None, mode: str | None
) -> Opened:
    """Open a session in cwd: the one to resume where the agent can, else a new one.

    What an agent replays of an old session belongs to no turn. An agent that refuses the mode
    stays in its own. Raises what the agent answers: RequestError, ConnectionError.
    """
    hello = await connection.initialize(
        protocol_version=PROTOCOL_VERSION,
        client_capabilities=ClientCapabilities(),
        client_info=Implementation(name="backstay", title="Backstay", version="1"),
    )
    calls = _resume_calls(connection, hello)
    old = None if resume is None else await _resume(calls, cwd, resume)
    if resume is not None and old is not None:
        session_id, offered = resume, modes.of(old)
    else:
        new = await connection.new_session(cwd=str(cwd), mcp_servers=[])
        session_id, offered = new.session_id, modes.of(new)
    mode_error = None
    if mode is not None and mode != offered.current:
        offered, mode_error = await _in_mode(connection, offered, mode, session_id=session_id)
    return Opened(
        session_id,
        offered,
        resumed=old is not None,
        can_resume=bool(calls) and _fits(session_id),
        is_loaded=isinstance(old, LoadSessionResponse),
        mode_error=mode_error,
    )


def _fits(session_id: str) -> bool:
    """Return whether a session's id can be kept to resume it; without, the next one is new."""
    return len(session_id) <= MAX_ID_CHARS and clean_text(session_id) == session_id


async def _in_mode(
    connection: ClientSideConnection, offered: Modes, mode: str, *, session_id: str
) -> tuple[Modes, str | None]:
    """Go over to a mode; return what the agent has then, and why it is another one."""
    if not offered.has(mode):
        return offered, f"offers no mode {mode!r}"
    try:
        return await modes.switch(connection, offered, mode, session_id=session_id), None
    except RequestError as exc:
        return offered, f"did not change its mode: {exc}"


def start_error(label: str, exc: Exception, *, timeout_s: float, stderr: str) -> str:
    """Return why an agent did not start, for a person, with its last words."""
    if isinstance(exc, RequestError) and exc.code == AUTH_REQUIRED:
        reason = "it wants you to log in: start it once in a terminal and log in there"
    elif isinstance(exc, RequestError):
        reason = error_text(exc.to_error_obj())
    elif isinstance(exc, TimeoutError):
        reason = f"no answer within {timeout_s:g} s"
    else:
        reason = str(exc) or type(exc).__name__
    return f"{label} cannot be started: {reason}." + (f"\n{stderr}" if stderr else "")


async def _resume(calls: Sequence[ResumeCall], cwd: Path, session_id: str) -> Resumed | None:
    """Take a session up again and return the agent's answer, None when it does not."""
    for call in calls:
        try:
            return await call(cwd=str(cwd), session_id=session_id, mcp_servers=[])
        except RequestError as exc:
            logger.info("agent session not resumed", extra={"error": str(exc)[:200]})
            if exc.code != UNKNOWN_METHOD:
                return None
    return None


def _resume_calls(connection: ClientSideConnection, hello: InitializeResponse) -> list[ResumeCall]:
    """Return how the agent says that it takes a session up again, best first: without a replay.

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
