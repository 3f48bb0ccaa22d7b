"""Servers for the agents under test, and the table of what each agent passed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agents import table
from tests.agents.backends import BACKENDS, SERVICES
from tests.agents.cases import START_S
from tests.support.running import Chat, running_chat

CONTRACT = ("tests/agents/test_contract.py::", "tests/agents/test_contract_shown.py::")
INTERRUPTS = "tests/agents/test_storm.py::test_i7_a_thousand"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--contract-table", type=Path, help="put the contract's table into this file")


@pytest.fixture(scope="session", autouse=True)
def services() -> Iterator[None]:
    """Stop what the tests have started."""
    with SERVICES.stack:
        yield


@pytest.fixture
async def chat(settings: Any) -> AsyncIterator[Chat]:
    """A runner of this process that gives an agent little time to obey."""
    settings.CHAT = {"SENDS_PER_MINUTE": 10_000, "INTERRUPT_TIMEOUT_S": 0.5, "STOP_GRACE_S": 0.5}
    async with running_chat() as running:
        yield running


@pytest.fixture(autouse=True)
def wait_for_real_agents(request: pytest.FixtureRequest, settings: Any) -> None:
    """Give a real agent more time to start."""
    if request.node.get_closest_marker("agents"):
        settings.CHAT = settings.CHAT | {"START_TIMEOUT_S": START_S}


@pytest.fixture(autouse=True)
def tell_needs(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    """Tell the table what a case needs of its backend."""
    for mark in request.node.iter_markers("needs"):
        record_property("needs", list(mark.args))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables, and put them where --contract-table says."""
    _contract(terminalreporter)
    _interrupts(terminalreporter)


def _interrupts(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what came of interrupts at random moments, when all agents had theirs."""
    tallies = {
        report.nodeid.rpartition("[")[2].rstrip("]"): dict(report.user_properties)["interrupts"]
        for report in terminalreporter.getreports("passed")
        if report.nodeid.startswith(INTERRUPTS) and report.when == "call"
    }
    if len(tallies) == 3:
        text = table.interrupts(dict(sorted(tallies.items())))
        _show(terminalreporter, "interrupts at random moments", text, mark=table.INTERRUPTS)


def _show(terminalreporter: pytest.TerminalReporter, title: str, text: str, *, mark: str) -> None:
    terminalreporter.section(title)
    terminalreporter.write_line(text)
    path = terminalreporter.config.getoption("--contract-table", default=None)
    if path is not None:
        table.write(path, text, mark=mark)


def _contract(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the contract's table, when more than the agents of every `make test` ran."""
    found = table.Table()
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        if report.nodeid.startswith(CONTRACT) and report.when == "call":
            found.take(report)
    ran = {name for row in found.cases.values() for name in row}
    if not any(backend.is_extra and backend.name in ran for backend in BACKENDS):
        return
    # Only for the order of its cases, so not before pytest has collected it.
    from tests.agents import test_contract, test_contract_shown

    cases = [*vars(test_contract), *vars(test_contract_shown)]
    text = found.markdown(cases, [backend.name for backend in BACKENDS])
    _show(terminalreporter, "the contract, case by backend", text, mark=table.BEGIN)
