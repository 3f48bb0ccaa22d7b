"""The program that calls `authenticate` of an agent, in the terminal of a log-in.

The agent may send the person to a page: its link is printed. Arguments: the id of the
method, and the file with the agent's start, as `terminal` wrote it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any, Final

from acp import PROTOCOL_VERSION, RequestError, connect_to_agent
from acp.schema import AcceptElicitationResponse, ClientCapabilities, Implementation

from sessions.agents.acp.handshake import CLIENT
from sessions.agents.acp.pipe.wire import error_text

# A page may be opened; forms have no place in a terminal.
CAPABILITIES: Final = ClientCapabilities.model_validate(
    {"auth": {"terminal": True}, "elicitation": {"url": {}}}
)
LINE_BYTES: Final = 1024 * 1024


class _Person:
    """The client: it prints the pages that the agent wants opened."""

    async def create_elicitation(
        self, message: str, mode: Any, **_more: Any
    ) -> AcceptElicitationResponse:
        """Print a page."""
        print(message, getattr(mode, "url", ""), sep="\n", flush=True)
        return AcceptElicitationResponse(action="accept")

    async def complete_elicitation(self, elicitation_id: str, **_more: Any) -> None:
        """Take the end of a page as it is: the call's answer tells the rest."""

    async def session_update(self, session_id: str, update: Any, **_more: Any) -> None:
        """Drop every update: there is no session."""

    def on_connect(self, connection: Any) -> None:
        """Need nothing of the connection."""


async def log_in(method: str, start: dict[str, Any]) -> str:
    """Start the agent and call; return why it failed, "" when it did not."""
    process = await asyncio.create_subprocess_exec(
        *start["command"],
        stdin=PIPE,
        stdout=PIPE,
        env=start["env"],
        pass_fds=start["descriptors"],
        limit=LINE_BYTES,
    )
    connection = connect_to_agent(
        _Person(),  # type: ignore[arg-type]  # the calls of a session never come
        process.stdin,
        process.stdout,
        use_unstable_protocol=True,
    )
    try:
        await connection.initialize(
            protocol_version=PROTOCOL_VERSION,
            client_capabilities=CAPABILITIES,
            client_info=Implementation.model_validate(CLIENT),
        )
        await connection.authenticate(method_id=method)
    except RequestError as exc:
        return error_text(exc.to_error_obj())
    except ConnectionError as exc:
        return str(exc) or "The agent has ended."
    finally:
        await connection.close()
        if process.returncode is None:
            process.kill()
        await process.wait()
    return ""


def main() -> int:
    """Log in; print the outcome."""
    why = asyncio.run(log_in(sys.argv[1], json.loads(Path(sys.argv[2]).read_text("utf-8"))))
    print(f"Not logged in: {why}" if why else "Logged in.", flush=True)
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
