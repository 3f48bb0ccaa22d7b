"""A run beside an earlier one: ratios of the same cases, with their spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from lab.benchmarks.results import tables
from lab.benchmarks.results.record import Better, Measure, PartRecord, Record, Run, grouped


def with_earlier(now: Record, earlier: Record, measures: Mapping[str, Sequence[Measure]]) -> str:
    """Return a table for each part that both records have; measures: of each part.

    The two did not take turns, unless one call ran both: every pair of rounds is a ratio, and the
    spread of these tells how far the median can be trusted.
    """
    blocks = [
        block
        for name, part in now.parts.items()
        if name in earlier.parts
        and (block := _part(part, earlier.parts[name], measures.get(name, ())))
    ]
    if not blocks:
        return "The two runs have no case in common."
    head = f"Now `{now.commit}` ({now.started}), earlier `{earlier.commit}` ({earlier.started})."
    return "\n\n".join([head, *blocks])


def _part(now: PartRecord, earlier: PartRecord, measures: Sequence[Measure]) -> str:
    before = {(case, contender): runs for case, contender, runs in grouped(earlier.runs)}
    rows = [
        [case, contender, measure.title, *figures]
        for case, contender, runs in grouped(now.runs)
        for measure in measures
        if measure.better is not Better.UNRATED
        and (figures := _figures(measure, runs, before.get((case, contender), [])))
    ]
    if not rows:
        return ""
    head = ["case", "server", "measure", "earlier", "now", "better by a factor of"]
    return f"### {now.title}\n\n{tables.table(head, rows)}"


def _figures(measure: Measure, now: list[Run], earlier: list[Run]) -> list[str]:
    """Return the median before, the median now and the ratio; empty where they have no pair."""
    values = [[run.values.get(measure.key) for run in runs] for runs in (earlier, now)]
    found = [tables.better_by(measure, one, other) for other, one in product(*values)]
    known = [ratio for ratio in found if ratio is not None]
    if not known:
        return []
    medians = [tables.of_one(runs, measure) for runs in (earlier, now)]
    return [*medians, tables.spread(known)]
