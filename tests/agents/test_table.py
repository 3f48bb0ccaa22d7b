"""The contract's table says what a run has seen, and where it has seen nothing it says that."""

from dataclasses import dataclass, field

import pytest

from tests.agents import table

FILE = "tests/agents/test_contract.py"


@dataclass
class Ran:
    nodeid: str
    outcome: str
    user_properties: list[tuple[str, object]] = field(default_factory=list)


def ran(case: str, backend: str, outcome: str, *needs: str) -> Ran:
    return Ran(f"{FILE}::{case}[{backend}]", outcome, [("needs", list(needs))])


def absent(backend: str, what: str, outcome: str) -> Ran:
    return Ran(
        f"{FILE}::{table.ABSENCES[0]}[{backend}:{what}]", outcome, [("reason", "it has none")]
    )


def test_cells_are_outcomes_and_absences_that_a_test_has_seen():
    found = table.Table()
    for report in (
        ran("test_b_has_tools", "one", "passed", "tools"),
        ran("test_b_has_tools", "four", "failed", "tools"),
        ran("test_a_talks", "one", "passed"),
        ran("test_a_talks", "two", "passed"),
        ran("test_a_talks", "three", "passed"),
        absent("two", "tools", "passed"),
        absent("three", "tools", "failed"),
    ):
        found.take(report)
    text = found.markdown(["test_a_talks", "test_b_has_tools"], ["one", "two", "three", "four"])
    assert text.splitlines()[2:4] == [
        "| a talks | passed | passed | passed | not run |",
        "| b has tools | passed | not offered | not run | failed |",
    ]
    assert "- two, tools: it has none" in text
    assert "three, tools" not in text


def test_the_table_is_put_between_its_marks_and_nowhere_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    table.write(page, "new")
    assert page.read_text() == f"before\n{table.BEGIN}\nnew\n{table.END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="no place"):
        table.write(page, "new")
    assert page.read_text() == "no marks"


def test_interrupts_are_told_by_agent_and_in_a_place_of_their_own(tmp_path):
    answers, ends = {"interrupted": 3, "stop": 1}, {"interrupted": 3, "end_turn": 2}
    text = table.interrupts({"one": {"answers": answers, "ends": ends, "agents_started": 2}})
    assert text.endswith("| one | 4 | 3 | 0 | 1 | 2 | 5 | 2 `end_turn`, 3 `interrupted` |")
    page = tmp_path / "page.md"
    page.write_text(f"{table.BEGIN}\na\n{table.END}\n{table.INTERRUPTS}\nb\n{table.END}\n")
    table.write(page, "new", mark=table.INTERRUPTS)
    assert page.read_text().splitlines()[1] == "a"
    assert "\nnew\n" in page.read_text()
