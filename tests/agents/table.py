"""The table of the contract, case by backend: nothing in it but what a run has seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

ABSENCES = ("test_what_is_not_offered_is_not_there", "test_offers_that_are_not_made")
COMMAND = "make test-agents ARGS=--contract-table=docs/lab/agent-contract.md"
BEGIN = f"<!-- written by `{COMMAND}` -->"
INTERRUPTS = f"<!-- interrupts: written by `{COMMAND}` -->"
END = "<!-- end of the table -->"


class Report(Protocol):
    """A test's report, as far as the table reads it."""

    nodeid: str
    outcome: str
    user_properties: list[tuple[str, object]]


@dataclass
class Table:
    """cases: case → backend → outcome. needs: case → what it needs. absent: why a backend has not.

    A backend counts as without something when a test has found that it is not there.
    """

    cases: dict[str, dict[str, str]] = field(default_factory=dict)
    needs: dict[str, Sequence[str]] = field(default_factory=dict)
    absent: dict[tuple[str, str], str] = field(default_factory=dict)

    def take(self, report: Report) -> None:
        """Note one report; a test that has failed once has failed."""
        case, _, backend = report.nodeid.rpartition("::")[2].rstrip("]").partition("[")
        told = dict(report.user_properties)
        if case in ABSENCES:
            if report.outcome == "passed":
                name, _, need = backend.partition(":")
                self.absent[name, need] = str(told["reason"])
            return
        row = self.cases.setdefault(case, {})
        row[backend] = report.outcome if row.get(backend) != "failed" else "failed"
        self.needs[case] = told["needs"]

    def cell(self, case: str, backend: str) -> str:
        """Return the outcome, "not offered", or "not run"."""
        outcome = self.cases[case].get(backend)
        if outcome is not None:
            return outcome
        lacks = any((backend, need) in self.absent for need in self.needs[case])
        return "not offered" if lacks else "not run"

    def markdown(self, cases: Iterable[str], backends: Iterable[str]) -> str:
        """Return table and reasons, in the order of the two lists, for those that ran."""
        rows = [case for case in cases if case in self.cases]
        ran = {name for row in self.cases.values() for name in row}
        columns = [name for name in backends if name in ran]
        lines = [line(["case", *columns]), line(["---"] * (len(columns) + 1))]
        for case in rows:
            words = case.removeprefix("test_").replace("_", " ")
            lines.append(line([words, *(self.cell(case, name) for name in columns)]))
        reasons = [f"- {name}, {need}: {why}" for (name, need), why in sorted(self.absent.items())]
        return "\n".join([*lines, "", "Not offered, as the run has seen too:", "", *reasons])


def interrupts(tallies: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what came of interrupts at random moments, by agent: see storm.Tally."""
    head = ["agent", "interrupts", "ended the turn", "found it over", "and ended the process"]
    lines = [line([*head, "agents started", "turns", "how they ended"])]
    lines.append(line(["---"] * 8))
    for agent, tally in tallies.items():
        answers, ends = tally["answers"], tally["ends"]
        how = ", ".join(f"{count} `{reason}`" for reason, count in sorted(ends.items()))
        kinds = [answers.get(kind, 0) for kind in ("interrupted", "not_running", "stop")]
        numbers = [sum(answers.values()), *kinds, tally["agents_started"], sum(ends.values())]
        lines.append(line([agent, *map(str, numbers), how]))
    return "\n".join(lines)


def write(path: Path, text: str, *, mark: str = BEGIN) -> None:
    """Put text between the two marks of a file. Raises ValueError when they are not there."""
    before, begin, rest = path.read_text(encoding="utf-8").partition(mark)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no place for the table.")
    path.write_text(f"{before}{mark}\n{text}\n{END}{after}", encoding="utf-8")


def line(cells: Iterable[str]) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(cells)} |"
