"""A hostile agent among the others: how a run takes it in, and what it may not have reached."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lab.chaos.evidence import Evidence, Violation
from lab.chaos.people import hostile_agent
from lab.chaos.people.hostile_agent import ATTACKS, ESCAPED
from lab.chaos.system import System

OWNER: Final = "mallory"
AGENT: Final = "hostile"
FILE: Final = "agents.toml"


def settings(folder: Path) -> dict[str, str]:
    """Return the variables of servers that offer the agent, and start none unconfined."""
    return {"CHAT_AGENTS_FILE": str(folder / FILE), "CHAT_AGENT_CONFINE": "strict"}


def configure(system: System) -> None:
    """Write the agents' file of a run, whose ports are known now."""
    ports = " ".join(map(str, system.own_ports()))
    # A JSON string is one of TOML, too.
    command = json.dumps([sys.executable, hostile_agent.__file__])
    env = f"{{ HOSTILE_PORTS = {json.dumps(ports)} }}"
    text = f"[agents.{AGENT}]\ncommand = {command}\nenv = {env}\n"
    (system.folder / FILE).write_text(text, encoding="utf-8")


async def attack(system: System) -> None:
    """Leave prompts for each attack; a runner takes them one after the other."""
    call = system.database.call
    session = await call("create_session", name=OWNER, agent=AGENT)
    for name in ATTACKS:
        await call("prompt", session=session, text=name)


def check(evidence: Evidence) -> Iterator[Violation]:
    """I7, I11: the agent has reached nothing that is not its own."""
    for session_id, session in evidence.sessions.items():
        if session.owner != OWNER:
            continue
        told = [text for event in session.events if ESCAPED in (text := str(event))]
        if told:
            yield Violation("I11", f"an agent left its place: {told[0][:300]}", "", session_id)
