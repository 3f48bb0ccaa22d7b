"""(f) The cost of a flood in one session for the others: memory, and late words."""

from __future__ import annotations

from dataclasses import dataclass

from lab.benchmarks.contenders import environment
from lab.benchmarks.scenarios import Sizes
from lab.rig.folders import temporary_folder
from lab.rig.json_lines import Peer

TIMEOUT_S = 600.0
# The whole flood shall go through the log.
NO_LIMITS = {"CHAT_MAX_TURN_OUTPUT_BYTES": "1000000000"}


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A word comes every 100 ms. late_*: the gap to the previous one beyond that.

    deltas: the flooding agent's output meanwhile, in so many events. grown_mb: the highest memory
    of the runner's process, less the memory before.
    """

    deltas: int
    events: int
    seconds: float
    words: int
    late_p50_ms: float
    late_p99_ms: float
    late_worst_ms: float
    grown_mb: float


def measure(sizes: Sizes) -> list[Neighbour]:
    """Listen to one agent alone, then beside one that floods; both are real processes."""
    with temporary_folder() as folder:
        args = ["--deltas", str(sizes.neighbour_deltas), "--words", str(sizes.neighbour_words)]
        process = Peer(
            "lab.benchmarks.neighbour_load",
            *args,
            environment=environment(folder) | NO_LIMITS,
            log=folder / "load.log",
        )
        try:
            return [Neighbour(**process.hear(within_s=TIMEOUT_S)) for _ in range(2)]
        finally:
            process.close()
