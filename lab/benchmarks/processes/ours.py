"""Our server under test: `manage.py serve` as it is, and beside it a publisher.

The publisher stands where the runner stands: in the server's process, with a lease on each
session, appending through the group commit. The agents' runner itself is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import threading
import time
from functools import partial
from typing import Any
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")
django.setup()

from django.contrib.auth.models import User  # noqa: E402 (needs the app registry)
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402

from lab.benchmarks.processes import turns  # noqa: E402
from lab.rig import json_lines  # noqa: E402
from sessions.access.tokens import create_token  # noqa: E402
from sessions.eventlog import store  # noqa: E402
from sessions.eventlog.writer import Writer  # noqa: E402

Json = dict[str, Any]
SNAPSHOT = '"type":"session_snapshot"'


class Ours:
    """The sessions of one run, and the publisher that appends to them."""

    def __init__(self, *, sessions: int, history: int) -> None:
        user = User.objects.create(username="reader")
        self.token = create_token(user)
        self.session_ids = [turns.make_session(user, history=history) for _ in range(sessions)]

    def describe(self) -> Json:
        """Tell the benchmark how to subscribe."""
        paths = [f"/api/chat/events?watch={session_id}" for session_id in self.session_ids]
        return {
            "headers": {"Authorization": f"Bearer {self.token}"},
            "paths": paths,
            "behind": [f"{path}:{{cursor}}" for path in paths],
            "bases": [store.get_head_seq(session_id) for session_id in self.session_ids],
            "ready": SNAPSHOT,
            # Its snapshot ends a catch-up.
            "caught_up": SNAPSHOT,
            "requests": self._requests(),
        }

    def _requests(self) -> Json:
        sessions = [f"/api/sessions/{session_id}" for session_id in self.session_ids]
        return {
            "send": [
                {
                    "method": "POST",
                    "path": "/api/chat/send",
                    "body": {
                        "clientMsgId": "NUMBER",
                        "sessionId": str(session_id),
                        "text": "Explain it once more.",
                    },
                }
                for session_id in self.session_ids
            ],
            "healthz": [_get("/healthz")],
            "list": [_get("/api/sessions")],
            "snapshot": [_get(f"{path}/snapshot") for path in sessions],
            "messages": [_get(f"{path}/messages") for path in sessions],
        }

    async def flood(self, *, count: int, bound_s: float) -> Json:
        """Append count events to the first session as fast as the log takes them."""
        deadline = time.monotonic() + bound_s
        done = 0
        async with turns.writing(self.session_ids) as writer:
            while done < count and time.monotonic() < deadline:
                done += 1
                await writer.add(self.session_ids[0], [turns.delta(done)])
        return {"counts": [done, *[0] * (len(self.session_ids) - 1)], "refused": 0}

    async def pace(self, *, rate: float, seconds: float) -> Json:
        """Append rate events a second to every session, for so many seconds."""
        count = len(self.session_ids)
        async with turns.writing(self.session_ids) as writer:
            # Spread over the interval, as the sessions of people are.
            paces = [
                _pace(writer, session_id, rate, seconds, delay_s=place / count / rate)
                for place, session_id in enumerate(self.session_ids)
            ]
            counts = await asyncio.gather(*paces)
        return {"counts": list(counts), "refused": 0}


def _get(path: str) -> Json:
    return {"method": "GET", "path": path, "body": None}


async def _pace(
    writer: Writer, session_id: UUID, rate: float, seconds: float, *, delay_s: float
) -> int:
    start = time.monotonic() + delay_s
    total = round(rate * seconds)
    for number in range(1, total + 1):
        await asyncio.sleep(max(0.0, start + (number - 1) / rate - time.monotonic()))
        if time.monotonic() - start > seconds:
            return number - 1
        await writer.add(session_id, [turns.delta(number)])
    return total


def use_uvloop() -> None:
    """Install the asyncio reactor of Twisted on a loop of uvloop, before daphne makes another."""
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    try:
        import daphne.server  # noqa: F401 (makes its loop and installs the reactor)
    finally:
        # Its other loops are those of `serve`.
        asyncio.set_event_loop_policy(None)


def main() -> None:
    """Make the sessions, say how to reach them, serve until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sessions", type=int, required=True)
    parser.add_argument("--history", type=int, default=0)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    options = parser.parse_args()
    if options.loop == "uvloop":
        use_uvloop()
    call_command("migrate", verbosity=0, interactive=False)
    ours = Ours(sessions=options.sessions, history=options.history)
    description = ours.describe()
    connections.close_all()

    # Installs the reactor, whose loop the publisher shares with the streams.
    from daphne.server import twisted_loop

    from transport.management.commands.serve import listen, serve

    def on_loop(work: Any, **arguments: Any) -> Json:
        reply: Json = asyncio.run_coroutine_threadsafe(work(**arguments), twisted_loop).result()
        return reply

    handlers = {"flood": partial(on_loop, ours.flood), "pace": partial(on_loop, ours.pace)}
    threading.Thread(
        target=json_lines.answer_until_the_end, args=[handlers], name="calls", daemon=True
    ).start()
    listening = listen("127.0.0.1", options.port)
    json_lines.say(description)
    serve(listening, agents=False, sync=True)


if __name__ == "__main__":
    main()
