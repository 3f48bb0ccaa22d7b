"""The first words with an ACP agent: hello, a new or resumed session, its mode."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acp import PROTOCOL_VERSION, RequestError
from acp.client.connection import ClientSideConnection
from acp.schema import (
    ClientCapabilities,
    Implementation,
    InitializeResponse,
    SessionModeState,
)

from sessions.agents import base
from sessions.agents.acp_wire import error_text

log = logging.getLogger(__name__)

# JSON-RPC code of ACP's "authentication required".
AUTH_REQUIRED = -32000


@dataclass(frozen=True, slots=True)
class Opened:
    """A session of the agent, ready for prompts. mode: the one it is in."""

    session_id: str
    modes: tuple[base.Mode, ...]
    mode: str | None
    resumed: bool
    can_resume: bool


async def open_session(
    connection: ClientSideConnection, *, cwd: Path, resume: str | None, mode: str | None
) -> Opened:
    """Open a session in cwd: the one to resume where the agent can, else a new one.

    What an agent replays of an old session meanwhile belongs to no turn. Raises what the agent
    answers: RequestError, ConnectionError.
    """
    hello = await connection.initialize(
        protocol_version=PROTOCOL_VERSION,
        client_capabilities=ClientCapabilities(),
        client_info=Implementation(name="backstay", title="Backstay", version="1"),
    )
    call = _resume_call(connection, hello)
    resumed, state = False, None
    if resume is not None and call is not None:
        resumed, state = await _resume(call, cwd, resume)
    session_id = resume or ""
    if not resumed:
        new = await connection.new_session(cwd=str(cwd), mcp_servers=[])
        session_id, state = new.session_id, new.modes
    modes = _modes(state)
    current = state.current_mode_id if state else None
    if mode is not None and mode != current and any(offered.id == mode for offered in modes):
        await connection.set_session_mode(session_id=session_id, mode_id=mode)
        current = mode
    return Opened(session_id, modes, current, resumed, can_resume=call is not None)


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


async def _resume(
    call: Callable[..., Any], cwd: Path, session_id: str
) -> tuple[bool, SessionModeState | None]:
    try:
        answer = await call(cwd=str(cwd), session_id=session_id, mcp_servers=[])
    except RequestError as exc:
        log.info("agent session not resumed", extra={"error": str(exc)[:200]})
        return False, None
    return True, answer.modes


def _resume_call(
    connection: ClientSideConnection, hello: InitializeResponse
) -> Callable[..., Any] | None:
    """Return how the agent takes a session up again: without a replay, with one, or None."""
    can = hello.agent_capabilities
    if can is None:
        return None
    if can.session_capabilities is not None and can.session_capabilities.resume is not None:
        return connection.resume_session
    return connection.load_session if can.load_session else None


def _modes(state: SessionModeState | None) -> tuple[base.Mode, ...]:
    offered = state.available_modes if state else []
    return tuple(base.Mode(m.id, m.name, m.description or "") for m in offered)
