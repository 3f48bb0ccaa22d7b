"""The parts of `make bench`: each has a title, its measures, and runs that take turns."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from lab.benchmarks.contenders import ON_UVLOOP, OURS, PLAIN, REPLAYING, STOCK, Contender
from lab.benchmarks.growth import curves, maintenance, watches
from lab.benchmarks.page import held, loads
from lab.benchmarks.results.record import Better, Fact, Measure, Run, Value
from lab.benchmarks.scenarios import (
    appends,
    delivery,
    encoders,
    neighbour,
    openings,
    requests,
    servers,
)
from lab.benchmarks.several import loads as several
from lab.benchmarks.several.installation import installed
from lab.benchmarks.sizes import Sizes
from lab.benchmarks.soak import run as soak

Runs = Iterator[Run | Fact]
Load = Callable[[Contender], dict[str, Value]]

LESS, MORE = Better.LESS, Better.MORE


@dataclass(frozen=True, slots=True)
class Curve:
    """The picture of a part whose runs have a size: the titles of its axes."""

    x: str
    measure: Measure


@dataclass(frozen=True, slots=True)
class Part:
    """A part: its title for a page, the columns of its table, its runs, perhaps its curve."""

    title: str
    measures: tuple[Measure, ...]
    run: Callable[[Sizes, Sequence[Contender]], Runs]
    curve: Curve | None = None


# A peer that breaks under a load has no other value.
CANNOT: Final = Measure("ended_by", "ended by")

DELIVERED: Final = (
    Measure("appended", "appended"),
    Measure("delivered", "delivered"),
    Measure("expected", "of"),
    Measure("per_s", "per s", better=MORE),
    Measure("p50_ms", "p50 ms", 1, LESS),
    Measure("p99_ms", "p99 ms", 1, LESS),
    Measure("cpu_us_per_delivery", "CPU µs each", 1, LESS),
    Measure("skipped", "skipped"),
    Measure("missing", "missing"),
    Measure("repeated", "repeated"),
    Measure("server_cpu_s", "server CPU s", 1),
    Measure("others_percent", "others %"),
    CANNOT,
)
# The pace sets the rate, and the events that a slow server did not take have no latency.
PACED: Final = tuple(
    Measure(m.key, m.title, m.digits) if m.key in {"per_s", "p50_ms", "p99_ms"} else m
    for m in DELIVERED
)
OPENED: Final = (
    Measure("opened", "opened"),
    Measure("asked", "of"),
    Measure("all_ms", "all ready after ms", better=LESS),
    Measure("p99_ms", "p99 ms"),
    Measure("cpu_ms_each", "CPU ms each", 2, LESS),
    Measure("kib_each", "KiB each", 1, LESS),
    Measure("threads", "threads"),
    Measure("database_files", "database open"),
    CANNOT,
)
RETURNED: Final = (
    Measure("returned", "caught up"),
    Measure("asked", "of"),
    Measure("events_each", "events each"),
    Measure("p50_ms", "p50 ms"),
    Measure("all_ms", "all ms", better=LESS),
    Measure("cpu_ms_each", "CPU ms each", 1, LESS),
    CANNOT,
)
ANSWERED: Final = (
    Measure("per_s", "per s", better=MORE),
    Measure("p50_ms", "p50 ms", 1, LESS),
    Measure("p99_ms", "p99 ms", 1, LESS),
    Measure("cpu_ms_each", "CPU ms each", 2, LESS),
    CANNOT,
)
APPENDED: Final = (
    Measure("singles_per_s", "single appends/s", better=MORE),
    Measure("writers_per_s", "8 writers, acknowledged/s", better=MORE),
    Measure("groups_per_s", "in hundreds, events/s", better=MORE),
    Measure("cpu_us_per_event", "CPU µs per event", 1, LESS),
    Measure("grouped_per_s", "group commit of 20, events/s", better=MORE),
    Measure("turn_p50_ms", "turn p50 ms", 1, LESS),
    Measure("turn_p99_ms", "turn p99 ms", 1, LESS),
    Measure("receipts_per_s", "receipts/s", better=MORE),
    Measure("receipt_p50_ms", "receipt p50 ms", 1, LESS),
    Measure("receipt_p99_ms", "receipt p99 ms", 1, LESS),
)
HEARD: Final = (
    Measure("events", "events"),
    Measure("seconds", "s", 1),
    Measure("words", "words"),
    Measure("late_p50_ms", "late p50 ms", 1, LESS),
    Measure("late_p99_ms", "p99 ms", 1, LESS),
    Measure("late_worst_ms", "worst ms", 1, LESS),
    Measure("grown_mb", "memory MB", better=LESS),
)


def in_turn(sizes: Sizes, cases: Mapping[str, Load], contenders: Sequence[Contender]) -> Runs:
    """Run each case's contenders in turn, again and again: a busy neighbour meets all of them."""
    for case, load in cases.items():
        for number in range(1, sizes.rounds + 1):
            for contender in contenders:
                say(f"{case}, {number}/{sizes.rounds}: {contender.name}")
                yield Run(case, contender.name, number, _measured(load, contender))


