"""Accepting connections while the table of open files is full, without a busy loop.

Twisted then closes a reserved file, accepts, and closes the connection. When another thread takes
the reserved place, a connection stays in the queue of the kernel and the socket stays readable:
the reactor would try again without a pause. Here it pauses, and the clients wait.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any, Final

PAUSE_S: Final = 0.5
_FULL: Final = frozenset({errno.EMFILE, errno.ENFILE})


def pause_while_full(port: Any, reactor: Any) -> None:
    """Let a listening Twisted port pause after each round in which the table is full."""
    accept: Callable[[], None] = port.doRead

    def accept_or_pause() -> None:
        accept()
        if _is_full(port.fileno()):
            port.stopReading()
            reactor.callLater(PAUSE_S, resume)

    def resume() -> None:
        if port.connected:
            port.startReading()

    port.doRead = accept_or_pause


def _is_full(descriptor: int) -> bool:
    try:
        os.close(os.dup(descriptor))
    except OSError as exc:
        return exc.errno in _FULL
    return False
