"""The plain alternative: starlette and sse-starlette on uvicorn, events in one table of SQLite.

Written as their documentation shows it: one queue for each reader, a missed range read from the
table. It has no log-in, limits or leases, and its commits do not wait for the disk
(synchronous=NORMAL), which is all in its favour.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from lab.benchmarks.processes.stamps import stamped
from lab.rig import json_lines

Json = dict[str, Any]
Item = tuple[int, str]

BACKLOG = 1024

TABLES = """
CREATE TABLE event (
    session INTEGER NOT NULL, seq INTEGER NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (session, seq)
) WITHOUT ROWID;
CREATE TABLE prompt (name TEXT PRIMARY KEY, session INTEGER NOT NULL, seq INTEGER NOT NULL);
"""
WORDS = json.dumps({"text": "a few words of the answer, in Markdown "})


def connect(folder: Path) -> sqlite3.Connection:
    """Return a connection to a new database."""
    database = sqlite3.connect(folder / "plain.sqlite3", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    database.executescript(TABLES)
    return database


class Plain:
    """The sessions of one run: a table, and a queue for each reader."""

    def __init__(self, database: sqlite3.Connection, *, sessions: int, history: int) -> None:
        self.database = database
        self.heads = [history] * sessions
        self.readers: list[set[asyncio.Queue[Item]]] = [set() for _ in range(sessions)]
        self.database.execute("BEGIN")
        for session in range(sessions):
            rows = ((session, number, WORDS) for number in range(1, history + 1))
            self.database.executemany("INSERT INTO event VALUES (?, ?, ?)", rows)
        self.database.execute("COMMIT")

    def describe(self) -> Json:
        """Tell the benchmark how to subscribe and how to ask."""
        sessions = range(len(self.heads))
        send = {"id": "NUMBER", "text": "Explain it once more."}
        return {
            "headers": {},
            "paths": [f"/events/{session}?after={self.heads[session]}" for session in sessions],
            "behind": [f"/events/{session}?after={{cursor}}" for session in sessions],
            "bases": list(self.heads),
            "ready": "event: ready",
            "caught_up": "event: ready",
            "requests": {
                "send": [
                    {"method": "POST", "path": f"/send/{session}", "body": send}
                    for session in sessions
                ],
                "healthz": [{"method": "GET", "path": "/healthz", "body": None}],
            },
        }

    def append(self, session: int, data: str) -> int:
        """Store one event and hand it to every reader; return its seq."""
        self.heads[session] += 1
        seq = self.heads[session]
        self.database.execute("INSERT INTO event VALUES (?, ?, ?)", (session, seq, data))
        for queue in self.readers[session]:
            queue.put_nowait((seq, data))
        return seq

    async def events(self, request: Request) -> Response:
        """Answer with a stream: the missed range, then each event as it comes."""
        session, after = int(request.path_params["session"]), int(request.query_params["after"])
        return EventSourceResponse(self._stream(session, after))

    async def _stream(self, session: int, after: int) -> AsyncIterator[ServerSentEvent]:
        queue: asyncio.Queue[Item] = asyncio.Queue()
        self.readers[session].add(queue)
        try:
            sql = "SELECT seq, data FROM event WHERE session = ? AND seq > ? ORDER BY seq"
            for seq, data in self.database.execute(sql, (session, after)).fetchall():
                yield ServerSentEvent(data, id=str(seq))
            yield ServerSentEvent("{}", event="ready")
            while True:
                seq, data = await queue.get()
                yield ServerSentEvent(data, id=str(seq))
        finally:
            self.readers[session].discard(queue)

    async def send(self, request: Request) -> Response:
        """Admit a prompt once; answer with its receipt."""
        session, body = int(request.path_params["session"]), await request.json()
        self.database.execute("BEGIN")
        seq = self.append(session, json.dumps(body))
        self.database.execute("INSERT INTO prompt VALUES (?, ?, ?)", (body["id"], session, seq))
        self.database.execute("COMMIT")
        return JSONResponse({"seq": seq})

    async def flood(self, *, count: int, bound_s: float) -> Json:
        """Append events to the first session one after the other, and let readers run between."""
        deadline = time.monotonic() + bound_s
        done = 0
        while done < count and time.monotonic() < deadline:
            done += 1
            self.append(0, json.dumps({"text": stamped(done)}))
            await asyncio.sleep(0)
        return {"counts": [done, *[0] * (len(self.heads) - 1)], "refused": 0}

    async def pace(self, *, rate: float, seconds: float) -> Json:
        """Append rate events a second to every session, spread over the interval."""
        count = len(self.heads)
        paces = [
            self._pace(session, rate, seconds, session / count / rate) for session in range(count)
        ]
        return {"counts": list(await asyncio.gather(*paces)), "refused": 0}

    async def _pace(self, session: int, rate: float, seconds: float, delay_s: float) -> int:
        start = time.monotonic() + delay_s
        total = round(rate * seconds)
        for number in range(1, total + 1):
            await asyncio.sleep(max(0.0, start + (number - 1) / rate - time.monotonic()))
            if time.monotonic() - start > seconds:
                return number - 1
            self.append(session, json.dumps({"text": stamped(number)}))
        return total


async def healthz(_: Request) -> Response:
    """Answer that the server is up."""
    return PlainTextResponse("ok")


async def serve(options: argparse.Namespace) -> None:
    """Make the sessions, say how to reach them, serve until stdin ends."""
    plain = Plain(
        connect(Path(os.environ["DATA_DIR"])), sessions=options.sessions, history=options.history
    )
    routes = [
        Route("/events/{session}", plain.events),
        Route("/send/{session}", plain.send, methods=["POST"]),
        Route("/healthz", healthz),
    ]
    config = uvicorn.Config(
        Starlette(routes=routes),
        log_level="warning",
        timeout_graceful_shutdown=0,
    )
    loop = asyncio.get_running_loop()

    def on_loop(work: Any, **arguments: Any) -> Json:
        reply: Json = asyncio.run_coroutine_threadsafe(work(**arguments), loop).result()
        return reply

    calls: json_lines.Calls = {
        "flood": lambda **told: on_loop(plain.flood, **told),
        "pace": lambda **told: on_loop(plain.pace, **told),
    }
    threading.Thread(
        target=json_lines.answer_until_the_end, args=[calls], name="calls", daemon=True
    ).start()
    # It listens before it serves: a client that connects in between waits in the backlog.
    listening = socket.create_server(("127.0.0.1", options.port), backlog=BACKLOG)
    json_lines.say(plain.describe())
    await uvicorn.Server(config).serve(sockets=[listening])


def main() -> None:
    """Serve on uvloop, as `uvicorn` itself does where it is installed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sessions", type=int, required=True)
    parser.add_argument("--history", type=int, default=0)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