def _measured(load: Load, contender: Contender) -> dict[str, Value]:
    """Return the values of one run; a peer that cannot do it says so in its row."""
    try:
        return load(contender)
    except (RuntimeError, TimeoutError) as exc:
        if contender is OURS:
            raise
        say(f"{contender.name} cannot: {exc}")
        return {CANNOT.key: "cannot"}


def say(progress: str) -> None:
    """Report the progress, beside the tables."""
    print(progress, file=sys.stderr, flush=True)


def _flood(sizes: Sizes, contenders: Sequence[Contender]) -> Runs:
    case = f"{sizes.flood_subscribers:,} streams, {sizes.flood_events:,} events"
    yield from in_turn(sizes, {case: partial(delivery.flood, sizes=sizes)}, contenders)


def _fanout(sizes: Sizes, contenders: Sequence[Contender]) -> Runs:
    case = f"{sizes.flood_subscribers:,} streams, {sizes.fanout_rate:g} events/s"
    yield from in_turn(sizes, {case: partial(delivery.fanout, sizes=sizes)}, contenders)


def _paced(sizes: Sizes, contenders: Sequence[Contender]) -> Runs:
    case = (
        f"{sizes.paced_sessions} sessions, {sizes.paced_subscribers} streams each, "
        f"{sizes.paced_rate:g} events/s each"
    )
    yield from in_turn(sizes, {case: partial(delivery.paced, sizes=sizes)}, contenders)


def _open(sizes: Sizes, contenders: Sequence[Contender]) -> Runs:
    cases = {
        f"{count:,} streams": partial(openings.opening, sizes=sizes, count=count)
        for count in sizes.openings
    }
    yield from in_turn(sizes, cases, contenders)


def _storm(sizes: Sizes, contenders: Sequence[Contender]) -> Runs:
    chosen = [*contenders, REPLAYING] if OURS in contenders else contenders
    cases = {
        f"{clients:,} clients, {gap:,} behind": partial(
            openings.returning, sizes=sizes, clients=clients, gap=gap
        )
        for gap in sizes.gaps
        for clients in sizes.returning
    }
    yield from in_turn(sizes, cases, chosen)


# The kinds of requests that a contender answers: a plain server has no list to read.
REQUESTS: Final = {
    "send, one at a time": ("send", 1, (OURS, PLAIN)),
    "send, 8 sessions at once": ("send", 8, (OURS, PLAIN)),
    "GET healthz": ("healthz", 1, (OURS, PLAIN)),
    "GET the list": ("list", 1, (OURS,)),
    "GET a snapshot": ("snapshot", 1, (OURS,)),
    "GET messages": ("messages", 1, (OURS,)),
}


def _requests(sizes: Sizes, contenders: Sequence[Contender]) -> Runs:
    for case, (kind, at_once, able) in REQUESTS.items():
        load = partial(requests.requesting, sizes=sizes, kind=kind, at_once=at_once)
        chosen = [contender for contender in contenders if contender in able]
        yield from in_turn(sizes, {case: load}, chosen)


def _appends(sizes: Sizes, _: Sequence[Contender]) -> Runs:
    for number in range(1, sizes.rounds + 1):
        with appends.databases() as databases:
            for database in databases:
                say(f"appends, {number}/{sizes.rounds}: {database.name}")
                yield Run("no server", database.name, number, appends.measure(database, sizes))


