"""The pages of the docs: their tables and curves are made of the records beside them.

    python -m lab.benchmarks.results.pages     write the tables and the curves again

A page names its blocks. Everything between the two comments is generated:

    <!-- benchmark RECORD KIND PART -->
    <!-- end -->

RECORD is a file of docs/lab/results, without .json. KIND is machine, table, ratios, growth or
facts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lab.benchmarks.contenders import OURS
from lab.benchmarks.parts import PARTS
from lab.benchmarks.results import machine, record, svg, tables
from lab.benchmarks.results.record import Measure, PartRecord
from lab.rig.processes import ROOT

DOCS: Final = ROOT / "docs/lab"
RESULTS: Final = DOCS / "results"
CURVES: Final = DOCS / "curves"
BLOCK: Final = re.compile(
    r"^(?P<head><!-- benchmark (?P<record>[\w.-]+) (?P<kind>\w+) ?(?P<part>[\w-]*) -->\n)"
    r"(?P<body>.*?)(?P<end>^<!-- end -->)",
    re.MULTILINE | re.DOTALL,
)


def rendered(text: str) -> str:
    """Return a page with its blocks made again. Raises NotARecord, KeyError."""
    return BLOCK.sub(lambda found: f"{found['head']}{_body(found)}{found['end']}", text)


def pages() -> Iterator[Path]:
    """Yield the pages that have blocks."""
    for path in sorted(DOCS.glob("*.md")):
        if BLOCK.search(path.read_text(encoding="utf-8")):
            yield path


def pictures() -> dict[Path, str]:
    """Return every curve of the records, by its file: one for each part and server."""
    found: dict[Path, str] = {}
    for path in sorted(RESULTS.glob("*.json")):
        for name, part in record.read(path).parts.items():
            if (curve := PARTS[name].curve) is not None:
                for contender in dict.fromkeys(run.contender for run in part.runs):
                    lines = _lines(part, contender, curve.measure)
                    stem = re.sub(r"\W+", "-", f"{name}-{contender}".lower())
                    found[CURVES / f"{stem}.svg"] = svg.curves(
                        f"{part.title}: {contender}", x=curve.x, y=curve.measure.title, lines=lines
                    )
    return found


def _lines(
    part: PartRecord, contender: str, measure: Measure
) -> dict[str, list[tuple[float, float]]]:
    """Return the points of each case over the size that its runs name."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for run in part.runs:
        size, value = run.values["size"], run.values.get(measure.key)
        if run.contender != contender or isinstance(size, str):
            continue
        if isinstance(value, (int, float)) and value > 0:
            lines.setdefault(run.case, []).append((size, value))
    return lines


def _body(found: re.Match[str]) -> str:
    told = record.read(RESULTS / f"{found['record']}.json")
    if found["kind"] == "machine":
        return f"{machine.sentence(told)}\n"
    part = told.parts[found["part"]]
    measures = PARTS[found["part"]].measures
    match found["kind"]:
        case "table":
            return f"{tables.of_runs(part.runs, measures)}\n"
        case "ratios":
            return f"{tables.ratios(part.runs, measures, ours=OURS.name)}\n"
        case "growth" if PARTS[found["part"]].curve is not None:
            return f"{tables.over_size(part.runs, measures[0])}\n"
        case "facts":
            facts = (f"{fact.title}:\n\n```\n{fact.text}\n```\n" for fact in part.facts)
            return "\n".join(facts)
    raise KeyError(found["kind"])


def main() -> None:
    """Write every page and every curve again."""
    for path in pages():
        path.write_text(rendered(path.read_text(encoding="utf-8")), encoding="utf-8")
    CURVES.mkdir(parents=True, exist_ok=True)
    for path, picture in pictures().items():
        path.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
