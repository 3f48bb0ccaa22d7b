"""`manage.py chat`: the chat in a terminal, over the same API and stream as the page."""

from __future__ import annotations

import asyncio
import os
import select
import sys
from argparse import ArgumentParser
from collections.abc import AsyncIterator
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from sessions.access.owner import ensure_owner
from sessions.access.tokens import create_token
from sessions.core import addresses
from sessions.models import ApiToken
from transport.terminal.terminal import HELP, Terminal

READ_BYTES = 65536


class Command(BaseCommand):
    """Chats from a terminal or a script; the lines of a pipe are prompts."""

    help = "Chat with an agent from the terminal. A running server is needed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        url = addresses.url_of(settings.HOST, settings.PORT, instead_of_wildcard="localhost")
        parser.add_argument("--url", default=f"{url}{settings.BASE_PATH}")
        parser.add_argument("--agent", help="of a new session; default: the server's")
        parser.add_argument("--session", help="continue a session, by its id")
        parser.add_argument("--user", help="act as a user of this installation; default: the owner")
        parser.add_argument(
            "--token-file", type=Path, help="a file with a bearer token, for a server elsewhere"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Chat until the input ends."""
        if options["token_file"] is not None:
            token = options["token_file"].read_text(encoding="utf-8").strip()
            self._chat(token, options)
            return
        user = self._user(options["user"])
        token = create_token(user, name="manage.py chat")
        row = ApiToken.objects.filter(user=user, name="manage.py chat").latest("pk")
        try:
            self._chat(token, options)
        finally:
            row.delete()

    def _user(self, name: str | None) -> User:
        if name is None:
            return ensure_owner()[0]
        user = User.objects.filter(username=name, is_active=True).first()
        if user is None:
            raise CommandError(f"There is no user {name!r}.")
        return user

    def _chat(self, token: str, options: dict[str, Any]) -> None:
        if isinstance(sys.stdout, TextIOWrapper):
            # Text that the terminal's encoding cannot hold is no reason to end.
            sys.stdout.reconfigure(errors="backslashreplace")
        if sys.stdin.isatty():
            self.stdout.write(HELP)
        with suppress(KeyboardInterrupt):
            asyncio.run(self._run(token, options))

    async def _run(self, token: str, options: dict[str, Any]) -> None:
        terminal = Terminal(
            options["url"],
            token,
            write=self._write,
            agent=options["agent"],
            session_id=options["session"],
        )
        await terminal.run(input_lines())

    def _write(self, text: str) -> None:
        self.stdout.write(text, ending="")
        self.stdout.flush()


async def input_lines() -> AsyncIterator[str]:
    """Yield the lines of stdin as they come, without a thread that a Ctrl-C would wait for."""
    descriptor = sys.stdin.fileno()
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    try:
        loop.add_reader(descriptor, readable.set)
    except PermissionError:
        # A file is always readable, and epoll refuses it.
        for line in sys.stdin:
            yield line
        return
    buffered = b""
    try:
        while True:
            await readable.wait()
            readable.clear()
            # The loop may have called twice for the same bytes, and a read of nothing would block.
            if not select.select([descriptor], [], [], 0)[0]:
                continue
            data = os.read(descriptor, READ_BYTES)
            buffered += data
            *lines, buffered = buffered.split(b"\n")
            for line in lines:
                yield line.decode(errors="replace")
            if not data:
                break
        if buffered:
            yield buffered.decode(errors="replace")
    finally:
        loop.remove_reader(descriptor)
