"""The rows of MCP servers: made once they have answered, listed, removed; secrets are sealed.

A command runs on this server with each agent, so only staff may add one, and it is given to agents
while its owner is staff.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError
from django.db.models import Q, QuerySet

from sessions.account_models import Project
from sessions.agent_models import McpServer
from sessions.agents.content import ToolServer
from sessions.core.errors import InvalidRequest
from sessions.core.hardening import sealing
from sessions.core.source import Source
from sessions.mcp.refusals import CommandsForStaff, TooManyServers, UnknownServer
from sessions.models import Session
from sessions.trail.record import NOWHERE, Act, record

MAX_SERVERS: Final = 50
MAX_SECRETS: Final = 30
MAX_VALUE: Final = 4_096
STDIO: Final = "stdio"
HTTP: Final = "http"
_PURPOSE: Final = b"backstay mcp servers: encryption"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE: Final = re.compile(r"[\x20-\x7e\xa0-\xff]*")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A server to add. secrets: its headers or environment, never shown again."""

    name: str
    kind: str
    command: str = ""
    args: tuple[str, ...] = ()
    url: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    project_id: UUID | None = None

    def server(self) -> ToolServer:
        """Return the server as agents get it."""
        return ToolServer(self.name, self.kind, self.command, self.args, self.url, self.secrets)


def check(user: Any, wanted: Wanted) -> None:
    """Check a server before it is tried.

    Raises InvalidRequest with the field, CommandsForStaff, TooManyServers, UnknownProject.
    """
    if not _NAME.fullmatch(wanted.name):
        raise _refused("name", "A name has letters, digits, - and _, 64 at most.")
    if wanted.kind == STDIO:
        if not user.is_staff:
            raise CommandsForStaff
        if not wanted.command.strip() or "\0" in "".join((wanted.command, *wanted.args)):
            raise _refused("command", "A server of this kind has a command.")
    else:
        _check_address(wanted.url)
    _check_secrets(wanted)
    own = McpServer.objects.filter(owner_id=user.pk)
    if own.count() >= MAX_SERVERS:
        raise TooManyServers
    if wanted.project_id is not None:
        Project.objects.find(user, wanted.project_id)
    if (wanted.name, wanted.project_id) in own.values_list("name", "project_id"):
        raise _refused("name", "There is a server of this name already.")


def make(
    user: AbstractBaseUser, wanted: Wanted, *, tools: int, source: Source = NOWHERE
) -> McpServer:
    """Store a server that has answered with so many tools. Raises InvalidRequest."""
    secret = sealing.seal(json.dumps(dict(wanted.secrets)), purpose=_PURPOSE)
    try:
        made = McpServer.objects.create(
            owner_id=user.pk,
            project_id=wanted.project_id,
            name=wanted.name,
            kind=wanted.kind,
            command=wanted.command,
            args=list(wanted.args),
            url=wanted.url,
            names=sorted(wanted.secrets),
            secret=secret,
            tools=tools,
        )
    except IntegrityError as exc:
        raise _refused("name", "There is a server of this name already.") from exc
    _record(Act.MCP_SERVER_MADE, user, made, source)
    return made


def of_user(user: AbstractBaseUser) -> QuerySet[McpServer]:
    """Return the servers of a user, the youngest first."""
    return McpServer.objects.filter(owner_id=user.pk).order_by("-pk")


def remove(user: AbstractBaseUser, number: int, *, source: Source = NOWHERE) -> None:
    """Remove a server of a user. Raises UnknownServer, for another's too."""
    found = McpServer.objects.filter(owner_id=user.pk, pk=number).first()
    if found is None:
        raise UnknownServer
    _record(Act.MCP_SERVER_REMOVED, user, found, source)
    found.delete()


def of_session(session: Session) -> list[ToolServer]:
    """Return the servers that the agent of a chat gets; a project's own come before a person's."""
    mine = Q(project_id=None) | Q(project_id=session.project_id)
    rows = McpServer.objects.filter(mine, owner_id=session.owner_id).order_by("-project_id", "pk")
    if not session.owner.is_staff:
        rows = rows.exclude(kind=STDIO)
    found: dict[str, ToolServer] = {}
    for row in sorted(rows, key=lambda row: row.project_id is None):
        secrets = sealing.unseal(row.secret, purpose=_PURPOSE)
        if secrets is not None and row.name not in found:
            args = tuple(row.args)
            known = json.loads(secrets)
            found[row.name] = ToolServer(row.name, row.kind, row.command, args, row.url, known)
    return list(found.values())


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError as exc:
        raise _refused("url", "This is no address of a server.") from exc
    if parts.scheme not in {"http", "https"} or not is_whole:
        raise _refused("url", "An address begins with https:// or http://.")
    if not url.isprintable() or " " in url:
        raise _refused("url", "The address has signs that no address has.")
    if parts.username or parts.password:
        raise _refused("url", "An address holds no secret: name it as a header.")


def _check_secrets(wanted: Wanted) -> None:
    form = _VARIABLE if wanted.kind == STDIO else _HEADER
    if len(wanted.secrets) > MAX_SECRETS:
        raise _refused("secrets", f"A server has at most {MAX_SECRETS} secrets.")
    for name, value in wanted.secrets.items():
        if not form.fullmatch(name):
            raise _refused("secrets", f"{name!r} is no name of a header or a variable.")
        if len(value) > MAX_VALUE or not _VALUE.fullmatch(value):
            raise _refused("secrets", f"The value of {name} has characters that cannot be sent.")


def _refused(name: str, sentence: str) -> InvalidRequest:
    return InvalidRequest(sentence, field=name)


def _record(act: Act, user: AbstractBaseUser, server: McpServer, source: Source) -> None:
    record(
        act,
        who=user.get_username(),
        about=f"mcp server:{server.pk}",
        source=source,
        name=server.name,
        kind=server.kind,
        target=server.url or " ".join([server.command, *server.args])[:200],
    )
