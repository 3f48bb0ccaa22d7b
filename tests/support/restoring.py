"""A server's work on the files of a chat, in a process of its own that is killed at a chosen step.

`python -m tests.support.restoring` answers calls until its stdin ends. A step is a change of a
file, a command of git, or a transaction about the restore: the process dies before it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402 (the app registry comes first)

from lab.rig import json_lines  # noqa: E402
from sessions.control import send  # noqa: E402
from sessions.control.back import restores, rewind  # noqa: E402
from sessions.eventlog import audit, drafts, store  # noqa: E402
from sessions.eventlog.events import StopReason  # noqa: E402
from sessions.models import Event, Restore, Session  # noqa: E402
from sessions.workspace import roots  # noqa: E402
from sessions.workspace.changes import program  # noqa: E402
from sessions.workspace.checkpoints import keeping  # noqa: E402

_FILES = ("unlink", "rmdir", "mkdir", "symlink", "replace", "fchmod")
_ROWS = ((rewind, "_begun"), (restores, "_end"))


class Steps:
    """Counts steps. last: the one that kills this process, None for none."""

    def __init__(self, last: int | None) -> None:
        self.count = 0
        self._last = last
        for module, name in (*((os, name) for name in _FILES), (program, "run"), *_ROWS):
            setattr(module, name, self._counted(getattr(module, name)))

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **more: Any) -> Any:
            if self.count == self._last:
                os.kill(os.getpid(), signal.SIGKILL)
            self.count += 1
            return real(*args, **more)

        return step


def begin(folder: str) -> dict[str, Any]:
    """Make a chat in a folder with one answered prompt; the folder's state now stands before it."""
    user, _ = get_user_model().objects.get_or_create(username="ada")
    session = send.create_session(owner=user, agent="demo", cwd=folder)
    kept = keeping.keep(session.pk, session.cwd, roots.roots())
    message, *_ = store.append(
        session.pk,
        [
            drafts.user_message(message_id="u", client_msg_id="p", text="Change it."),
            drafts.checkpoint_made(
                checkpoint_id=kept.name, files=kept.files, client_msg_id="p", left_out=0
            ),
            drafts.turn_start(turn_id="t", client_msg_id="p"),
            drafts.turn_end(turn_id="t", stop_reason=StopReason.END_TURN),
        ],
    )
    return {"session": str(session.pk), "to": message.seq}


def restore(session: str, to: int, last: int | None = None) -> int:
    """Restore the files of a prompt, or from before a restore; return the number of steps."""
    row = Session.objects.select_related("owner").get(pk=session)
    steps = Steps(last)
    work = rewind.rewind(user=row.owner, session_id=row.pk, to=to, files=True, chat=False)
    asyncio.run(work)
    return steps.count


def start_again() -> None:
    """Complete what a dead server has left, as each start does."""
    asyncio.run(restores.settle_all())


def told(session: str) -> dict[str, Any]:
    """Return the seqs of all restores in the log, and whether anything is wrong or unfinished."""
    found = Event.objects.filter(session_id=session, type="restored").order_by("seq")
    return {
        "restored": list(found.values_list("seq", flat=True)),
        "problems": [str(problem) for problem in audit.check(row_id(session)).problems],
        "unfinished": Restore.objects.count(),
    }


def row_id(session: str) -> Any:
    """Return the key of a session."""
    return Session.objects.values_list("pk", flat=True).get(pk=session)


CALLS = {"begin": begin, "restore": restore, "start_again": start_again, "told": told}


if __name__ == "__main__":
    json_lines.answer_calls(CALLS)
