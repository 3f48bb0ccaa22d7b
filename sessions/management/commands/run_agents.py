"""`manage.py run_agents`: claims sessions by lease and runs their agents, beside other runners."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sessions.core.conf import chat
from sessions.core.hardening import keep_memory_private
from sessions.core.host import keep_pauses_short
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
        keep_pauses_short()
        asyncio.run(self._run())
        logger.info("the runner has stopped")

    async def _run(self) -> None:
        watch = HeadWatch()
        runner = Runner(watch)
        asked, urged = asyncio.Event(), asyncio.Event()
        on_stop_signal(asked.set, hurry=urged.set)
        stopping = asyncio.create_task(asked.wait(), name="signal")
        working = asyncio.create_task(_together(watch, runner), name="runner")
        self.stdout.write(f"Running agents as {runner.id}.")
        self.stdout.flush()
        await asyncio.wait([stopping, working], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()  # raises its error
        impatient = asyncio.create_task(urged.wait(), name="second signal")
        ending = asyncio.create_task(runner.stop(), name="stop")
        await asyncio.wait([ending, impatient], return_when=asyncio.FIRST_COMPLETED)
        for task in (ending, working, impatient):
            task.cancel()
        await asyncio.gather(ending, working, impatient, return_exceptions=True)


async def _together(watch: HeadWatch, runner: Runner) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(watch.run(), name="head watch")
        tasks.create_task(runner.run(), name="runner")
