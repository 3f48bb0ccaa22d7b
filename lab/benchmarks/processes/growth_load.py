"""The process that owns a growing database: it makes rows, reads, and explains its plans."""

from __future__ import annotations

import os
import random
import time
from typing import Any
from uuid import UUID

import django
from django.core.management import call_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")
django.setup()

from django.contrib.auth.models import User  # noqa: E402 (needs the app registry)

from lab.benchmarks.growth import reads, rows  # noqa: E402
from lab.rig import json_lines  # noqa: E402


class Growing:
    """One user with one long chat, and perhaps many others."""

    def __init__(self) -> None:
        self.user = User.objects.create(username="reader")
        self.session_id: UUID | None = None

    def grow(self, *, sessions: int, events: int, deltas: int) -> float:
        """Bring the database to so many chats, and the long chat to so many events."""
        began = time.monotonic()
        if self.session_id is None:
            self.session_id = rows.first_turn(self.user, deltas=deltas)
        rows.copy_turns(self.session_id, upto=events)
        rows.add_sessions(self.user, upto=sessions)
        rows.analyse()
        return time.monotonic() - began

    def measure(self, *, count: int) -> dict[str, float]:
        """Return the ms of each read."""
        return reads.measure(self._chat(), count=count)

    def plans(self) -> dict[str, str]:
        """Return the plans of each read."""
        return reads.plans(self._chat())

    def _chat(self) -> reads.Chat:
        if self.session_id is None:
            raise RuntimeError("nothing has grown yet")
        return reads.Chat(self.user, self.session_id, random.Random(1))


def main() -> None:
    """Answer calls until stdin ends."""
    call_command("migrate", verbosity=0, interactive=False)
    growing = Growing()
    calls: dict[str, Any] = {
        "grow": growing.grow,
        "measure": growing.measure,
        "plans": growing.plans,
    }
    json_lines.answer_calls(calls)


if __name__ == "__main__":
    main()
