"""The output of a program as a terminal shows it, held to the page's twin by a golden file."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.text.output import Output, spans
from tests.support import processor

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/output.json").read_text())
PIECES = st.sampled_from(
    ["\x1b", "[", "]", "31", ";", "m", "K", "\r", "\b", "\n", "a", "\x9b", "\x07", "2K", "é", "\0"]
)
_SGR = re.compile(r"\x1b\[[0-9;]+m")


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: str(row["name"]))
def test_each_control_has_its_golden_spans(row: dict[str, Any]) -> None:
    assert [list(span) for span in spans(row["text"])] == row["spans"]


def test_a_terminal_gets_the_colours_and_nothing_else() -> None:
    text = Output("\x1b[1;31mred\x1b[0m \x1b]0;title\x07\u202e\x1b[2Jend")
    assert text.drawn(has_colours=True) == "\x1b[1;31mred\x1b[0m ⟨U+202E⟩end"
    assert text.drawn(has_colours=False) == "red ⟨U+202E⟩end"


@given(st.text(max_size=200) | st.lists(PIECES, max_size=200).map("".join))
def test_no_output_moves_a_screen(text: str) -> None:
    drawn = Output(text).drawn(has_colours=True)
    left = _SGR.sub("", drawn)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", left)
    assert left == Output(text).drawn(has_colours=False)
    styles = [style for style, _ in spans(text)]
    assert all(before != after for before, after in pairwise(styles))


HOSTILE = [
    "\x1b[",
    "\x1b]",
    "\x1b]0;a",
    "\x1b[1;31m",
    "a\x1b[2K",
    "a\x1b[K\b",
    "a\r",
    "\x1b[1K",
    "\b",
]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("begin", ["", "x" * 60_000])
def test_the_cost_grows_with_the_length(piece: str, begin: str) -> None:
    def cost(size: int) -> float:
        text = begin[:size] + piece * (size // len(piece))
        return processor.seconds(lambda: spans(text))

    # 16 times the text at 64 times the cost: twice the machine's noise, a quarter of a square.
    assert cost(160_000) < 64 * max(cost(10_000), 0.002)
