"""`manage.py run_agents`: claims sessions by lease and runs their agents, beside other runners."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sessions.core.conf import chat
from sessions.core.db import threads
from sessions.core.hardening.files import keep_files_private
from sessions.core.hardening.memory import keep_memory_private
from sessions.core.host import keep_pauses_short, return_memory
from sessions.core.reserves.memory import spare_memory
from sessions.core.reserves.threads import start_aside
from sessions.core.stop_signals import on_stop_signal
from sessions.eventlog.wake import HeadWatch
from sessions.runner.runner import Runner

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Runs agents until a stop signal comes; a second one ends it at once."""

    help = "Claim sessions by lease and run their agents, beside any number of other runners."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Run until a signal comes."""
        problems = chat.problems()
        if problems:
            raise CommandError("\n".join(problems))
        keep_memory_private()
        keep_files_private()
        return_memory()
        keep_pauses_short()
        asyncio.run(self._run())
        logger.info("the runner has stopped")

    async def _run(self) -> None:
        threads.open_connections()
        start_aside(asyncio.get_running_loop())
        watch = HeadWatch()
        runner = Runner(watch)
        asked = asyncio.Event()
        on_stop_signal(asked.set, hurry=runner.hurry)
        stopping = asyncio.create_task(asked.wait(), name="signal")
        working = asyncio.create_task(_together(watch, runner), name="runner")
        self.stdout.write(f"Running agents as {runner.id}.")
        self.stdout.flush()
        await asyncio.wait([stopping, working], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()  # raises its error
        await runner.stop()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def _together(watch: HeadWatch, runner: Runner) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(watch.run(), name="head watch")
        tasks.create_task(runner.run(), name="runner")
        tasks.create_task(spare_memory.watch(), name="spare memory")