SERVED: Final = (
    Measure("per_s", "per s"),
    Measure("p50_ms", "p50 ms", 1),
    Measure("p99_ms", "p99 ms", 1),
    Measure("cpu_us_each", "CPU µs each", 1, LESS),
    CANNOT,
)
ENCODED: Final = (
    Measure("cpu_us_each", "CPU µs each", 2, LESS),
    Measure("bytes", "bytes"),
)


def _servers(sizes: Sizes, _: Sequence[Contender]) -> Runs:
    yield from in_turn(sizes, servers.loads(sizes), (OURS, ON_UVLOOP))


def _encoders(sizes: Sizes, _: Sequence[Contender]) -> Runs:
    for case, (value, able) in encoders.objects().items():
        for number in range(1, sizes.rounds + 1):
            for name, encode in able.items():
                yield Run(case, name, number, encoders.measure(value, encode, sizes))


def _neighbour(sizes: Sizes, _: Sequence[Contender]) -> Runs:
    loud = f"beside {sizes.neighbour_deltas:,} deltas"
    for number in range(1, sizes.rounds + 1):
        say(f"neighbour, {number}/{sizes.rounds}")
        alone, beside = neighbour.measure(sizes)
        yield Run("alone", OURS.name, number, alone)
        yield Run(loud, OURS.name, number, beside)


COST: Final = Measure("ms", "ms", 2, LESS)
KEPT: Final = (
    Measure("size", "events"),
    Measure("seconds", "s", 1, LESS),
    Measure("peak_mb", "memory at most, MB", better=LESS),
)


def _log(sizes: Sizes, _: Sequence[Contender]) -> Runs:
    yield from curves.measure(curves.of_log(sizes), deltas=sizes.answer_deltas, sizes=sizes)


def _sessions(sizes: Sizes, _: Sequence[Contender]) -> Runs:
    yield from curves.measure(curves.of_sessions(sizes), deltas=curves.SHORT, sizes=sizes)


def _messages(sizes: Sizes, _: Sequence[Contender]) -> Runs:
    yield from curves.measure(curves.of_messages(sizes), deltas=curves.SHORT, sizes=sizes)


def _watches(sizes: Sizes, _: Sequence[Contender]) -> Runs:
    yield from watches.measure(sizes)


def _maintenance(sizes: Sizes, _: Sequence[Contender]) -> Runs:
    yield from maintenance.measure(sizes)


ENDED: Final = (
    Measure("streams", "streams"),
    Measure("returned", "returned"),
    Measure("prompts", "prompts"),
    Measure("delivered", "delivered"),
    Measure("seconds", "s", 1, LESS),
    Measure("p50_ms", "p50 ms", 1, LESS),
    Measure("p99_ms", "p99 ms", 1, LESS),
    Measure("missing", "missing"),
    Measure("repeated", "repeated"),
)


def _processes(sizes: Sizes, _: Sequence[Contender]) -> Runs:
    for number in range(1, sizes.rounds + 1):
        for webs in sizes.web_processes:
            for has_redis in (True, False):
                case = f"{webs} web, {'Redis' if has_redis else 'the tail alone'}"
                say(f"processes, {number}/{sizes.rounds}: {case}")
                with installed(
                    webs=webs, has_redis=has_redis, sessions=sizes.paced_sessions
                ) as here:
                    found = several.paced(here, sizes)
                yield Run(case, OURS.name, number, found)


def _runners(sizes: Sizes, _: Sequence[Contender]) -> Runs:
    for number in range(1, sizes.rounds + 1):
        for runners in (1, 2):
            say(f"runners, {number}/{sizes.rounds}: {runners}")
            with installed(webs=1, has_redis=True, sessions=1) as here:
                found = several.answered(here, sizes, runners=runners)
            yield Run(f"{runners} run_agents", OURS.name, number, found)


def _killed(sizes: Sizes, _: Sequence[Contender]) -> Runs:
    for number in range(1, sizes.rounds + 1):
        say(f"killed, {number}/{sizes.rounds}")
        with installed(webs=2, has_redis=True, sessions=sizes.stream_sessions) as here:
            found = several.killed(here, sizes)
        yield Run("a web process is killed", OURS.name, number, found)


