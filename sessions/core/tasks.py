"""Tasks with an owner: held while they run, their errors logged; and asks that share an answer."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

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
        self._waiting: deque[tuple[Ask, asyncio.Future[Reply]]] = deque()
        self._working: asyncio.Task[None] | None = None

    async def ask(self, ask: Ask) -> Reply:
        """Return the reply. Raises its error."""
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((ask, reply))
        if not self._is_working():
            # Of all who ask: the context of the first one is not theirs.
            self._working = asyncio.create_task(self._work(), context=contextvars.Context())
        return await reply

    def _is_working(self) -> bool:
        working = self._working
        return (
            working is not None
            and not working.done()
            and working.get_loop() is asyncio.get_running_loop()
        )

    async def _work(self) -> None:
        while taken := self._take():
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

    def _take(self) -> list[tuple[Ask, asyncio.Future[Reply]]]:
        """Take the asks of the next call; one whose asker has left is dropped."""
        taken: list[tuple[Ask, asyncio.Future[Reply]]] = []
        while self._waiting and len(taken) < self._most:
            ask, reply = self._waiting.popleft()
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
        # With the number of asks that are not answered yet.
        self._keys: dict[T, tuple[Together[Ask, Reply], int]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    async def ask(self, key: T, ask: Ask) -> Reply:
        """Return the reply of a call that begins after this. Raises its error."""
        together, count = self._keys.get(key) or (Together(self._answer, most=self._most), 0)
        self._keys[key] = together, count + 1
        try:
            return await together.ask(ask)
        finally:
            _, count = self._keys[key]
            if count > 1:
                self._keys[key] = together, count - 1
            else:
                del self._keys[key]
