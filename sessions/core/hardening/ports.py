"""TCP ports of the server, its database and its Redis, which are closed to agents.

A runner may be another process than the web servers, which listen on ports that it was not told.
So each of them leaves its port in DATA_DIR/ports, before the first agent of a new chat starts.
"""

from __future__ import annotations

import logging
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

from sessions.core import storage
from sessions.core.conf import data_dir

logger = logging.getLogger(__name__)

# Of servers that took any free port; those that listened last.
MAX_NOTED: Final = 64
_FOLDER: Final = "ports"


def note(port: int) -> None:
    """Leave the port of a server that listens; a disk without room stops no start."""
    try:
        folder = data_dir() / _FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / str(port)).touch()
        for old, _ in storage.by_age(folder.iterdir())[:-MAX_NOTED]:
            old.unlink(missing_ok=True)
    except OSError as exc:
        logger.warning("the port of this server was not noted", extra={"why": exc.strerror})


def own_ports() -> set[int]:
    """Return the ports of the servers on this DATA_DIR, of the database and of Redis."""
    ports = {settings.PORT, *_noted()}
    if settings.REDIS_URL:
        ports.add(urlsplit(settings.REDIS_URL).port or 6379)
    database = settings.DATABASES["default"]
    if database["ENGINE"] != "django.db.backends.sqlite3":
        ports.add(int(database.get("PORT") or 5432))
    return ports


def _noted() -> set[int]:
    folder = data_dir() / _FOLDER
    return {int(path.name) for path in folder.iterdir()} if folder.is_dir() else set()