def _redis(sizes: Sizes, _: Sequence[Contender]) -> Runs:
    for number in range(1, sizes.rounds + 1):
        say(f"redis, {number}/{sizes.rounds}")
        with installed(webs=2, has_redis=True, sessions=sizes.paced_sessions) as here:
            phases = several.without_redis_for_a_while(here, sizes)
        for phase, found in phases.items():
            yield Run(phase, OURS.name, number, found)


PAGE: Final = (
    Measure("requests", "requests", 0, LESS),
    Measure("kb", "kB", 1, LESS),
    Measure("ready_ms", "ready ms", 0, LESS),
    Measure("live_ms", "live ms", 0, LESS),
    Measure("shown_ms", "shown ms", 0, LESS),
    Measure("key_p50_ms", "key p50 ms", 1, LESS),
    Measure("key_p95_ms", "key p95 ms", 1, LESS),
    Measure("frame_p50_ms", "frame p50 ms", 1, LESS),
    Measure("dropped", "frames dropped", 0, LESS),
    Measure("frames", "of"),
    Measure("paint_p50_ms", "paint p50 ms", 1, LESS),
    Measure("paint_p95_ms", "paint p95 ms", 1, LESS),
    Measure("memory_mb", "memory MB", 0, LESS),
)


def _page(sizes: Sizes, _: Sequence[Contender]) -> Runs:
    say("page, its loads")
    yield from loads.measure(sizes)
    say("page, a long chat")
    yield from held.measure(sizes)


SOAKED: Final = (
    Measure("early", "early", 0),
    Measure("late", "late", 0),
    Measure("allowed", "allowed", 0),
    Measure("verdict", "verdict"),
    Measure("returns", "returns"),
    Measure("appended", "appended"),
    Measure("events", "received"),
    Measure("gaps", "gaps"),
    Measure("lost", "streams lost"),
)


def _soak(sizes: Sizes, _: Sequence[Contender]) -> Runs:
    say(f"soak, {sizes.soak_seconds / 60:g} minutes")
    yield from soak.measure(sizes)


PARTS: Final = {
    "flood": Part("A burst to one session's subscribers", DELIVERED, _flood),
    "fanout": Part("One event at a time to many streams", DELIVERED, _fanout),
    "paced": Part("Everyday streaming", PACED, _paced),
    "open": Part("Opening streams, and letting them wait", OPENED, _open),
    "storm": Part("Clients that return at once", RETURNED, _storm),
    "requests": Part("Receipts and reads over HTTP", ANSWERED, _requests),
    "appends": Part("Appends and receipts without a server", APPENDED, _appends),
    "servers": Part("The same loads on asyncio and on uvloop", SERVED, _servers),
    "encoders": Part("JSON encoders without a server", ENCODED, _encoders),
    "neighbour": Part("One agent's words beside another's flood", HEARD, _neighbour),
    "log": Part("Cost over the length of a log", (COST,), _log, Curve("events in the log", COST)),
    "sessions": Part(
        "Cost over the number of chats", (COST,), _sessions, Curve("chats of one user", COST)
    ),
    "messages": Part(
        "Cost over the messages of a chat", (COST,), _messages, Curve("messages in the chat", COST)
    ),
    "watches": Part(
        "Cost over the watches of a stream", (COST,), _watches, Curve("watches of a stream", COST)
    ),
    "processes": Part("Several web processes with PostgreSQL", PACED, _processes),
    "runners": Part("Prompts answered by one and by two runners", ENDED, _runners),
    "killed": Part("A web process dies under its streams", ENDED, _killed),
    "redis": Part("Redis dies and comes back", ENDED, _redis),
    "maintenance": Part("Commands that pass over a long log", KEPT, _maintenance),
    "page": Part("The page in a browser", PAGE, _page),
    "soak": Part("Half an hour of streams that come and go", SOAKED, _soak),
}
# It takes half an hour, and is asked for by name.
USUAL: Final = tuple(name for name in PARTS if name != "soak")
CONTENDERS: Final = (OURS, PLAIN, STOCK)
