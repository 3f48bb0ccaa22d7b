"""The pages on security: every requirement is answered once, every named test exists."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# How many requirements of the levels 1 and 2 each chapter of ASVS 5.0.0 has.
REQUIREMENTS = dict(
    enumerate([27, 11, 19, 10, 9, 35, 18, 7, 7, 29, 14, 9, 13, 9, 13, 16, 7], start=1)
)


def rows(page: str) -> list[list[str]]:
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line[:1] == "|"
    ]


def test_every_requirement_of_the_standard_is_answered_once() -> None:
    answers = [row for row in rows("docs/deploy/asvs.md") if re.match(r"\d", row[0])]
    ids = [one for row in answers for one in row[0].split(", ")]
    assert [one for one, count in Counter(ids).items() if count > 1] == []
    assert Counter(int(one.split(".")[0]) for one in ids) == REQUIREMENTS
    assert {row[1] for row in answers} == {"yes", "no", "n/a"}
    counted = Counter(row[1] for row in answers for _ in row[0].split(", "))
    page = (ROOT / "docs/deploy/asvs.md").read_text(encoding="utf-8")
    for answer, count in counted.items():
        assert f"**{answer}** ({count})" in page


def test_every_promise_names_a_test_that_exists() -> None:
    promises = [row for row in rows("docs/deploy/security.md") if "`tests/" in row[-1]]
    assert len(promises) > 15
    named = {path for row in promises for path in re.findall(r"`(tests/[^`]+)`", row[-1])}
    assert [path for path in sorted(named) if not (ROOT / path).is_file()] == []
