"""Group commit: the waiting drafts of many sessions go to the log in one transaction.

The writer takes the waiting drafts, commits them, and repeats. Idle, it adds no latency. Busy, the
batch grows by itself. Drafts that no task waits for gather for some milliseconds more. Pieces of
one block or output that arrive within DELTA_ROLLUP_MS become one event, the first of a block
excepted. Without that one fast answer passes MAX_REPLAY_GAP in a second.

A draft that the log cannot take costs itself alone: it is checked before it is queued, and a batch
that the database refuses is appended draft by draft. An error event stands for a refused draft.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field, replace
from uuid import UUID

from sessions.core import storage
from sessions.core.conf import chat
from sessions.core.db import AWAY, in_thread, retry_delays
from sessions.core.errors import InvalidRequest
from sessions.eventlog import store
from sessions.eventlog.drafts import error
from sessions.eventlog.events import PIECES, Draft, EventType, LoggedEvent
from sessions.eventlog.lease import Lease
from sessions.eventlog.store import Batch

logger = logging.getLogger(__name__)

# A waiting delta grows to this and no further: a client renders in bounded steps.
MAX_DELTA_CHARS = 16_384
# The waiting text and drafts of one session; beyond, its turn and so its agent is held back.
MAX_WAITING_CHARS = 262_144
MAX_WAITING_DRAFTS = 512
# Per session and commit: no session's backlog makes another's commit long. One draft may be longer.
MAX_BATCH_DRAFTS = 256
MAX_BATCH_CHARS = 1_000_000
# From the beginning of one commit to that of the next, while no task waits for a draft. Less than
# anybody sees, and with twenty turns at once it halves the costs of the log: each commit then
# carries several of them.
COMMIT_INTERVAL_S = 0.005

Outcome = list[LoggedEvent] | Exception


@dataclass(slots=True)
class _Waiting:
    """The waiting drafts of one session, and the tasks that wait for them."""

    lease: Lease
    # The session's head as far as this writer knows it.
    head: int
    drafts: deque[Draft] = field(default_factory=deque)
    chars: int = 0
    due_at: float = 0.0
    added: int = 0
    written: int = 0
    # (position, future): resolved once that many drafts are written.
    waiters: deque[tuple[int, asyncio.Future[None]]] = field(default_factory=deque)
    room: asyncio.Event = field(default_factory=asyncio.Event)
    # The block or output whose first piece has been taken: later ones may wait for one another.
    flow: tuple[str, str] | None = None
    failure: Exception | None = None

    def answer(self) -> None:
        """Let the tasks go on whose drafts are written; all of them after a failure."""
        while self.waiters and (self.failure is not None or self.waiters[0][0] <= self.written):
            _, done = self.waiters.popleft()
            if done.done():
                continue
            if self.failure is not None:
                done.set_exception(self.failure)
            else:
                done.set_result(None)


class Writer:
    """The group commit of one process. Used on one event loop."""

    def __init__(self) -> None:
        self._sessions: dict[UUID, _Waiting] = {}
        self._work = asyncio.Event()
        # Set while a task waits for a commit: it ends the pause before the next one.
        self._hurry = asyncio.Event()

    def open(self, lease: Lease, *, head: int) -> None:
        """Begin to write for the session that lease holds; head: its highest seq, or lower."""
        self._sessions[lease.session_id] = _Waiting(lease, head)

    async def close(self, session_id: UUID) -> None:
        """Write the waiting drafts, then forget the session. Unwritable drafts are logged."""
        try:
            await self.flush(session_id)
        except Exception as exc:  # noqa: BLE001 (any refusal)
            # The caller cannot help it; the log is whole, and recovery closes the open turn.
            logger.warning(
                "drafts were refused at the end",
                extra={"session": str(session_id), "why": str(exc)},
            )
        self._sessions.pop(session_id, None)

    async def add(self, session_id: UUID, drafts: list[Draft]) -> None:
        """Queue drafts; wait only for room. Raises LeaseLost, UnknownSession of earlier ones."""
        waiting = self._sessions[session_id]
        while waiting.failure is None and self._is_full(waiting):
            waiting.room.clear()
            await waiting.room.wait()
        if waiting.failure is not None:
            raise waiting.failure
        for draft in drafts:
            for sound in _sound(draft, session_id):
                self._queue(waiting, sound)
        self._work.set()

    async def append(self, session_id: UUID, drafts: list[Draft]) -> None:
        """Queue drafts and wait until they are in the log. Raises the cause of a refusal."""
        await self.add(session_id, drafts)
        await self.flush(session_id)

    async def flush(self, session_id: UUID) -> None:
        """Wait until everything queued so far is in the log. Raises the cause of a refusal."""
        waiting = self._sessions[session_id]
        if waiting.failure is not None:
            raise waiting.failure
        if waiting.written >= waiting.added:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.waiters.append((waiting.added, done))
        waiting.due_at = 0.0
        self._work.set()
        self._hurry.set()
        await done

    async def run(self) -> None:
        """Write until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._work.wait()
            batches = self._take_due()
            if batches:
                next_at = loop.time() + COMMIT_INTERVAL_S
                await self._commit(batches)
                await self._pause(next_at)
            else:
                await self._sleep_until_due()

    async def _pause(self, until: float) -> None:
        """Let drafts gather until a time of the loop, or until a task waits for one of them.

        The tasks that the last commit has answered run first: their next drafts share a commit.
        """
        self._hurry.clear()
        await asyncio.sleep(0)
        if any(waiting.waiters for waiting in self._sessions.values()):
            return
        try:
            async with asyncio.timeout_at(until):
                await self._hurry.wait()
        except TimeoutError:
            return

    def _is_full(self, waiting: _Waiting) -> bool:
        return waiting.chars > MAX_WAITING_CHARS or len(waiting.drafts) > MAX_WAITING_DRAFTS

    def _queue(self, waiting: _Waiting, draft: Draft) -> None:
        flow = _flow(draft)
        is_delta = flow is not None
        if is_delta:
            waiting.chars += len(draft.payload["delta"])
            if waiting.drafts and _joins(waiting.drafts[-1], draft):
                waiting.drafts.append(_joined(waiting.drafts.pop(), draft))
                return
        waiting.drafts.append(draft)
        waiting.added += 1
        may_wait = is_delta and flow == waiting.flow
        if not may_wait:
            waiting.due_at = 0.0
        elif len(waiting.drafts) == 1:
            now = asyncio.get_running_loop().time()
            waiting.due_at = now + chat.DELTA_ROLLUP_MS / 1000
        waiting.flow = flow or waiting.flow

    def _take_due(self) -> dict[UUID, Batch]:
        now = asyncio.get_running_loop().time()
        batches = {}
        for session_id, waiting in self._sessions.items():
            if waiting.drafts and waiting.due_at <= now:
                batches[session_id] = Batch(_take_batch(waiting.drafts), waiting.lease)
        return batches

    async def _sleep_until_due(self) -> None:
        due = [waiting.due_at for waiting in self._sessions.values() if waiting.drafts]
        self._work.clear()
        if not due:
            return
        delay = min(due) - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(max(delay, 0)):
                await self._work.wait()
        except TimeoutError:
            self._work.set()

    async def _commit(self, batches: dict[UUID, Batch]) -> None:
        outcomes = await self._append_all(batches)
        for session_id, outcome in outcomes.items():
            waiting = self._sessions.get(session_id)
            if waiting is not None:
                self._settle(waiting, len(batches[session_id].drafts), outcome)

    async def _append_all(self, batches: dict[UUID, Batch]) -> dict[UUID, Outcome]:
        """Append the batches together; where that fails permanently, each by itself."""
        try:
            return dict(await self._append_when_up(batches))
        except Exception as exc:  # noqa: BLE001 (told with the draft that is the cause)
            logger.warning("a commit was refused", extra={"why": str(exc)})
        if len(batches) == 1:
            [(session_id, batch)] = batches.items()
            return {session_id: await self._append_singly(session_id, batch)}
        outcomes: dict[UUID, Outcome] = {}
        for session_id, batch in batches.items():
            outcomes |= await self._append_all({session_id: batch})
        return outcomes

    async def _append_singly(self, session_id: UUID, batch: Batch) -> Outcome:
        """Append draft by draft, and a replacement for each refused draft."""
        appended: list[LoggedEvent] = []
        for draft in batch.drafts:
            outcome = await self._append_one(session_id, draft, batch.lease)
            if isinstance(outcome, Exception):
                return outcome
            appended += outcome
            waiting = self._sessions.get(session_id)
            if waiting is not None and outcome:
                # A try whose answer is lost is looked for after the events before it.
                waiting.head = outcome[-1].seq
        return appended

    async def _append_one(self, session_id: UUID, draft: Draft, lease: Lease | None) -> Outcome:
        """Return the head of the log; the exception where it does not even take an error."""
        failure: Exception = InvalidRequest()
        for drafts in ([draft], _instead_of(draft)):
            try:
                return (await self._append_when_up({session_id: Batch(drafts, lease)}))[session_id]
            except Exception as exc:  # noqa: BLE001 (told with its draft)
                _tell_refused(draft, session_id, exc)
                failure = exc
        return failure

    async def _append_when_up(self, batches: dict[UUID, Batch]) -> dict[UUID, Outcome]:
        """Append in one transaction; retry while the database is down. The lease fences us off."""
        for delay in retry_delays():
            try:
                return dict(await in_thread(store.append_many, batches))
            except AWAY as exc:
                storage.refusal(exc)
                logger.warning("the database is down: trying again", extra={"why": str(exc)})
            await asyncio.sleep(delay)
            batches = {sid: self._retried(sid, batch) for sid, batch in batches.items()}
        raise AssertionError("the delays never end")

    def _retried(self, session_id: UUID, batch: Batch) -> Batch:
        """Return the batch as one that may have been appended: its answer may have been lost."""
        waiting = self._sessions.get(session_id)
        return replace(batch, tried_after=waiting.head if waiting else 0)

    def _settle(self, waiting: _Waiting, count: int, outcome: Outcome) -> None:
        if isinstance(outcome, Exception):
            waiting.failure = outcome
            waiting.drafts.clear()
        else:
            waiting.written += count
            waiting.head = outcome[-1].seq if outcome else waiting.head
            waiting.chars = sum(len(d.payload.get("delta", "")) for d in waiting.drafts)
        waiting.room.set()
        waiting.answer()


