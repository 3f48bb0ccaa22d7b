"""`manage.py chat`: the chat in a terminal, over the same API and stream as the page."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, OutputWrapper

from sessions.access.owner import ensure_owner
from sessions.access.tokens import Wanted, create_token, revoke
from sessions.account_models import ApiToken
from sessions.core import addresses
from transport.terminal import outbox_file
from transport.terminal.terminal import GREETING, Terminal
from transport.terminal.typed import input_lines


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
        token = create_token(user, wanted=Wanted("manage.py chat", days=1))
        row = ApiToken.objects.filter(user=user, name="manage.py chat").latest("pk")
        try:
            self._chat(token, options)
        finally:
            revoke([row])

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
            self.stdout.write(GREETING, ending="")
        whose = options["user"] or ""
        if options["token_file"] is not None:
            whose = f"token {token}"
        with outbox_file.held(settings.DATA_DIR / "terminals", options["url"], whose) as storage:
            if storage is None:
                self.stderr.write("Prompts that are not sent yet are not kept at the end.")
            with suppress(KeyboardInterrupt):
                asyncio.run(self._run(token, options, storage))

    async def _run(self, token: str, options: dict[str, Any], storage: Path | None) -> None:
        is_plain = is_dumb() or bool(os.environ.get("NO_COLOR"))
        is_person = sys.stdin.isatty() and sys.stdout.isatty()
        output = Output(self.stdout)
        terminal = Terminal(
            options["url"],
            token,
            write=output.write,
            agent=options["agent"],
            session_id=options["session"],
            has_colours=self.style.ERROR("") != "" and not is_plain,
            width=output.width if is_person and not is_dumb() else None,
            is_person=is_person,
            storage=storage,
        )
        output.on_closed = terminal.leave
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, terminal.interrupted)
        for ending in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(ending, terminal.leave)
        await terminal.run(input_lines())


class Output:
    """The output of the command, until its reader is gone. on_closed: hears of that."""

    def __init__(self, stdout: OutputWrapper) -> None:
        self._stdout = stdout
        self._is_closed = False
        self.on_closed: Callable[[], None] = lambda: None

    def write(self, text: str) -> None:
        """Write a text; nothing, once the reader is gone."""
        if self._is_closed:
            return
        try:
            self._stdout.write(text, ending="")
            self._stdout.flush()
        except OSError:
            self._is_closed = True
            # Python's own flush at the end has a place to go.
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), sys.stdout.fileno())
            self.on_closed()

    def width(self) -> int:
        """Return the columns of the window, as it is now."""
        try:
            return os.get_terminal_size(sys.stdout.fileno()).columns
        except OSError:
            return 0


def is_dumb() -> bool:
    """Return whether the terminal cannot be drawn on."""
    return os.environ.get("TERM", "dumb") in {"", "dumb"}
