"""The ways to log in that a running agent offers, and the one of its definition."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from sessions.agents import registry
from sessions.agents.ways import Kind, Method


async def offered(name: str, *, account: str) -> list[Method]:
    """Start an agent, ask for its ways to log in, and end it.

    Raises UnknownAgent, AgentStartFailed.
    """
    definition = registry.find(name)
    methods = []
    if definition.log_in:
        shown = " ".join(definition.log_in)
        methods.append(Method("", definition.label, shown, Kind.COMMAND, definition.log_in))
    if definition.is_ours:  # none of them has a way of its own
        return methods
    with tempfile.TemporaryDirectory(prefix="backstay-log-in-") as folder:
        cwd = Path(folder)
        env = await asyncio.to_thread(
            registry.environment, name, session_id="log-in", cwd=cwd, account=account
        )
        async with registry.reader(name, cwd=cwd).opened(cwd, env) as agent:
            return [*methods, *agent.ways]
