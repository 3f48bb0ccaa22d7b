"""`python -m lab.benchmarks [PART …]`: run parts, print their tables, write a JSON record."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from lab.benchmarks.contenders import OURS, TUNED, Contender
from lab.benchmarks.parts import CONTENDERS, PARTS, USUAL, say
from lab.benchmarks.results import compare, machine, record, tables
from lab.benchmarks.sizes import QUICK, Sizes
from lab.benchmarks.soak.gauges import GROWS

SIZES = Sizes()


def main(argv: Sequence[str] | None = None) -> None:
    """Run the chosen parts, each written as soon as it is done."""
    options = _options(argv)
    try:
        earlier = record.read(options.compare) if options.compare else None
    except record.NotARecord as exc:
        sys.exit(str(exc))
    sizes = QUICK if options.quick else replace(SIZES, bound_s=options.bound)
    sizes = replace(sizes, rounds=options.rounds or sizes.rounds)
    if options.minutes:
        sizes = replace(sizes, soak_seconds=60 * options.minutes)
    # Without the files of the call: a record is also read elsewhere.
    done = machine.new_record([*options.parts, f"--rounds={sizes.rounds}"])
    print(machine.sentence(done))
    contenders = [*CONTENDERS, TUNED] if options.tuned else list(CONTENDERS)
    for name in options.parts:
        print(f"\n## {PARTS[name].title}\n", flush=True)
        for _ in run_part(done, name, sizes, contenders):
            # Written again and again: a run of hours may be ended in between.
            done.write(options.out)
        print(report(name, done.parts[name]), flush=True)
    say(f"written to {options.out}")
    if earlier is not None:
        measures = {name: part.measures for name, part in PARTS.items()}
        print(f"\n## Beside {options.compare.name}\n")
        print(compare.with_earlier(done, earlier, measures))
    growing = [run.case for run in _runs(done) if run.values.get("verdict") == GROWS]
    if growing:
        sys.exit(f"These grow: {', '.join(growing)}.")
    if any(run.values.get("gaps") for run in _runs(done)):
        sys.exit("A stream missed events.")


def run_part(
    done: record.Record, name: str, sizes: Sizes, contenders: Sequence[Contender]
) -> Iterator[None]:
    """Run one part into the record, step by step."""
    made = done.parts[name] = record.PartRecord(PARTS[name].title)
    for result in PARTS[name].run(sizes, contenders):
        made.add(result)
        yield


def report(name: str, made: record.PartRecord) -> str:
    """Return the tables of a part as Markdown."""
    part = PARTS[name]
    if part.curve is not None:
        return tables.over_size(made.runs, part.curve.measure)
    table = tables.of_runs(made.runs, part.measures)
    ratios = tables.ratios(made.runs, part.measures, ours=OURS.name)
    return f"{table}\n\n{ratios}".rstrip()


def _runs(done: record.Record) -> Iterator[record.Run]:
    return chain.from_iterable(part.runs for part in done.parts.values())


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"default: {' '.join(USUAL)}; also soak")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: whether everything runs")
    parser.add_argument("--rounds", type=int, default=0, help="runs of each server, default 3")
    parser.add_argument("--minutes", type=float, default=0, help="of a soak, default 30")
    parser.add_argument(
        "--bound", type=float, default=SIZES.bound_s, help="seconds that one burst may take"
    )
    parser.add_argument(
        "--tuned", action="store_true", help="also django-eventstream with our settings of SQLite"
    )
    parser.add_argument(
        "--compare", type=Path, metavar="FILE", help="the record of an earlier run, for ratios"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("data/benchmark.json"), help="default: %(default)s"
    )
    options = parser.parse_args(argv)
    options.parts = options.parts or list(USUAL)
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
    return options


if __name__ == "__main__":
    main()
