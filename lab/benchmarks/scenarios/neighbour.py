"""The cost of a flood in one session for the others: memory, and late words."""

from __future__ import annotations

from lab.benchmarks.contenders import WIDE_LIMITS, environment
from lab.benchmarks.results.record import Value
from lab.benchmarks.sizes import Sizes
from lab.rig.folders import temporary_folder
from lab.rig.json_lines import Peer

TIMEOUT_S = 600.0
# The whole flood shall go through the log.
WIDE_TURNS = {"CHAT_MAX_TURN_OUTPUT_BYTES": "1000000000"}


def measure(sizes: Sizes) -> tuple[dict[str, Value], dict[str, Value]]:
    """Listen to one agent alone, then beside one that floods; both are real processes.

    A word comes every 100 ms. late_*: the gap to the previous one beyond that. deltas: the
    flooding agent's output meanwhile, in so many events. grown_mb: the highest memory of the
    runner's process, less the memory before.
    """
    with temporary_folder() as folder:
        args = ["--deltas", str(sizes.neighbour_deltas), "--words", str(sizes.neighbour_words)]
        process = Peer(
            "lab.benchmarks.processes.neighbour_load",
            *args,
            environment=environment(folder) | WIDE_LIMITS | WIDE_TURNS,
            log=folder / "load.log",
        )
        try:
            return process.hear(within_s=TIMEOUT_S), process.hear(within_s=TIMEOUT_S)
        finally:
            process.close()
