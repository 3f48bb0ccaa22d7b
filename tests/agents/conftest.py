"""Servers for the agents under test, and the table of what each agent passed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.agents.contract import BACKENDS, SERVICES

CONTRACT = "tests/agents/test_contract.py::"


@pytest.fixture(scope="session", autouse=True)
def services() -> Iterator[None]:
    """Stop what the tests have started."""
    with SERVICES.stack:
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print backend by case, when more than the agents of every `make test` ran."""
    outcomes: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for word in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(word):
            if report.nodeid.startswith(CONTRACT):
                case, _, backend = report.nodeid.removeprefix(CONTRACT).partition("[")
                outcomes[case][backend.rstrip("]")] = word
    names = [backend.name for backend in BACKENDS]
    ran = {name for row in outcomes.values() for name in row}
    if not any(backend.is_extra and backend.name in ran for backend in BACKENDS):
        return
    terminalreporter.section("the contract: backend by case")
    width = max(map(len, outcomes))
    terminalreporter.write_line(" ".join([" " * width, *(f"{name:12}" for name in names)]))
    for case, row in outcomes.items():
        cells = (f"{row.get(name, '-'):12}" for name in names)
        terminalreporter.write_line(" ".join([f"{case:{width}}", *cells]))
    terminalreporter.write_line("- not offered by this agent:")
    for backend in BACKENDS:
        for what, why in backend.not_offered.items():
            terminalreporter.write_line(f"  {backend.name}: no {what}: {why}")
