"""I7: interrupts at random moments never end the server, nor leave a turn open or a process.

`make test-agents` runs a thousand of them, over the demo agent, Codex and Claude, and writes what
it has seen into docs/lab/agent-contract.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agents.backends import CLAUDE_SDK, CODEX, DEMO, agents_file
from tests.agents.contract import Backend
from tests.agents.storm import Tally, storm
from tests.support.server import Server, make_server

__all__ = ["make_server"]

# For all three together; INTERRUPTS=30 is a quick look.
INTERRUPTS = int(os.environ.get("INTERRUPTS", "1000"))
# What an agent answers that obeys.
OBEYED = {"interrupted", "not_running", "stop"}


@pytest.mark.parametrize("prompt", ["/flood 3000", "/refuse-interrupt 20", "/run sleep 5"])
def test_i7_interrupts_at_random_moments_of_what_is_odd(make_server, tmp_path, prompt):
    server = begun(make_server, DEMO, tmp_path)
    prompts = [prompt, "/slow 40", "/slow 1", "Hello!"]
    tally = storm(server, DEMO.name, prompts, count=20, last="/slow 1")
    assert tally.answers.total() == 20
    assert_healthy(server)


@pytest.mark.agents
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("backend", [DEMO, CODEX, CLAUDE_SDK], ids=lambda backend: backend.name)
def test_i7_a_thousand_interrupts_at_random_moments(
    make_server, tmp_path, record_property: Callable[[str, object], None], backend: Backend
):
    server = begun(make_server, backend, tmp_path)
    prompts = [backend.long, backend.short, backend.tool]
    count = -(-INTERRUPTS // 3)
    tally: Tally = storm(server, backend.name, prompts, count=count, last=backend.short)
    assert tally.answers.total() == count
    assert set(tally.answers) <= OBEYED
    assert tally.answers["interrupted"] > 0
    assert_healthy(server)
    told = {"answers": dict(tally.answers), "ends": dict(tally.ends)}
    record_property("interrupts", told | {"agents_started": tally.agents_started})


def begun(make_server: Callable[..., Server], backend: Backend, folder: Path) -> Server:
    environment = {
        "CHAT_AGENTS_FILE": str(agents_file(backend, folder)),
        "CHAT_SENDS_PER_MINUTE": "100000",
        "CHAT_REQUESTS_PER_MINUTE": "0",
        # A machine that is busy elsewhere must not count as an agent that does not obey.
        "CHAT_INTERRUPT_TIMEOUT_S": "15",
    }
    return make_server(environment=environment)


def assert_healthy(server: Server) -> None:
    """It is the process that was started, it answers, and nothing has failed in it."""
    with server.client("alice") as http:
        assert http.get("/readyz").json()["ok"]
    assert server.is_running
    assert "Traceback" not in server.log()
