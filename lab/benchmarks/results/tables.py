"""Runs as Markdown: one table per part, and the ratios of its contenders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from lab.benchmarks.results.record import Better, Measure, Run, Value, grouped


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; numbers stand to the right."""
    left = 2 if head[:2] == ["case", "server"] else 1
    lines = [head, [":--"] * left + ["--:"] * (len(head) - left), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def of_runs(runs: list[Run], measures: Sequence[Measure]) -> str:
    """Return the medians of each case and contender; with (least to most) of several rounds."""
    shown = [m for m in measures if any(m.key in run.values for run in runs)]
    rows = [
        [case, contender, *(of_one(found, measure) for measure in shown)]
        for case, contender, found in grouped(runs)
    ]
    return table(["case", "server", *(measure.title for measure in shown)], rows)


def over_size(runs: list[Run], measure: Measure) -> str:
    """Return a row for each case with a column for each size, and how much the cost grows."""
    sizes = sorted({size for run in runs if isinstance(size := run.values["size"], (int, float))})
    rows = []
    for case, contender, found in grouped(runs):
        by_size = {run.values["size"]: run for run in found}
        cells = [of_one([by_size[size]], measure) if size in by_size else "" for size in sizes]
        rows.append([case, contender, *cells, _growth(by_size, measure)])
    return table(["case", "server", *(f"{size:,g}" for size in sizes), "growth"], rows)


def _growth(by_size: Mapping[Value, Run], measure: Measure) -> str:
    """Return the cost at the largest size over that at the smallest, or at 10,000 if it is there.

    Below that, caches and empty pages decide.
    """
    known = sorted(size for size in by_size if isinstance(size, (int, float)))
    first = by_size[10_000 if 10_000 in known and known[-1] > 10_000 else known[0]]
    ratio = better_by(
        measure, first.values.get(measure.key), by_size[known[-1]].values[measure.key]
    )
    return "" if ratio is None else f"{ratio:.2f}"


def of_one(runs: list[Run], measure: Measure) -> str:
    """Return the median of one measure, with its spread over several runs."""
    values = [run.values[measure.key] for run in runs if measure.key in run.values]
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) < len(values):
        return ", ".join(dict.fromkeys(map(str, values)))
    if not numbers:
        return ""
    middle = shown(median(numbers), measure.digits)
    least, most = (shown(value, measure.digits) for value in (min(numbers), max(numbers)))
    return middle if least == most else f"{middle} ({least} to {most})"


def shown(value: Value, digits: int) -> str:
    """Return a value as a table shows it."""
    return value if isinstance(value, str) else f"{value:,.{digits}f}"


def ratios(runs: list[Run], measures: Sequence[Measure], *, ours: str) -> str:
    """Return the peers over ours for each measure with a direction, round by round.

    Rounds took turns: other work on the machine meets both, and the ratio stays.
    """
    rated = [m for m in measures if m.better is not Better.UNRATED]
    by_key = {(run.case, run.contender, run.round): run for run in runs}
    rows = []
    for case, contender, found in grouped(runs):
        pairs = [(by_key.get((case, ours, run.round)), run) for run in found]
        both = [(mine, other) for mine, other in pairs if mine is not None]
        if contender == ours or not both:
            continue
        for measure in rated:
            times = [_times(measure, mine, other) for mine, other in both]
            known = [value for value in times if value is not None]
            if known:
                rows.append([case, contender, measure.title, spread(known)])
    if not rows:
        return ""
    return table(["case", "server", "measure", f"{ours} is better by a factor of"], rows)


def _times(measure: Measure, mine: Run, other: Run) -> float | None:
    """Return how many times better mine is; None without two numbers."""
    return better_by(measure, mine.values.get(measure.key), other.values.get(measure.key))


def better_by(measure: Measure, one: Value | None, other: Value | None) -> float | None:
    """Return how many times better `one` is than `other`; None without two numbers above 0."""
    if not isinstance(one, (int, float)) or not isinstance(other, (int, float)):
        return None
    if one <= 0 or other <= 0:
        return None
    return other / one if measure.better is Better.LESS else one / other


def spread(ratios: Sequence[float]) -> str:
    """Return the median of ratios with their spread, such as 1.94 (1.80 to 2.10)."""
    middle = f"{median(ratios):,.2f}"
    least, most = f"{min(ratios):,.2f}", f"{max(ratios):,.2f}"
    return middle if least == most else f"{middle} ({least} to {most})"
