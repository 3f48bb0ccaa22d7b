"""`manage.py periodic_sync`: the safety net as a process of its own."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sessions.core.conf import chat
from sessions.core.hardening.files import keep_files_private
from sessions.core.hardening.memory import keep_memory_private
from sessions.core.host import process_name
from sessions.core.stop_signals import on_stop_signal
from transport.sync import lock, loop, rounds


class Command(BaseCommand):
    """Looks at every open watch in rounds and orders catch-ups; one copy works at a time."""

    help = "Catch up watches that were left behind, in rounds. A second copy waits for the first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--once", action="store_true", help="one round, then end")
        parser.add_argument("--interval", type=float, default=chat.SYNC_INTERVAL_S, help="seconds")
        parser.add_argument(
            "--batch", type=int, default=chat.SYNC_BATCH_LIMIT, help="events per watch and round"
        )
        parser.add_argument(
            "--max-gap", type=int, default=chat.MAX_REPLAY_GAP, help="a larger gap is skipped"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="print what one round would do, change nothing"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run one round or all of them."""
        keep_memory_private()
        keep_files_private()
        batch, max_gap = options["batch"], options["max_gap"]
        if batch < 1 or max_gap < 0 or options["interval"] <= 0:
            raise CommandError("--batch must be at least 1, --max-gap 0, --interval more than 0.")
        if options["dry_run"]:
            decisions = rounds.sync_round(batch=batch, max_gap=max_gap, dry_run=True)
            self.stdout.write(rounds.table(decisions))
        elif options["once"]:
            self._once(batch, max_gap)
        else:
            asyncio.run(_until_stopped(options["interval"], batch, max_gap))

    def _once(self, batch: int, max_gap: int) -> None:
        if not lock.acquire(process_name()):
            raise CommandError("Another copy of periodic sync is at work.")
        try:
            rounds.clean_up(set())
            hold = partial(lock.renew, process_name())
            decisions = rounds.sync_round(batch=batch, max_gap=max_gap, may_continue=hold)
        finally:
            lock.release(process_name())
        self.stdout.write(rounds.table(decisions))


async def _until_stopped(interval_s: float, batch: int, max_gap: int) -> None:
    running = asyncio.create_task(
        loop.run(interval_s=interval_s, batch=batch, max_gap=max_gap), name="sync rounds"
    )
    on_stop_signal(running.cancel)
    await asyncio.wait([running])
