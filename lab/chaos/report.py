"""The result of a run, as a table for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import quantiles

from lab.chaos.conductor import Run
from lab.chaos.evidence import Evidence
from lab.chaos.verdict.interrupts import was_disturbed

# The evidence of one violation is long; of a hundred alike the first ones tell.
MAX_VIOLATIONS_SHOWN = 25


def figures(run: Run) -> dict[str, object]:
    """Return the numbers of a run, by their names in the table."""
    evidence = run.evidence
    rules = Counter(violation.rule for violation in run.violations)
    states = Counter(p.state for record in evidence.records for p in record.prompts.values())
    return {
        "faults injected": sum(evidence.faults.values()),
        "prompts written": sum(states.values()),
        "prompts accepted": len(evidence.prompts),
        "prompts shown as not sent": states["failed"] + states["evicted"],
        "turns run": _count(evidence, "turn_start"),
        "events in the log": sum(session.head for session in evidence.sessions.values()),
        "interrupts answered": sum(len(record.interrupts) for record in evidence.records),
        "on undisturbed connections": _undisturbed(evidence),
        "connections": sum(len(record.connections) for record in evidence.records),
        "events delivered": _delivered(evidence),
        "skips announced": _skips(evidence)[0],
        "events skipped": _skips(evidence)[1],
        "lost": rules["lost"] + rules["lost prompt"],
        "repeated": rules["repeated"],
        "silent skips": rules["silent skip"],
        "double turns": rules["double turn"],
        "other violations": len(run.violations)
        - sum(rules[r] for r in ("lost", "lost prompt", "repeated", "silent skip", "double turn")),
        "append to receipt, median": f"{_percentile(run.delays, 50) * 1000:.0f} ms",
        "append to receipt, 99 %": f"{_percentile(run.delays, 99):.1f} s",
        "append to receipt, worst": f"{max(run.delays, default=0.0):.1f} s",
        "quiet after the last fault": f"{run.quiet_after_s:.1f} s",
    }


def table(run: Run) -> str:
    """Return everything about one run."""
    page = "with a Chromium" if run.has_page else "without a browser"
    lines = [f"Seed {run.seed}, {run.system}, {page}, {run.seconds:.0f} s", "", "Faults"]
    lines += [f"  {count:>6}  {kind}" for kind, count in sorted(run.evidence.faults.items())]
    lines += ["", "Outcome"]
    lines += [f"  {value!s:>10}  {name}" for name, value in figures(run).items()]
    lines += ["", verdict(run)]
    lines += [f"  {violation}" for violation in run.violations[:MAX_VIOLATIONS_SHOWN]]
    hidden = len(run.violations) - MAX_VIOLATIONS_SHOWN
    if hidden > 0:
        lines.append(f"  and {hidden} more")
    return "\n".join(lines)


def _undisturbed(evidence: Evidence) -> int:
    """Return how many interrupts were answered over a connection that no fault disturbed."""
    return sum(
        not was_disturbed(interrupt, record.device, evidence.disturbances)
        for record in evidence.records
        for interrupt in record.interrupts
    )


def verdict(run: Run) -> str:
    """Return one sentence on whether every promise was kept."""
    if not run.violations:
        return "Every promise was kept."
    return f"{len(run.violations)} promises were not kept:"


def summary(runs: Sequence[Run]) -> str:
    """Return one row per run as a Markdown table, for several seeds."""
    names = list(figures(runs[0]))
    rows = [["seed", "system", *names]]
    rows.append(["---:" for _ in rows[0]])
    rows += [[str(run.seed), run.system, *map(str, figures(run).values())] for run in runs]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _count(evidence: Evidence, kind: str) -> int:
    return sum(e["type"] == kind for s in evidence.sessions.values() for e in s.events)


def _delivered(evidence: Evidence) -> int:
    lives = (life for record in evidence.records for life in record.lives)
    return sum("seq" in frame for life in lives for _, frame in life.applied)


def _skips(evidence: Evidence) -> tuple[int, int]:
    """Return how many skips clients were told of, and how many events these left out."""
    lives = (life for record in evidence.records for life in record.lives)
    frames = [f for life in lives for _, f in life.applied if f["type"] == "replay_skipped"]
    return len(frames), sum(frame["to"] - frame["from"] + 1 for frame in frames)


def _percentile(values: Sequence[float], percent: int) -> float:
    if len(values) < 2:
        return max(values, default=0.0)
    return quantiles(values, n=100)[percent - 1]
