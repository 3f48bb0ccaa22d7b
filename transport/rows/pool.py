"""The streams' own database threads: agents at work do not make a catch-up wait."""

from __future__ import annotations

from typing import Final

from sessions.core.db import DatabaseThreads

threads: Final = DatabaseThreads("stream-db")
run = threads.run
