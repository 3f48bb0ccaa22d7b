"""The sizes of every load: the usual ones, and quick ones that prove that it works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything; `make bench` runs the defaults, `--quick` and the tests QUICK."""

    rounds: int = 3
    bound_s: float = 60.0
    # A server's time to come to rest after the openings.
    settle_s: float = 3.0
    flood_subscribers: int = 500
    flood_events: int = 5000
    fanout_rate: float = 10.0
    fanout_seconds: float = 10.0
    paced_sessions: int = 20
    paced_subscribers: int = 5
    paced_rate: float = 50.0
    paced_seconds: float = 10.0
    openings: tuple[int, ...] = (1000, 5000)
    returning: tuple[int, ...] = (200, 1000)
    gaps: tuple[int, ...] = (300, 6000)
    history: int = 6300
    stream_sessions: int = 20
    requests: int = 400
    request_sessions: int = 40
    singles: int = 1000
    grouped: int = 20_000
    receipts: int = 1000
    encodings: int = 20_000
    neighbour_deltas: int = 1_000_000
    neighbour_words: int = 300
    web_processes: tuple[int, ...] = (1, 2, 4)
    runner_prompts: int = 32
    killed_streams: int = 2000
    outage_s: float = 10.0
    log_lengths: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
    # Longer logs are measured on SQLite alone.
    postgres_events: int = 1_000_000
    session_counts: tuple[int, ...] = (100, 1_000, 10_000, 100_000)
    watch_counts: tuple[int, ...] = (1, 2, 5, 10, 20, 50)
    message_counts: tuple[int, ...] = (10, 100, 1_000, 10_000)
    # The deltas of one answer in a long log.
    answer_deltas: int = 993
    reads: int = 200
    soak_seconds: float = 1800.0
    soak_streams: int = 1000
    soak_sessions: int = 50
    soak_rate: float = 1.0
    soak_returns_per_s: float = 5.0
    watch_streams: int = 20
    page_chats: int = 50
    held_messages: tuple[int, ...] = (20, 2_000, 10_000)
    page_keys: int = 50
    page_frames: int = 380


QUICK: Final = Sizes(
    rounds=1,
    bound_s=20,
    settle_s=0.1,
    flood_subscribers=4,
    flood_events=30,
    fanout_rate=20,
    fanout_seconds=0.5,
    paced_sessions=2,
    paced_subscribers=2,
    paced_rate=20,
    paced_seconds=0.5,
    openings=(5,),
    returning=(3,),
    gaps=(200,),
    history=300,
    stream_sessions=2,
    requests=8,
    request_sessions=8,
    singles=20,
    grouped=200,
    receipts=20,
    encodings=5,
    neighbour_deltas=2000,
    neighbour_words=5,
    web_processes=(1, 2),
    runner_prompts=2,
    killed_streams=6,
    outage_s=1.0,
    log_lengths=(100, 200),
    session_counts=(10, 20),
    watch_counts=(1, 2),
    message_counts=(2, 4),
    answer_deltas=43,
    reads=3,
    soak_seconds=3.0,
    soak_streams=12,
    soak_sessions=3,
    soak_rate=10.0,
    soak_returns_per_s=5.0,
    watch_streams=2,
    page_chats=3,
    held_messages=(2, 60),
    page_keys=3,
    page_frames=30,
)
