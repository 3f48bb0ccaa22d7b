"""The publisher of an installation: sessions under a lease, events through the group commit."""

from __future__ import annotations

import argparse
import asyncio
import os
import threading
from functools import partial
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")
django.setup()

from django.core.management import call_command  # noqa: E402 (needs the app registry)
from django.db import connections  # noqa: E402

from lab.benchmarks.processes.ours import Ours  # noqa: E402
from lab.rig import json_lines  # noqa: E402
from sessions.core.db import threads  # noqa: E402
from sessions.eventlog.wake import HeadWatch  # noqa: E402

Json = dict[str, Any]


async def _publish(ours: Ours, description: Json) -> None:
    """Answer calls from a thread; wakes of the appends leave through the head watch."""
    loop = asyncio.get_running_loop()
    threads.open_connections()
    calls: json_lines.Calls = {
        "flood": partial(_on_loop, loop, ours.flood),
        "pace": partial(_on_loop, loop, ours.pace),
    }
    threading.Thread(
        target=json_lines.answer_until_the_end, args=[calls], name="calls", daemon=True
    ).start()
    json_lines.say(description)
    await HeadWatch().run()


def _on_loop(loop: asyncio.AbstractEventLoop, work: Any, **arguments: Any) -> Json:
    reply: Json = asyncio.run_coroutine_threadsafe(work(**arguments), loop).result()
    return reply


def main() -> None:
    """Make the tables and the sessions, say how to subscribe, publish until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, required=True)
    options = parser.parse_args()
    call_command("migrate", verbosity=0, interactive=False)
    ours = Ours(sessions=options.sessions, history=0)
    description = ours.describe()
    connections.close_all()
    asyncio.run(_publish(ours, description))


if __name__ == "__main__":
    main()
