"""The first words with an ACP agent: hello, a new or resumed session, its mode."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from acp import PROTOCOL_VERSION, RequestError
from acp.client.connection import ClientSideConnection
from acp.schema import (
    ForkSessionResponse,
    InitializeResponse,
    LoadSessionResponse,
    NewSessionResponse,
    ResumeSessionResponse,
)
from pydantic import ValidationError

from sessions.agents.acp.pipe.wire import error_text, wants_log_in
from sessions.agents.acp.translation import modes
from sessions.agents.acp.translation.modes import Modes
from sessions.agents.acp.translation.options import in_mode, of_models
from sessions.agents.acp.translation.servers import taken
from sessions.agents.content import ConfigOption, ToolServer
from sessions.agents.ways import Method, of_agent, wanted_by
from sessions.core.clean import clean

# JSON-RPC's "method not found".
UNKNOWN_METHOD = -32601

# The abilities of this side, as JSON: the library's model leaves out what it does not know yet.
# An agent asks questions only of a client that can show them.
CAPABILITIES: Final = {
    "fs": {"readTextFile": False, "writeTextFile": False},
    "terminal": False,
    # Without these, warnings of an agent are words of its answer, a compaction is a tool call.
    "session": {"configOptions": {"boolean": {}}, "notices": {}, "compaction": {}},
    # Claude tells its ways to log in to a client that has a terminal for them.
    "auth": {"terminal": True},
    "elicitation": {"form": {}, "url": {}},
    # Claude tells the text of its subagents to a client that names this.
    "_meta": {"subagent-transcript": True},
}

CLIENT: Final = {"name": "backstay", "title": "Backstay", "version": "1"}

Resumed = LoadSessionResponse | ResumeSessionResponse | ForkSessionResponse
ResumeCall = Callable[..., Awaitable[Resumed]]


class LoadFailed(Exception):
    """The agent hung, died or answered nonsense while it loaded a session; the text says which."""


class LogInWanted(Exception):
    """The agent opens no session before a log-in. ways: those that it offers."""

    def __init__(self, ways: tuple[Method, ...]) -> None:
        super().__init__("it wants a log-in first")
        self.ways = ways


@dataclass(frozen=True, slots=True)
class Opened:
    """A session of the agent, ready for prompts."""

    session_id: str
    modes: Modes
    options: tuple[ConfigOption, ...]
    resumed: bool
    can_resume: bool
    is_loaded: bool  # the agent replays it, and may not be at its end
    mode_error: str | None  # why it is not in the mode that was asked for, as "offers no …"
    takes_images: bool
    takes_texts: bool
    refusal: str | None  # why it did not resume the first of the sessions
    servers: tuple[str, ...] = ()  # the names of the MCP servers that it was given
    ways: tuple[Method, ...] = ()  # to log in


async def greet(connection: ClientSideConnection) -> InitializeResponse:
    """Tell an agent this side's abilities; return its own.

    Raises RequestError, ConnectionError, ValidationError.
    """
    answer = await connection._conn.send_request(  # noqa: SLF001
        "initialize",
        {
            "protocolVersion": PROTOCOL_VERSION,
            "clientCapabilities": CAPABILITIES,
            "clientInfo": CLIENT,
        },
    )
    return InitializeResponse.model_validate(answer)


async def open_session(
    connection: ClientSideConnection,
    *,
    cwd: Path,
    resume: Sequence[str],
    is_fork: bool,
    mode: str | None,
    load_s: float,
    meta: Mapping[str, Any],
    servers: Sequence[ToolServer] = (),
) -> Opened:
    """Open a session in cwd: the first of resume that the agent takes, else a new one.

    The old messages that an agent replays belong to no turn. An agent that refuses the mode stays
    in its own. load_s: how long it may load. meta: the `_meta` of the opening. Raises LoadFailed,
    LogInWanted, and the agent's own answers: RequestError, ConnectionError.
    """
    hello = await greet(connection)
    given = taken(servers, hello)
    able = _resume_calls(connection, hello)
    offered_calls = _fork_calls(connection, hello) if is_fork else able
    calls = [partial(call, mcp_servers=given, **meta) for call in offered_calls]
    with _wanting_log_in(hello):
        try:
            async with asyncio.timeout(load_s):
                session_id, old, refusal = await _resume(calls, cwd, resume)
        except TimeoutError as exc:
            raise LoadFailed(f"no answer within {load_s:g} s") from exc
        if isinstance(old, ForkSessionResponse):
            session_id = old.session_id
        answer: NewSessionResponse | Resumed | None = old
        if answer is None:
            answer = new = await connection.new_session(cwd=str(cwd), mcp_servers=given, **meta)
            session_id = new.session_id
    offered, options = modes.of(answer), of_models(answer.config_options)
    mode_error = None
    if mode is not None and mode != offered.current:
        offered, told, mode_error = await _in_mode(connection, offered, mode, session_id=session_id)
        options = in_mode(told or options, offered.current)
    return Opened(
        session_id,
        offered,
        options,
        resumed=old is not None,
        can_resume=bool(able),
        is_loaded=isinstance(old, LoadSessionResponse),
        mode_error=mode_error,
        takes_images=_takes_images(hello),
        takes_texts=_takes_texts(hello),
        refusal=refusal,
        servers=tuple(server.name for server in given),
        ways=ways_of(hello),
    )


@contextmanager
def _wanting_log_in(hello: InitializeResponse) -> Iterator[None]:
    """Raise LogInWanted in the place of an answer that wants a log-in."""
    try:
        yield
    except RequestError as exc:
        if wants_log_in(exc.to_error_obj()):
            raise LogInWanted(ways_of(hello)) from exc
        raise


def ways_of(hello: InitializeResponse) -> tuple[Method, ...]:
    """Return the ways to log in that an agent has told."""
    told = (one.model_dump(mode="json", by_alias=True) for one in hello.auth_methods or [])
    return tuple(of_agent(map(clean, told)))


def _takes_images(hello: InitializeResponse) -> bool:
    can = hello.agent_capabilities
    return bool(can and can.prompt_capabilities and can.prompt_capabilities.image)


def _takes_texts(hello: InitializeResponse) -> bool:
    can = hello.agent_capabilities
    return bool(can and can.prompt_capabilities and can.prompt_capabilities.embedded_context)


async def _in_mode(
    connection: ClientSideConnection, offered: Modes, mode: str, *, session_id: str
) -> tuple[Modes, tuple[ConfigOption, ...], str | None]:
    """Switch to a mode; return the modes and settings as they are told then, and a failure."""
    if not offered.has(mode):
        return offered, (), f"offers no mode {mode!r}"
    try:
        return *await modes.switch(connection, offered, mode, session_id=session_id), None
    except RequestError as exc:
        return offered, (), f"did not change its mode: {exc}"


def start_error(label: str, exc: Exception, *, timeout_s: float, stderr: str) -> str:
    """Return why an agent did not start, for a person, with the last lines of its stderr."""
    if isinstance(exc, LogInWanted):
        return wanted_by(label)
    reason = why_failed(exc, timeout_s=timeout_s)
    return f"{label} cannot be started: {reason}." + (f"\n{stderr}" if stderr else "")


def why_failed(exc: Exception, *, timeout_s: float) -> str:
    """Return why a request to an agent failed, in words for a person."""
    if isinstance(exc, RequestError) and wants_log_in(exc.to_error_obj()):
        return str(LogInWanted(()))
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
    Raises LoadFailed, and the answer that wants a log-in.
    """
    refusal = None if calls else "it can resume none"
    for session_id in session_ids:
        for call in calls:
            try:
                answer = await call(cwd=str(cwd), session_id=session_id)
            except RequestError as exc:
                if wants_log_in(exc.to_error_obj()):
                    raise  # a new session in its place would forget what was said
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


def _fork_calls(connection: ClientSideConnection, hello: InitializeResponse) -> list[ResumeCall]:
    """Return the call by which the agent copies a session, where it offers one."""
    can = hello.agent_capabilities and hello.agent_capabilities.session_capabilities
    return [connection.fork_session] if can and can.fork is not None else []
