"""How the server is: readiness, check by check, and the metrics of one scrape."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any, Final

from channels.layers import get_channel_layer
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, REGISTRY, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from sessions.agents.processes import confine
from sessions.control.direct import stoppers
from sessions.core import metrics, storage
from sessions.core.conf import has_layer
from sessions.core.db import in_thread, is_read_only
from sessions.core.errors import StorageReadOnly
from sessions.core.hardening import files as private_files
from sessions.core.host import process_name
from sessions.eventlog.events import EventType, LoggedEvent
from sessions.eventlog.lease import unheld
from sessions.models import Prompt, Session

logger = logging.getLogger(__name__)

OK: Final = "ok"
# Checks that a person should read, and that take no process out of service.
ADVICE: Final = frozenset({"files"})
METRICS_CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
# A load balancer asks every few seconds: an answer that takes longer is a no.
CHECK_TIMEOUT_S: Final = 3.0
RESEND_S: Final = 0.2
# A runner claims a waiting session within a second; after this long there is none.
UNCLAIMED_AFTER: Final = timedelta(seconds=60)


_asking: asyncio.Task[dict[str, str]] | None = None


async def readiness() -> dict[str, str]:
    """Return "ok" or the fault of each check, by its name.

    Any stranger may ask, so requests during a round of checks share its answer, which counts
    nothing.
    """
    global _asking
    loop = asyncio.get_running_loop()
    if _asking is None or _asking.done() or _asking.get_loop() is not loop:
        _asking = loop.create_task(_ask_all(), name="readiness")
    return await asyncio.shield(_asking)


async def _ask_all() -> dict[str, str]:
    names = {
        "database": _database,
        "disk": _disk,
        "descriptors": _descriptors,
        "memory": _memory,
        "layer": _layer,
        "runner": _runner,
        "files": _files,
    }
    results = await asyncio.gather(*(_checked(name, check) for name, check in names.items()))
    return dict(zip(names, results, strict=True))


async def _checked(name: str, check: Callable[[], Awaitable[str]]) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await check()
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_S:g} s"
    except Exception as exc:
        # The text of a driver's error may hold its address and password: into the log alone.
        logger.warning("a readiness check failed", extra={"check": name}, exc_info=exc)
        return f"failed: {type(exc).__name__}"


async def _database() -> str:
    missing = await in_thread(_has_unapplied_migrations)
    if missing:
        return "migrations are not applied"
    return StorageReadOnly.sentence if await in_thread(is_read_only) else OK


async def _disk() -> str:
    return await in_thread(storage.problem) or OK


async def _files() -> str:
    found = await in_thread(private_files.problems)
    return "files of the server are open to other users" if found else OK


async def _descriptors() -> str:
    return storage.files_problem() or OK


async def _memory() -> str:
    return storage.memory_problem() or OK


def is_ready(checks: dict[str, str]) -> bool:
    """Return whether a process can serve; open files are reported and do not count."""
    return all(check == OK for name, check in checks.items() if name not in ADVICE)


def _has_unapplied_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _channel() -> str:
    """Return the process's one channel for it.

    A new one for each check would stay: the layer leaves a channel only when a waiting request is
    cancelled.
    """
    return f"backstay.readiness.{process_name()}"


async def _layer() -> str:
    if not has_layer():
        return OK
    layer: Any = get_channel_layer()
    nonce = secrets.token_hex(8)
    hearing = asyncio.create_task(_hear(layer, nonce), name="readiness of the layer")
    try:
        while not hearing.done():
            # One that is sent before the channel is joined is lost, like any on a bad day.
            await layer.send(_channel(), {"type": "readiness", "nonce": nonce})
            await asyncio.wait([hearing], timeout=RESEND_S)
        await hearing
    finally:
        # Cancelled where it waits, it leaves the channel.
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
    return OK


async def _hear(layer: Any, nonce: str) -> None:
    """Return when a message comes back, past those of earlier checks that came too late."""
    while await layer.receive(_channel()) != {"type": "readiness", "nonce": nonce}:
        pass


async def _runner() -> str:
    if await in_thread(_has_unclaimed_prompts):
        return "prompts wait and no runner takes them"
    # A process without agents cannot tell how those of others are confined.
    return (await in_thread(confine.problem) if stoppers.are_here else None) or OK


def _has_unclaimed_prompts() -> bool:
    """Return whether prompts have waited for long in sessions that no runner holds."""
    now = timezone.now()
    waiting = Prompt.objects.waiting().filter(unheld(now, prefix="session__"))
    return waiting.filter(created_at__lt=now - UNCLAIMED_AFTER).exists()


# --- Metrics ------------------------------------------------------------------------------------


def count_commit(sender: object, *, events: list[LoggedEvent], **_kwargs: Any) -> None:  # noqa: ARG001
    """Count a commit's events and ended turns: the receiver of eventlog.store.committed."""
    for event in events:
        metrics.EVENTS_APPENDED.labels(type=event.type).inc()
        if event.type == EventType.TURN_END:
            metrics.TURNS.labels(reason=event.payload["stopReason"]).inc()


def render_metrics() -> bytes:
    """Return every metric in Prometheus' text format; two queries."""
    confine.status()  # its gauge follows the setting
    return generate_latest(REGISTRY)


class DatabaseGauges(Collector):
    """Values from the database: the same from every process, so take max(), not sum()."""

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges without values: registering them asks no database."""
        yield from _families().values()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges as they are now. Two queries."""
        families = _families()
        live = Session.objects.filter(archived_at=None)
        rows = live.values_list("state", "run_state").annotate(Count("pk")).order_by()
        for state, run_state, count in rows:
            families["sessions"].add_metric([state, run_state], count)
        waiting = Prompt.objects.open()
        for state, count in waiting.values_list("state").annotate(Count("pk")).order_by():
            families["prompts"].add_metric([state], count)
        yield from families.values()


def _families() -> dict[str, GaugeMetricFamily]:
    return {
        "sessions": GaugeMetricFamily(
            "backstay_sessions",
            "Sessions that are not archived.",
            labels=["state", "run_state"],
        ),
        "prompts": GaugeMetricFamily(
            "backstay_prompts_open",
            "Prompts that wait (accepted) or are with their agent (dispatched).",
            labels=["state"],
        ),
    }
