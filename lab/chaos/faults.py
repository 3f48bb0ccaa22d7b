"""The faults and their moments: the seed decides, before anything runs. Pure.

Each concern draws from a random source of its own, so that one more draw in one place moves
nothing elsewhere. A seed cannot fix time itself: the progress of a turn when its runner
is killed depends on the machine. The same seed breaks the same things at the same moments.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

# Seconds between two faults of the schedule, on average.
PAUSE_S: Final = 1.4
# Devices connect and begin to write before the first one.
FIRST_S: Final = 2.0


class Kind(StrEnum):
    """A fault of the schedule."""

    KILL_WEB = "web process killed"
    KILL_RUNNER = "runner killed"
    KILL_SYNC = "sync process killed"
    STOP_WEB = "web process stopped in order"
    FREEZE_WEB = "web process frozen"
    FREEZE_RUNNER = "runner frozen"
    KILL_AGENT = "agent killed"
    RESTART_DATABASE = "database crashed"
    RESTART_REDIS = "redis crashed"
    CUT = "lines of a device cut"
    STALL = "line stalled"
    TRICKLE = "line slow"
    REFUSE = "line refuses"
    FREEZE_DEVICE = "device frozen"
    RELOAD_DEVICE = "device reloaded"
    BURST = "burst of prompts"
    FLOOD_LOG = "burst of events"


# How often each comes in one bag. A bag is emptied before the next is filled, so that a run of a
# minute meets every kind.
_OFTEN = {Kind.CUT: 4, Kind.STALL: 2, Kind.TRICKLE: 2, Kind.REFUSE: 2, Kind.FREEZE_DEVICE: 2}
_OFTEN |= {Kind.KILL_AGENT: 2, Kind.FLOOD_LOG: 2, Kind.RELOAD_DEVICE: 2, Kind.KILL_WEB: 2}
_OFTEN |= {Kind.KILL_RUNNER: 2}
# From and to, in seconds, for the faults that last.
_LASTS = {
    Kind.KILL_WEB: (0.1, 2.5),
    Kind.KILL_RUNNER: (0.1, 2.5),
    Kind.KILL_SYNC: (0.5, 4.0),
    Kind.STOP_WEB: (0.1, 1.0),
    Kind.FREEZE_WEB: (0.5, 3.5),
    Kind.FREEZE_RUNNER: (0.5, 6.0),
    Kind.RESTART_DATABASE: (0.1, 1.5),
    Kind.RESTART_REDIS: (0.1, 2.0),
    Kind.STALL: (0.5, 5.0),
    Kind.TRICKLE: (1.0, 5.0),
    Kind.REFUSE: (0.5, 3.0),
    Kind.FREEZE_DEVICE: (1.0, 7.0),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. target picks among those of its kind. for_s: how long it lasts."""

    at_s: float
    kind: Kind
    target: int
    for_s: float = 0.0


def source(seed: int, *concern: object) -> Random:
    """Return the random source of one concern."""
    return Random(f"{seed}:{':'.join(map(str, concern))}")


def schedule(seed: int, *, seconds: float, kinds: Collection[Kind]) -> list[Fault]:
    """Return the faults of a run, in the order of time."""
    random = source(seed, "schedule")
    bag: list[Kind] = []
    faults: list[Fault] = []
    at_s = FIRST_S
    while True:
        at_s += random.uniform(0.2, 2 * PAUSE_S - 0.2)
        if at_s >= seconds:
            return faults
        bag = bag or _bag(kinds, random)
        kind = bag.pop()
        low, high = _LASTS.get(kind, (0.0, 0.0))
        for_s = round(random.uniform(low, high), 3)
        faults.append(Fault(round(at_s, 3), kind, random.randrange(1 << 16), for_s))


def _bag(kinds: Collection[Kind], random: Random) -> list[Kind]:
    bag = [kind for kind in Kind if kind in kinds for _ in range(_OFTEN.get(kind, 1))]
    random.shuffle(bag)
    return bag


class PostFault(StrEnum):
    """The fate of one POST on its way."""

    NONE = ""
    DELAYED = "POST delayed"
    TWICE = "POST delivered twice at once"
    COPY_LATER = "POST delivered again later"
    REQUEST_LOST = "POST lost"
    ANSWER_LOST = "answer lost"
    BAD_GATEWAY = "502, not delivered"
    BAD_GATEWAY_AFTER = "502, but delivered"
    STALE = "404 unknown_connection"
    HELD = "POST delivered after its sender gave up"


class StreamFault(StrEnum):
    """The fate of one stream's request."""

    NONE = ""
    BAD_GATEWAY = "stream refused with 502"
    NOT_FOUND = "stream refused with 404"
    SILENT = "stream never answered"


class CutKind(StrEnum):
    """How a stream ends before its time; the last frame is cut in the middle where one comes."""

    BOTH = "stream cut"
    GHOST = "stream cut, server not told"
    DEAF = "stream dead, client not told"


_POST: Sequence[tuple[PostFault, float]] = (
    (PostFault.NONE, 70),
    (PostFault.DELAYED, 6),
    (PostFault.TWICE, 6),
    (PostFault.COPY_LATER, 3),
    (PostFault.REQUEST_LOST, 4),
    (PostFault.ANSWER_LOST, 5),
    (PostFault.BAD_GATEWAY, 2),
    (PostFault.BAD_GATEWAY_AFTER, 2),
    (PostFault.STALE, 1),
    (PostFault.HELD, 1),
)
_STREAM: Sequence[tuple[StreamFault, float]] = (
    (StreamFault.NONE, 88),
    (StreamFault.BAD_GATEWAY, 5),
    (StreamFault.NOT_FOUND, 5),
    (StreamFault.SILENT, 2),
)
# Mean of a stream's life before it is cut.
STREAM_LIFE_S: Final = 15.0


def post_fault(random: Random) -> PostFault:
    """Draw the fate of the next POST."""
    kinds, weights = zip(*_POST, strict=True)
    return PostFault(random.choices(kinds, weights)[0])


def stream_fault(random: Random) -> tuple[StreamFault, float, CutKind]:
    """Draw the fate of the next stream: its answer, its life in seconds, its end."""
    kinds, weights = zip(*_STREAM, strict=True)
    fault = StreamFault(random.choices(kinds, weights)[0])
    life_s = random.expovariate(1 / STREAM_LIFE_S)
    cut = random.choices((CutKind.BOTH, CutKind.GHOST, CutKind.DEAF), (6, 2, 2))[0]
    return fault, life_s, cut
