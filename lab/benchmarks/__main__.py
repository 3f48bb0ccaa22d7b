"""`python -m lab.benchmarks [PARTS]`: run the parts, interleaved, and print their tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from lab.benchmarks import appends, neighbour, report, scenarios
from lab.benchmarks.contenders import OURS, STOCK, TUNED, Contender
from lab.benchmarks.scenarios import Sizes

Run = TypeVar("Run")

PARTS = "abcdef"
USUAL = Sizes()


def main(argv: Sequence[str] | None = None) -> None:
    """Run the chosen parts."""
    options = _options(argv)
    sizes = Sizes(rounds=options.rounds, bound_s=options.bound)
    contenders = [OURS, STOCK] + ([TUNED] if options.tuned else [])
    print(report.machine())
    for part in options.parts:
        PART[part](contenders, sizes)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="?", default=PARTS, help=f"some of {PARTS}, default all")
    parser.add_argument("--rounds", type=int, default=USUAL.rounds, help="runs of each server")
    parser.add_argument(
        "--bound", type=float, default=USUAL.bound_s, help="seconds that one run of (a) may take"
    )
    parser.add_argument(
        "--tuned", action="store_true", help="also the peer with our settings of SQLite"
    )
    options = parser.parse_args(argv)
    if not set(options.parts) <= set(PARTS):
        parser.error(f"the parts are {PARTS}")
    return options


def run_flood(contenders: Sequence[Contender], sizes: Sizes) -> None:
    """(a) One session, as fast as it goes."""
    title = (
        f"(a) One session, {sizes.flood_subscribers:,} subscribers, {sizes.flood_events:,} events"
        f" of 120 bytes as fast as the log takes them; at most {sizes.bound_s:.0f} s"
    )
    runs = _interleaved(title, contenders, sizes, lambda who: scenarios.flood(who, sizes))
    print(f"\n{report.deliveries(runs)}\n\n{_ratios(runs, contenders)}")


def run_paced(contenders: Sequence[Contender], sizes: Sizes) -> None:
    """(b) Many sessions at a steady rate."""
    title = (
        f"(b) {sizes.paced_sessions} sessions with {sizes.paced_subscribers} subscribers each,"
        f" {sizes.paced_rate:.0f} events/s in each for {sizes.paced_seconds:.0f} s"
    )
    runs = _interleaved(title, contenders, sizes, lambda who: scenarios.paced(who, sizes))
    # No ratio: who keeps up is held to the pace, however much more it could do.
    print(f"\n{report.deliveries(runs)}")


def run_comeback(contenders: Sequence[Contender], sizes: Sizes) -> None:
    """(c) Clients that return at once."""
    title = f"(c) {sizes.returning} clients return at once"
    runs = []
    for gap in sizes.gaps:
        runs += _interleaved(
            f"{title}, {gap:,} events behind",
            contenders,
            sizes,
            partial(scenarios.comeback, sizes=sizes, gap=gap),
        )
    print(f"\n{report.returns(runs)}")


def run_appends(_: Sequence[Contender], sizes: Sizes) -> None:
    """(d) The log alone."""
    print("\n## (d) Appends: one at a time, by group commit from 20 sessions, and receipts\n")
    runs = []
    for number in range(sizes.rounds):
        with appends.databases() as databases:
            for database in databases:
                _say(f"(d) {number + 1}/{sizes.rounds}: {database.name}")
                runs.append(appends.measure(database, sizes))
    print(report.appends(runs))


def run_idle(contenders: Sequence[Contender], sizes: Sizes) -> None:
    """(e) Streams that wait."""
    title = f"(e) {sizes.idle_streams:,} idle streams"
    runs = _interleaved(
        title, contenders, replace(sizes, rounds=1), lambda who: scenarios.idle(who, sizes)
    )
    print(f"\n{report.idles(runs)}")


def run_neighbour(_: Sequence[Contender], sizes: Sizes) -> None:
    """(f) A flood next door."""
    deltas = f"{sizes.neighbour_deltas:,}"
    print(f"\n## (f) One agent says a word every 100 ms, another floods {deltas} deltas\n")
    runs = []
    for number in range(sizes.rounds):
        _say(f"(f) {number + 1}/{sizes.rounds}")
        runs += neighbour.measure(sizes)
    print(report.neighbours(runs))


PART = {
    "a": run_flood,
    "b": run_paced,
    "c": run_comeback,
    "d": run_appends,
    "e": run_idle,
    "f": run_neighbour,
}


def _interleaved(
    title: str, contenders: Sequence[Contender], sizes: Sizes, run: Callable[[Contender], Run]
) -> list[Run]:
    """Run each contender in turn, again and again: a busy neighbour then meets all of them."""
    print(f"\n## {title}")
    runs = []
    for number in range(sizes.rounds):
        for contender in contenders:
            _say(f"{title[:3]} {number + 1}/{sizes.rounds}: {contender.name}")
            runs.append(run(contender))
    return runs


def _ratios(runs: Sequence[scenarios.Delivery], contenders: Sequence[Contender]) -> str:
    peers = [who.name for who in contenders if who is not OURS]
    return "\n".join(report.ratio(runs, OURS.name, peer) for peer in peers)


def _say(progress: str) -> None:
    """Report the progress, beside the tables."""
    print(progress, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
