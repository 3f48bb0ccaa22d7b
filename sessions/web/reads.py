"""Reading requests: a few of a user at once, and their answers made in a thread.

An answer holds memory until its client has taken it, and so does its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

from pydantic_core import to_json

from sessions.core.db import in_thread
from sessions.core.errors import TooManyRequests
from sessions.limits import visits
from sessions.limits.at_once import AtOnce
from sessions.web.answers import EncodedAnswer

P = ParamSpec("P")
Data = TypeVar("Data")

# So long a request waits for another of its user to end.
WAIT_S: Final = 2.0
LOOK_S: Final = 0.02


async def hold_place(user: Any, of: AtOnce = visits.reads) -> None:
    """Wait for one of the user's places, and hold it until the request ends.

    The server learns a moment later than its client that a request was cancelled: the next one
    waits for that moment. Raises TooManyRequests.
    """
    loop = asyncio.get_running_loop()
    last_try = loop.time() + WAIT_S
    while True:
        try:
            visits.hold(of, user.pk)
        except TooManyRequests:
            if loop.time() >= last_try:
                raise
            await asyncio.sleep(LOOK_S)
        else:
            return


async def answer(
    user: Any, read: Callable[P, Data], *args: P.args, **kwargs: P.kwargs
) -> EncodedAnswer[Data]:
    """Return read(*args, **kwargs) as JSON. Raises TooManyRequests, and the errors of read."""
    await hold_place(user)
    return EncodedAnswer(await in_thread(lambda: to_json(read(*args, **kwargs))))
