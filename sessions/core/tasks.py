"""Tasks with an owner: held while they run, their errors logged; and asks that share an answer."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T", bound=Hashable)
Ask = TypeVar("Ask")
Reply = TypeVar("Reply")


class TaskSet:
    """The tasks that one object runs beside its own work; facts: the fields of their log lines."""

    def __init__(self, facts: Mapping[str, object] | None = None) -> None:
        self._facts = facts or {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, object], *, name: str) -> asyncio.Task[None]:
        """Run work; an error of it is logged."""
        task = asyncio.create_task(self._logged(work, name), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # one that was ended before it began
        return task

    async def end(self) -> None:
        """Cancel every task and wait until all have ended."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _logged(self, work: Coroutine[Any, Any, object], name: str) -> None:
        try:
            await work
        except Exception:
            logger.exception("a task failed", extra={"task_name": name, **self._facts})


class Gathering(Generic[T]):
    """Things that gather while earlier ones are done; each is there once, however often it came."""

    def __init__(self) -> None:
        self._things: dict[T, None] = {}
        self._is_some = asyncio.Event()

    def add(self, things: Iterable[T]) -> None:
        """Add things, in order."""
        self._things.update(dict.fromkeys(things))
        if self._things:
            self._is_some.set()

    async def take(self) -> list[T]:
        """Return all things and forget them; wait until there is one."""
        await self._is_some.wait()
        self._is_some.clear()
        things, self._things = list(self._things), {}
        return things


_Waiting: TypeAlias = "deque[tuple[Ask, asyncio.Future[Reply]]]"


class _Asks(Generic[Ask, Reply]):
    """The asks of one event loop, and the task that answers them."""

    def __init__(self) -> None:
        self.waiting: _Waiting[Ask, Reply] = deque()
        self.worker: asyncio.Task[None] | None = None


class Together(Generic[Ask, Reply]):
    """Asks that arrive while others are answered; the next call answers all of them at once.

    An ask that comes alone waits for nothing. Under load the calls grow by themselves, as the
    group commit of the log does. answer: returns the reply or the error of each ask, in order.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Ask]], Awaitable[Sequence[Reply | Exception]]],
        *,
        most: int,
    ) -> None:
        self._answer = answer
        self._most = most
        # Of each event loop with asks, its worker: an answer belongs to the loop that asks.
        self._loops: dict[asyncio.AbstractEventLoop, _Asks[Ask, Reply]] = {}

    async def ask(self, ask: Ask) -> Reply:
        """Return the reply. Raises its error."""
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Reply] = loop.create_future()
        asks = self._loops.get(loop)
        if asks is None:
            asks = self._loops[loop] = _Asks()
            # Of all who ask: the context of the first one is not theirs.
            work = self._work(loop, asks.waiting)
            asks.worker = asyncio.create_task(work, context=contextvars.Context())
        asks.waiting.append((ask, reply))
        return await reply

    async def _work(self, loop: asyncio.AbstractEventLoop, waiting: _Waiting[Ask, Reply]) -> None:
        try:
            while taken := self._take(waiting):
                await self._reply(taken)
        finally:
            del self._loops[loop]

    async def _reply(self, taken: Sequence[tuple[Ask, asyncio.Future[Reply]]]) -> None:
        outcomes: Sequence[Reply | Exception]
        try:
            outcomes = await self._answer([ask for ask, _ in taken])
        except Exception as exc:  # noqa: BLE001 (those who ask get it)
            outcomes = [exc] * len(taken)
        for (_, reply), outcome in zip(taken, outcomes, strict=True):
            if reply.done():
                continue
            if isinstance(outcome, Exception):
                reply.set_exception(outcome)
            else:
                reply.set_result(outcome)

    def _take(self, waiting: _Waiting[Ask, Reply]) -> list[tuple[Ask, asyncio.Future[Reply]]]:
        """Take the asks of the next call; one whose asker has left is dropped."""
        taken: list[tuple[Ask, asyncio.Future[Reply]]] = []
        while waiting and len(taken) < self._most:
            ask, reply = waiting.popleft()
            if not reply.done():
                taken.append((ask, reply))
        return taken


class TogetherByKey(Generic[T, Ask, Reply]):
    """Asks of one key share their answers as in Together; those of other keys wait for nothing."""

    def __init__(
        self,
        answer: Callable[[Sequence[Ask]], Awaitable[Sequence[Reply | Exception]]],
        *,
        most: int,
    ) -> None:
        self._answer = answer
        self._most = most
        # Of each event loop and key, with the number of asks that are not answered yet.
        self._keys: dict[tuple[asyncio.AbstractEventLoop, T], tuple[Together[Ask, Reply], int]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    async def ask(self, key: T, ask: Ask) -> Reply:
        """Return the reply of a call that begins after this. Raises its error."""
        place = asyncio.get_running_loop(), key
        together, count = self._keys.get(place) or (Together(self._answer, most=self._most), 0)
        self._keys[place] = together, count + 1
        try:
            return await together.ask(ask)
        finally:
            _, count = self._keys[place]
            if count > 1:
                self._keys[place] = together, count - 1
            else:
                del self._keys[place]
