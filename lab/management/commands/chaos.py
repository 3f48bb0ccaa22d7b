"""`manage.py chaos`: break everything for a while, and check that no promise was."""

from __future__ import annotations

import asyncio
import logging
import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lab.chaos.report import summary, table
from lab.chaos.run import choose, play, why_no_page


class Command(BaseCommand):
    """Plays runs of the fault suite on servers and data of their own; yours are not touched."""

    help = "Start servers of its own, break them for some minutes, and check every promise."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--seed", type=int, default=1, help="the same seed, the same faults")
        parser.add_argument("--seeds", type=int, default=1, help="how many seeds, one by one")
        parser.add_argument("--minutes", type=float, default=1.0, help="of faults in each run")
        parser.add_argument("--devices", type=int, default=6, help="clients of the owner")
        parser.add_argument("--no-page", action="store_true", help="no Chromium beside the clients")
        parser.add_argument(
            "--agent",
            choices=("demo", "hostile"),
            default="demo",
            help="hostile: one agent among the others attacks them, and all are confined",
        )
        parser.add_argument(
            "--system",
            choices=("embedded", "distributed", "both"),
            default="both",
            help="one process on SQLite; six on PostgreSQL and Redis; or by turns",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Play, print the tables, and fail when a promise was not kept."""
        has_page = not options["no_page"]
        if has_page and (why := why_no_page()):
            self.stdout.write(f"No browser takes part: {why}.\n\n")
            has_page = False
        logging.getLogger("lab.chaos").setLevel(
            logging.INFO if options["verbosity"] > 1 else logging.WARNING
        )
        runs = []
        for seed in range(options["seed"], options["seed"] + options["seeds"]):
            playing = play(
                choose(options["system"], seed),
                seed=seed,
                seconds=60 * options["minutes"],
                devices=options["devices"],
                has_page=has_page,
                is_hostile=options["agent"] == "hostile",
            )
            try:
                run = asyncio.run(playing)
            except asyncio.CancelledError:
                raise CommandError("Stopped; every process of the run has ended.") from None
            runs.append(run)
            self.stdout.write(table(run))
            if run.folder is not None:
                self.stdout.write(f"Every log is kept in {os.fspath(run.folder)}")
            self.stdout.write("")
        if len(runs) > 1:
            self.stdout.write(summary(runs))
        broken = [run.seed for run in runs if run.violations]
        if broken:
            raise CommandError(f"Promises were broken with seed {', '.join(map(str, broken))}.")
