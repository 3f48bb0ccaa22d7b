"""The counters for Prometheus. Each process counts for itself and is scraped by itself.

Definitions alone, importable from everywhere: `metrics.WAKES.labels(source="tail").inc()`.
Labels have few values, all of them known here: never a session, a user or a text.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

# They double the scrape and tell when a process began, which process_start_time_seconds does.
disable_created_metrics()  # type: ignore[no-untyped-call]  # as the package comes

# --- The log ------------------------------------------------------------------------------------

EVENTS_APPENDED: Final = Counter(
    "backstay_events_appended", "Events committed to the log by this process.", ["type"]
)
APPEND_SECONDS: Final = Histogram(
    "backstay_append_seconds",
    "From the begin of an append's transaction to its commit.",
    # SQLite commits in under a millisecond; half a second is a stalled disk or a lock.
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
APPEND_BATCH: Final = Histogram(
    "backstay_append_batch_events",
    "Events in one transaction of the group commit.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
)

# --- Delivery -----------------------------------------------------------------------------------

STREAMS_OPEN: Final = Gauge("backstay_streams_open", "Open event streams of this process.")
STREAMS_REFUSED: Final = Counter(
    "backstay_streams_refused", "Streams that were not opened, by the code of the error.", ["code"]
)
EVENTS_DELIVERED: Final = Counter(
    "backstay_events_delivered", "Events written to streams: one per event and stream."
)
CATCH_UPS: Final = Counter(
    "backstay_catch_ups",
    "Catch-ups by their answer: snapshot, replay, skip, reset (invalid cursor) or none.",
    ["kind"],
)
EVENTS_SKIPPED: Final = Counter(
    "backstay_events_skipped", "Events that an announced skip left out.", ["reason"]
)
WAKES: Final = Counter(
    "backstay_wakes", "Heads seen to move: by a local commit, the layer or the tail.", ["source"]
)
LAYER_REFUSED: Final = Counter(
    "backstay_layer_messages_refused",
    "Messages on the layer that were not heard: unreadable, malformed, too_large or too_many.",
    ["why"],
)
SYNC_DECISIONS: Final = Counter(
    "backstay_sync_decisions", "Decisions of periodic sync about a watch.", ["decision"]
)
SYNC_ROUND_SECONDS: Final = Histogram(
    "backstay_sync_round_seconds", "One round of periodic sync over all watches."
)

# --- Commands and agents ------------------------------------------------------------------------

SENDS: Final = Counter(
    "backstay_sends",
    "Prompts by result: accepted, duplicate, or the code of the refusal.",
    ["result"],
)
TURNS: Final = Counter("backstay_turns", "Turns that ended, by their stop reason.", ["reason"])
INTERRUPTS: Final = Counter(
    "backstay_interrupts", "Interrupts and stops: done, or the code of why not.", ["result"]
)
SESSIONS_HELD: Final = Gauge(
    "backstay_sessions_held", "Sessions that this process's runner holds, each with its agent."
)
AGENTS_RUNNING: Final = Gauge(
    "backstay_agents_running",
    "Agent processes of this process, by what confines them: landlock, bubblewrap or off.",
    ["confinement"],
)
CONFINEMENT: Final = Gauge(
    "backstay_agent_confinement",
    "1 for the kind by which this process confines agents now: landlock, bubblewrap or off.",
    ["kind"],
)
LOG_INS: Final = Counter(
    "backstay_log_ins", "Attempts to log in: ok, wrong, braked, link or bad_link.", ["result"]
)