def _take_batch(drafts: deque[Draft]) -> list[Draft]:
    """Remove the drafts of the next commit, at least one."""
    taken = [drafts.popleft()]
    chars = _chars(taken[0])
    while drafts and len(taken) < MAX_BATCH_DRAFTS and chars < MAX_BATCH_CHARS:
        taken.append(drafts.popleft())
        chars += _chars(taken[-1])
    return taken


def _sound(draft: Draft, session_id: UUID) -> list[Draft]:
    """Return the draft when the log can take it, else its replacement."""
    try:
        return [draft.checked()]
    except InvalidRequest as exc:
        _tell_refused(draft, session_id, exc)
        return _instead_of(draft)


def _instead_of(draft: Draft) -> list[Draft]:
    """Return the replacement of a refused draft for a person; none for a lost count."""
    if draft.type == EventType.USAGE:
        return []
    sentence = f"Something of this answer could not be stored and is left out ({draft.type})."
    return [error(code="not_stored", error=sentence)]


def _tell_refused(draft: Draft, session_id: UUID, exc: Exception) -> None:
    facts = {"session": str(session_id), "type": draft.type, "why": str(exc)[:500]}
    logger.warning("a draft was refused", extra=facts)


def _chars(draft: Draft) -> int:
    return sum(len(value) for value in draft.payload.values() if isinstance(value, str))


def _flow(draft: Draft) -> tuple[str, str] | None:
    """Return the block or the output that a draft is a piece of; None for another draft."""
    if draft.type not in PIECES:
        return None
    payload = draft.payload
    return draft.type, payload["blockId"] if "blockId" in payload else payload["toolId"]


def _joins(last: Draft, draft: Draft) -> bool:
    """Return whether a piece continues the waiting one."""
    flow = _flow(draft)
    return flow == _flow(last) and len(last.payload["delta"]) < MAX_DELTA_CHARS


def _joined(last: Draft, draft: Draft) -> Draft:
    """Return two pieces of one block or output as one."""
    joined = last.payload["delta"] + draft.payload["delta"]
    return replace(last, payload={**last.payload, "delta": joined})
