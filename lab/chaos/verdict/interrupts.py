"""Interrupts, held against their deadline (I7): at the client, and in the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lab.chaos.evidence import Disturbance, Evidence, Interrupt, Json, Record, Violation, seconds

# A server that was down or frozen needs a moment before it answers as always.
RECOVERY_S: Final = 5.0


def check_interrupts(record: Record, evidence: Evidence) -> Iterator[Violation]:
    """I7: an interrupt is answered within its deadline.

    A fault on the way makes its answer late, too: then the log tells when the server had the
    answer. Without such a fault the time at the client counts.
    """
    for interrupt in record.interrupts:
        if interrupt.took_s <= evidence.interrupt_limit_s:
            continue
        if not was_disturbed(interrupt, record.device, evidence.disturbances):
            what = f"an interrupt took {interrupt.took_s:.1f} s on an undisturbed connection"
            yield Violation("I7", what, record.device, interrupt.session_id)
            continue
        session = evidence.sessions.get(interrupt.session_id)
        events = session.events if session else []
        if not _is_answered_in_log(interrupt, events, limit_s=evidence.interrupt_limit_s):
            what = f"an interrupt took {interrupt.took_s:.1f} s"
            yield Violation("I7", what, record.device, interrupt.session_id)


def was_disturbed(interrupt: Interrupt, device: str, disturbances: Sequence[Disturbance]) -> bool:
    """Return whether a fault disturbed the connection while an answer was awaited."""
    answered_at = interrupt.asked_at + interrupt.took_s
    return any(
        fault.device in {"", device}
        and fault.began <= answered_at
        and interrupt.asked_at <= fault.ended + RECOVERY_S
        for fault in disturbances
    )


def _is_answered_in_log(interrupt: Interrupt, events: Sequence[Json], *, limit_s: float) -> bool:
    """Return whether every request of that time has an outcome within the limit, by the log.

    One that finds nothing to interrupt is in no log: then no turn was open at that time.
    """
    answered_at = interrupt.asked_at + interrupt.took_s
    asked = [
        seconds(event["ts"])
        for event in events
        if event["type"] == "interrupt_requested"
        and interrupt.asked_at <= seconds(event["ts"]) <= answered_at
    ]
    outcomes = [
        seconds(event["ts"])
        for event in events
        if event["type"] in {"turn_end", "interrupt_failed"}
    ]
    if not asked:
        return not _has_turn(events, interrupt.asked_at, answered_at)
    return all(any(began <= end <= began + limit_s for end in outcomes) for began in asked)


def _has_turn(events: Sequence[Json], since: float, until: float) -> bool:
    """Return whether a turn was open between two moments."""
    is_open = False
    for event in events:
        at = seconds(event["ts"])
        if event["type"] in {"turn_start", "turn_end"}:
            if is_open and at >= since:
                return True
            is_open = event["type"] == "turn_start" and at <= until
    return is_open
