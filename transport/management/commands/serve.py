"""`manage.py serve`: the whole product in one process."""

from __future__ import annotations

import asyncio
import codecs
import errno
import logging
import socket
import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.utils.module_loading import import_string

from sessions.access import links
from sessions.access.acts import restore
from sessions.access.owner import ensure_owner
from sessions.core import addresses, db, storage
from sessions.core.conf import chat
from sessions.core.db import AWAY
from sessions.core.hardening import ports
from sessions.core.hardening.files import keep_files_private
from sessions.core.hardening.memory import keep_memory_private
from sessions.core.host import allow_many_files, keep_pauses_short, return_memory
from sessions.core.reserves.threads import request_threads, start_aside
from sessions.core.stop_signals import on_stop_signal
from transport.background import Background
from transport.rows import pool

logger = logging.getLogger(__name__)

BACKLOG = 1024
# Python loads them at their first use: Django escapes the paths of refused requests.
LATE_CODECS = ("unicode_escape", "idna")
# How long a start waits for the database server, and between two tries.
DATABASE_PATIENCE_S = 60.0
DATABASE_RETRY_S = 1.0


class Command(BaseCommand):
    """Serves pages, API and streams, runs agents and periodic sync; needs no other server."""

    help = "Serve pages, API and streams, run the agents and periodic sync: all in one process."
    # The checks take longer than the rest of a start; `make lint` runs them.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--host", default=settings.HOST, help="default: HOST or 127.0.0.1")
        parser.add_argument(
            "--port", type=int, default=settings.PORT, help="default: PORT or 8000; 0: any free"
        )
        parser.add_argument(
            "--no-agents", action="store_true", help="run no agents here (see run_agents)"
        )
        parser.add_argument(
            "--no-sync", action="store_true", help="run no periodic sync here (see periodic_sync)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Serve until a signal comes."""
        problems = chat.problems()
        if problems:
            raise CommandError("\n".join(problems))
        keep_memory_private()
        keep_files_private()
        return_memory()
        allow_many_files()
        host = addresses.bare(options["host"])
        listening = listen(host, options["port"])
        if host != settings.HOST:
            settings.ALLOWED_HOSTS += addresses.names_in_requests([host])
        owner = prepare_database(self.stderr.write)
        restore.check()
        port = listening.getsockname()[1]
        ports.note(port)
        site = addresses.url_of(host, port, instead_of_wildcard=socket.gethostname())
        self.stdout.write(f"Backstay is at {site}{settings.BASE_PATH}/")
        self.stdout.write(how_to_log_in(owner, site))
        self.stdout.flush()
        serve(listening, agents=not options["no_agents"], sync=not options["no_sync"])
        logger.info("the server has stopped")


def how_to_log_in(owner: User, site: str) -> str:
    """Return a line about logging in, for the person at the terminal; it begins with "Log in".

    A new link ends the one before, so a start makes none once the owner has logged in.
    """
    if owner.last_login is None:
        try:
            return f"Log in once with: {site}{links.one_time_link(owner)}"
        except DatabaseError as exc:
            refusal = storage.refusal(exc)
            if refusal is None:
                raise
            return f"Log in as before; no link can be stored. {refusal}"
    return f"Log in as before; for a link that logs in once run: {links.COMMAND}"


def prepare_database(tell: Callable[[str], object]) -> User:
    """Migrate, and return the owner. Wait for a database server that is down.

    After a power cut it may come up later than this process. Raises CommandError.
    """
    deadline = time.monotonic() + DATABASE_PATIENCE_S
    while True:
        try:
            call_command("migrate", verbosity=0, interactive=False)
            return ensure_owner()[0]
        except AWAY as exc:
            connection.close()
            if connection.vendor == "sqlite" or time.monotonic() >= deadline:
                raise CommandError(f"The database cannot be used: {exc}") from exc
            tell("The database does not answer yet: trying again.")
            time.sleep(DATABASE_RETRY_S)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises CommandError with one clear line."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, proto)
        # A restart must not wait for connections of the last run to time out.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(BACKLOG)
    except OSError as exc:
        raise CommandError(_why_not(host, port, exc)) from exc
    made.settimeout(0)
    return made


def _why_not(host: str, port: int, exc: OSError) -> str:
    if exc.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use: stop the program there, or set PORT to another."
    return f"Cannot listen on {host} port {port}: {exc.strerror or exc}."


def open_early(loop: asyncio.AbstractEventLoop) -> None:
    """Open the files and start the threads that are needed while there are no others."""
    for name in LATE_CODECS:
        codecs.lookup(name)
    db.threads.open_connections()
    pool.threads.open_connections()
    start_aside(loop)
    request_threads.start()


def serve(listening: socket.socket, *, agents: bool, sync: bool) -> None:
    """Run server, agents and periodic sync on one event loop until a signal comes."""
    # By name: the project knows its apps, and no app imports the project. Imported this late
    # because it installs Twisted's reactor, which other commands have no use for.
    server_class = import_string(settings.SERVER_CLASS)
    application = import_string(settings.ASGI_APPLICATION)
    background = Background(agents=agents, sync=sync)

    def start() -> None:
        on_stop_signal(server.stop, hurry=background.hurry)
        background.start()

    server = server_class(
        application,
        listening=listening,
        on_start=start,
        before_stop=background.stop,
        server_name="",
    )
    asyncio.set_event_loop(server.loop)
    open_early(server.loop)
    keep_pauses_short()
    server.run()
