"""The signals that ask a process of this project to stop in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Final

# SIGHUP comes when the terminal of a process is closed, SIGQUIT by Ctrl-\.
STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def on_stop_signal(
    stop: Callable[[], object], *, hurry: Callable[[], object] | None = None
) -> None:
    """Call stop() on the running event loop at the first signal, hurry() at each further one.

    A repeated SIGHUP is no hurry: a closed terminal sends one, and its shell a second one. SIGHUP
    stays ignored in a process that was started with nohup.
    """
    loop = asyncio.get_running_loop()
    came: list[signal.Signals] = []

    def take(number: signal.Signals) -> None:
        came.append(number)
        if len(came) == 1:
            stop()
        elif hurry is not None and number is not signal.SIGHUP:
            hurry()

    for number in STOP_SIGNALS:
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, take, number)
