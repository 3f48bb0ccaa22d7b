"""The peer under test: django-eventstream with its own view and storage, on stock daphne.

Set up as its documentation tells: a minimal project with SQLite as `startproject` gives it. Our
middleware, log-in and authorisation are absent here, which is in its favour.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import django
from django.conf import settings

from lab.benchmarks.processes.stamps import stamped
from lab.rig import json_lines

Json = dict[str, Any]

# Like ours, but that ours waits for the disk at each commit: a contender of its own.
TUNED = {
    "CONN_MAX_AGE": None,
    "OPTIONS": {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
            "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16000;"
        ),
    },
}


def configure(folder: Path, *, tuned: bool) -> None:
    """Set up Django as the README of django-eventstream says."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "db.sqlite3"}
    settings.configure(
        SECRET_KEY="benchmark",
        ALLOWED_HOSTS=["127.0.0.1"],
        INSTALLED_APPS=[
            "daphne",
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django_eventstream",
        ],
        DATABASES={"default": database | (TUNED if tuned else {})},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        ROOT_URLCONF="lab.benchmarks.processes.stock_urls",
        EVENTSTREAM_STORAGE_CLASS="django_eventstream.storage.DjangoModelStorage",
    )
    django.setup()


def channel_of(place: int) -> str:
    """Return the name of a session's channel."""
    return f"session{place}"


class Stock:
    """The channels of one run, and the publisher that sends to them."""

    def __init__(self, *, sessions: int, history: int, threads: int) -> None:
        self.sessions = sessions
        self.threads = threads
        if history:
            for place in range(sessions):
                _store_history(channel_of(place), history)

    def describe(self, history: int) -> Json:
        """Tell the benchmark how to subscribe."""
        paths = [f"/events/{channel_of(place)}/" for place in range(self.sessions)]
        behind = [
            f"{path}?lastEventId={channel_of(place)}:{{cursor}}" for place, path in enumerate(paths)
        ]
        return {
            "headers": {},
            "paths": paths,
            "behind": behind,
            "bases": [history] * self.sessions,
            "ready": "event: stream-open",
            # The id of the newest event.
            "caught_up": f"id: {channel_of(0)}:{history}\n" if history else "event: stream-open",
            "requests": {},
        }

    def flood(self, *, count: int, bound_s: float) -> Json:
        """Send count events to the first channel, one send_event after the other."""
        deadline = time.monotonic() + bound_s
        done = refused = 0
        while done < count and time.monotonic() < deadline:
            refused += _send(0, done + 1, deadline)
            done += 1
        return {"counts": [done, *[0] * (self.sessions - 1)], "refused": refused}

    def pace(self, *, rate: float, seconds: float) -> Json:
        """Send rate events a second to every channel, for so many seconds.

        Each thread takes its share of the channels in turn, each event at its due time or, when
        it is late, at once.
        """
        shares = [range(first, self.sessions, self.threads) for first in range(self.threads)]
        with ThreadPoolExecutor(self.threads) as pool:
            outcomes = list(pool.map(partial(self._pace, rate, seconds), shares))
        counts = [0] * self.sessions
        for done, _ in outcomes:
            for place, count in done.items():
                counts[place] = count
        return {"counts": counts, "refused": sum(refused for _, refused in outcomes)}

    def _pace(self, rate: float, seconds: float, places: range) -> tuple[dict[int, int], int]:
        start = time.monotonic()
        end = start + seconds
        done = dict.fromkeys(places, 0)
        refused = 0
        for number in range(1, round(rate * seconds) + 1):
            for place in places:
                due = start + (number - 1 + place / self.sessions) / rate
                time.sleep(max(0.0, due - time.monotonic()))
                if time.monotonic() > end:
                    return done, refused
                refused += _send(place, number, end)
                done[place] = number
        return done, refused


def _send(place: int, number: int, deadline: float) -> int:
    """Send one event; a locked database is asked again. Return how often it refused."""
    from django.db import OperationalError
    from django_eventstream import send_event

    refused = 0
    while True:
        try:
            send_event(channel_of(place), "message", {"text": stamped(number)})
        except OperationalError:
            refused += 1
            if time.monotonic() > deadline + 30:
                raise
        else:
            return refused


def _store_history(channel: str, count: int) -> None:
    """Store events as send_event would have, without its four milliseconds for each."""
    import json

    from django_eventstream.models import Event, EventCounter

    data = json.dumps(json.dumps({"text": "a few words of the answer, in Markdown "}))
    Event.objects.bulk_create(
        Event(channel=channel, type="message", data=data, eid=number) for number in range(count + 1)
    )
    EventCounter.objects.create(name=channel, value=count)


def main() -> None:
    """Make the tables, say how to subscribe, serve until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sessions", type=int, required=True)
    parser.add_argument("--history", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tuned", action="store_true")
    options = parser.parse_args()
    # First: it installs the reactor that everything after it must find.
    from daphne.server import Server

    configure(Path(os.environ["DATA_DIR"]), tuned=options.tuned)
    from django.core.asgi import get_asgi_application
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", verbosity=0, interactive=False)
    stock = Stock(sessions=options.sessions, history=options.history, threads=options.threads)
    connections.close_all()
    handlers: json_lines.Calls = {"flood": stock.flood, "pace": stock.pace}
    threading.Thread(
        target=json_lines.answer_until_the_end, args=[handlers], name="calls", daemon=True
    ).start()
    server = Server(
        get_asgi_application(),
        endpoints=[f"tcp:port={options.port}:interface=127.0.0.1:backlog=1024"],
        ready_callable=partial(json_lines.say, stock.describe(options.history)),
    )
    server.run()


if __name__ == "__main__":
    main()
