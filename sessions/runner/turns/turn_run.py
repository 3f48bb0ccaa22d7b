"""One prompt on its way through the agent: dispatched, answered or stopped, finished."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from sessions.agents.port import (
    Agent,
    AgentError,
    TextDelta,
    TurnDone,
    Update,
)
from sessions.control import prompts
from sessions.control.prompts import AcceptedPrompt
from sessions.core.conf import chat
from sessions.core.db import retry_while_down
from sessions.eventlog import drafts
from sessions.eventlog.events import Draft, StopReason
from sessions.eventlog.lease import Lease
from sessions.eventlog.writer import Writer
from sessions.runner.agent.asked import Asked
from sessions.runner.leasing import recovery
from sessions.runner.turns.handing_over import hand_over
from sessions.runner.turns.keeping import kept
from sessions.runner.turns.set_up import SetUpStopped, set_up
from sessions.runner.turns.stop import stop_turn
from sessions.runner.turns.stop_requests import StopRequests
from sessions.runner.turns.turn import OutputLimit, TurnBuilder
from sessions.text.rendering import Rendering

logger = logging.getLogger(__name__)

R = TypeVar("R")

# Threads that wait for the rendering process, and for nothing else.
RENDERING_THREADS: Final = ThreadPoolExecutor(8, thread_name_prefix="rendering")


# The sentence for an answer whose end could not be made.
FAILED: Final = "The server failed at the end of this answer; it has been logged."
# Reasons that stay true when the end of a turn is made from the log alone.
_KEPT_REASONS: Final = {
    StopReason.INTERRUPTED,
    StopReason.SERVER_RESTART,
    StopReason.AGENT_CRASHED,
    StopReason.ERROR,
}


class TurnRun:
    """The turn of one prompt, run once; is_own: it has none, the agent began it by itself."""

    def __init__(
        self,
        lease: Lease,
        prompt: AcceptedPrompt | None,
        agent: Agent,
        *,
        writer: Writer,
        requests: Asked,
        stops: StopRequests,
        give_up: Callable[[str], None],
        begun: Callable[[], None],
    ) -> None:
        self.turn_id = prompts.new_turn_id()
        self._lease = lease
        self._prompt = prompt
        self.is_own = prompt is None
        self._agent = agent
        self._writer = writer
        self._requests = requests
        self._stops = stops
        # Ends this turn and the agent after it, whose state is unknown.
        self._give_up = give_up
        # Called once the log has the begin: from then on updates are taken.
        self._begun = begun
        limit, rendering = chat.MAX_TURN_OUTPUT_BYTES, Rendering(session=lease.session_id)
        self._builder = TurnBuilder(self.turn_id, max_output_bytes=limit, rendering=rendering)
        self._done: asyncio.Future[TurnDone] = asyncio.get_running_loop().create_future()
        self._ids = (self.turn_id, *((prompt.client_msg_id,) if prompt else ()))
        self._is_dispatched = False
        # Whether the agent has the prompt: before that there is nothing to stop.
        self._is_handed_over = False
        self._stopping: asyncio.Task[bool] | None = None
        self._is_cut_by_server = False

    async def run(self) -> bool:
        """Run the turn to its end in the log; return whether the agent can take another prompt.

        Raises NotWaiting when the prompt was ended before.
        """
        try:
            await retry_while_down(self._begin)
            self._is_dispatched = True
            self._begun()
            done = await self._answer()
            await self._finish(done)
            is_usable = StopReason(done.stop_reason) is not StopReason.AGENT_CRASHED
            if self._stopping is not None:
                is_usable = await self._stopping and is_usable
            return is_usable
        finally:
            if self._stopping is not None:
                self._stopping.cancel()
                await asyncio.gather(self._stopping, return_exceptions=True)

    def _begin(self) -> None:
        model, effort = self._agent.model, self._agent.effort
        prompt = self._prompt and replace(self._prompt, model=model, effort=effort)
        if prompt is None:
            prompts.begin_own(self._lease, self.turn_id, model=model, effort=effort)
        else:
            prompts.dispatch(self._lease, prompt, self.turn_id)

    async def take(self, update: Update) -> None:
        """Take an update of the agent; one that comes too early or too late is dropped."""
        if isinstance(update, TurnDone):
            if update.is_own == self.is_own:  # else a prompt was handed over in the middle of it
                self.end(update)
            return
        if not self._is_dispatched or self._done.done():
            return
        try:
            update = await kept(self._lease.session_id, self._requests.outcome(update))
            made = await self._applied(update)
        except OutputLimit as exc:
            if self._stopping is None:
                self.stop()  # before it is told: that waits for room in the log's queue
                await self._tell("output_limit", str(exc))
            return
        await self._add(*made, *await self._requests.open(update))
        self._requests.consult_rules(update, mode=self._agent.mode)

    def end(self, done: TurnDone) -> None:
        """Let the turn end so, unless it has ended already."""
        if not self._done.done():
            self._done.set_result(done)

    def stop_if_meant(self) -> None:
        """Stop the turn if a person asked for it, now or before the agent had it."""
        if self._is_handed_over and self._stops.mean_one_of(self._ids):
            self.stop()

    def stop(self) -> None:
        """Carry a stop out beside the turn; a second one while it runs adds nothing."""
        if self._is_dispatched and self._stopping is None and not self._done.done():
            name = f"stop-{self._lease.session_id}"
            self._stopping = asyncio.create_task(self._stop(), name=name)

    async def stopped(self) -> None:
        """Wait until a stop has ended the turn; its end in the log may come later."""
        if self._stopping is not None:
            await asyncio.wait({self._stopping})

    async def answered(self) -> None:
        """Wait until the agent's part of the turn is over; its end in the log may come later."""
        await asyncio.wait({self._done})

    def stop_for_server(self) -> None:
        """Stop the turn because the server stops."""
        self._is_cut_by_server = self._is_cut_by_server or self._stopping is None
        self.stop()

    async def _applied(self, update: Update) -> list[Draft]:
        """Return the drafts of an update; where it ends a text, that is rendered aside."""
        if isinstance(update, TextDelta) or not self._builder.renders_long:
            return self._builder.apply(update)
        return await _aside(partial(self._builder.apply, update))

    async def _answer(self) -> TurnDone:
        """Hand the prompt over and wait for the end of its turn."""
        try:
            if self._prompt is not None:
                await set_up(self._lease.session_id, self.take, self._stops, self._ids)
                await hand_over(self._lease.session_id, self._prompt, self._agent)
        except SetUpStopped:
            return TurnDone("interrupted")
        except AgentError as exc:
            return TurnDone("error", str(exc))
        except Exception:
            logger.exception("a prompt was not handed over", extra=self._facts())
            self._give_up("The server could not hand the prompt to the agent.")
            return await self._done
        self._is_handed_over = True
        self.stop_if_meant()
        await in_time(self._done, self._requests)
        if not self._done.done():
            self.stop()
            await self._tell("turn_timeout", f"The turn took over {chat.TURN_TIMEOUT_S:g} s.")
        return await self._done

    async def _finish(self, done: TurnDone) -> None:
        reason, error = self._outcome(done)
        try:
            *closing, end = await _aside(partial(self._builder.close, reason, error))
        except Exception:
            logger.exception("a turn was not closed", extra=self._facts())
            if reason not in _KEPT_REASONS:
                reason, error = StopReason.ERROR, FAILED
            close = partial(recovery.close_turn, self._lease, reason, error)
            await self._writer.flush(self._lease.session_id)
            await retry_while_down(close)
            return
        # By the writer, whose commits take turns: a long answer's end keeps the database busy.
        await self._writer.append(self._lease.session_id, closing)
        await retry_while_down(partial(prompts.finish, self._lease, self.turn_id, end))

    def _outcome(self, done: TurnDone) -> tuple[StopReason, str | None]:
        """Return the reason and the sentence of the turn's end, as the log is to have them."""
        if self._is_cut_by_server:
            return StopReason.SERVER_RESTART, "The server was stopped during this turn."
        reason = StopReason(done.stop_reason)
        if self._stopping is not None and reason is not StopReason.END_TURN:
            return StopReason.INTERRUPTED, None
        return reason, done.error

    async def _stop(self) -> bool:
        """Return whether the agent can take another prompt; the turn ends in any case."""
        is_usable = False
        try:
            is_usable = await stop_turn(self._agent, self._done, self._tell_failed)
            if not is_usable:
                # The end of a killed agent is on its way; one without a process may never say it.
                await asyncio.wait({self._done}, timeout=chat.INTERRUPT_TIMEOUT_S)
        except Exception:
            logger.exception("a stop failed", extra=self._facts())
        finally:
            self.end(TurnDone("agent_crashed", "The agent did not end its turn."))
        return is_usable

    async def _tell(self, code: str, error: str) -> None:
        await self._add(drafts.error(code=code, error=error))

    async def _tell_failed(self, code: str, error: str, escalation: str) -> None:
        """Put a step of the ladder into the log's queue. Raises the refusal of the log."""
        facts = self._facts() | {"why": code, "next": escalation}
        logger.warning("interrupt failed", extra=facts)
        # Queued, not waited for: the agent is ended while the database is down, too.
        await self._add(drafts.interrupt_failed(code=code, error=error, escalation=escalation))

    async def _add(self, *added: Draft) -> None:
        await self._writer.add(self._lease.session_id, list(added))

    def _facts(self) -> dict[str, object]:
        return {
            "session": str(self._lease.session_id),
            "epoch": self._lease.epoch,
            "turn": self.turn_id,
        }


async def in_time(done: asyncio.Future[TurnDone], requests: Asked) -> None:
    """Wait for the end within TURN_TIMEOUT_S, once more where a person is asked then."""
    is_waiting = True
    while is_waiting and not done.done():
        await asyncio.wait({done}, timeout=chat.TURN_TIMEOUT_S)
        is_waiting = requests.is_any_open


async def _aside(call: Callable[[], R]) -> R:
    return await asyncio.get_running_loop().run_in_executor(RENDERING_THREADS, call)
