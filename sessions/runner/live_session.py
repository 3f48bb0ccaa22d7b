"""One live session: its lease, its prompts one after the other, its idle time.

The session's own log is the channel to it: prompts, interrupts, answers and mode changes are
events that it finds there, so that any process may take them in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from functools import partial
from typing import Final

from django.utils import timezone

from sessions.agents.port import Agent, AgentExited, TurnBegan, TurnDone, Update
from sessions.control import lifecycle, prompts
from sessions.control.prompts import AcceptedPrompt
from sessions.core.conf import chat
from sessions.core.db import in_thread, retry_while_down
from sessions.core.errors import LeaseLost, NotWaiting
from sessions.eventlog import store
from sessions.eventlog.events import EventType, LoggedEvent
from sessions.eventlog.lease import Lease
from sessions.eventlog.wake import HeadWatch
from sessions.eventlog.writer import Writer
from sessions.models import Session
from sessions.runner import idle
from sessions.runner.agent.agent_link import AgentLink
from sessions.runner.inbox import listen
from sessions.runner.leasing import leases, recovery
from sessions.runner.turns.checkpoints import Checkpoints
from sessions.runner.turns.own import OwnTurns
from sessions.runner.turns.readiness import NotReady, Readiness, refuse
from sessions.runner.turns.stop_requests import StopRequests
from sessions.runner.turns.turn_run import TurnRun

logger = logging.getLogger(__name__)

# A missed wake costs no more than this; it is the safety net of an idle session.
IDLE_CHECK_S: Final = 30.0


class LiveSession:
    """The owner of one session's agent while it holds the lease. cause: of a turn left open."""

    def __init__(
        self, lease: Lease, *, watch: HeadWatch, writer: Writer, cause: str = recovery.RESTARTED
    ) -> None:
        self.lease = lease
        self.session_id = lease.session_id
        self._watch = watch
        self._writer = writer
        self._cause = cause
        self._agent = AgentLink(lease, writer, self)
        self._stops = StopRequests()
        kept = Checkpoints(lease.session_id, writer)
        self._readiness = Readiness(self._agent, self._stops, kept)
        self._turn: TurnRun | None = None
        self._serving: asyncio.Task[None] | None = None
        self._something = asyncio.Event()
        self._own = OwnTurns(lease.session_id, self._something, self._agent.requests)
        self._is_abandoned = False
        self._end_reason: str | None = None
        # The reason for which the session is to end after its running turn.
        self.leaving: str | None = None
        # The time since which nothing is to do, inf with work in the background; None while busy.
        self.idle_since: float | None = None

    # --- Its life -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve the session until it has nothing to do or its lease is lost."""
        head = await retry_while_down(partial(store.get_head_seq, self.session_id))
        self._writer.open(self.lease, head=head)
        obeying = listen(self.session_id, self._watch, self._obey)
        listening = asyncio.create_task(obeying, name=f"listen-{self.session_id}")
        serving = asyncio.create_task(self._recover_and_serve(), name=f"{self.session_id}")
        self._serving = serving
        try:
            await asyncio.wait({serving, listening}, return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                await listening  # deaf, it could not even be stopped: recovery takes over
            await serving
        except LeaseLost:
            logger.warning("lease lost", extra=self._facts())
        except asyncio.CancelledError:
            if not self._is_abandoned:
                raise
        finally:
            serving.cancel()
            listening.cancel()
            await asyncio.gather(serving, listening, return_exceptions=True)
            await self._agent.close(grace_s=0)
            await self._writer.close(self.session_id)
            await in_thread(leases.release, self.lease)

    def abandon(self) -> None:
        """Leave the session at once: another runner holds it, or soon may. Once is enough."""
        if self._serving is not None and not self._is_abandoned:
            self._is_abandoned = True
            logger.warning("lease lost", extra=self._facts())
            self._serving.cancel()

    def leave(self, reason: str) -> None:
        """Let the session end after its running turn; no further prompt is begun."""
        self.leaving = reason
        self._something.set()

    def interrupt_for_leaving(self) -> None:
        """End the running turn because the server stops."""
        if self._turn is not None:
            self._turn.stop_for_server()

    async def stop_now(self, *, turn_id: str | None, end_agent: bool) -> bool:
        """End the turn, and the agent, without the log; return whether there was a turn."""
        turn = self._turn
        is_meant = turn is not None and turn_id in (None, turn.turn_id)
        if turn is not None and is_meant:
            turn.stop()
            await turn.stopped()
        if end_agent:
            self._end_reason = "stopped"
            await self._agent.close(grace_s=chat.STOP_GRACE_S)
            self._something.set()
        return is_meant

    async def close_now(self) -> None:
        """Let the agent end after its turn, whether the log takes the end of the turn or not."""
        self.leave("closed")
        if self._turn is not None:
            await self._turn.answered()
            await self._agent.close(grace_s=chat.STOP_GRACE_S)

    async def _recover_and_serve(self) -> None:
        await recovery.take_over(self.lease, cause=self._cause)
        reopen = partial(recovery.reopen, self.lease)
        while await retry_while_down(reopen) and self.leaving is None:
            await self._serve_until_ended()

    async def _serve_until_ended(self) -> None:
        next_prompt = partial(prompts.next_accepted, self.session_id)
        self._end_reason = None
        while self._end_reason is None:
            self._something.clear()
            await self._stops.refuse_waiting(self.lease)
            if self.leaving is not None:
                self._end_reason = self.leaving
            elif self._agent.is_dead:
                self._end_reason = "agent_exited"
            elif self._own.is_one_due and self._agent.agent is not None:
                self.idle_since = None
                agent = self._agent.agent
                await self._own.run(agent, partial(self._run_turn, None, agent))
            elif (prompt := await retry_while_down(next_prompt)) is not None:
                with contextlib.suppress(NotWaiting):  # a stop was faster
                    await self._run_prompt(prompt)
            else:
                await self._idle()
        await self._stops.refuse_waiting(self.lease)
        await self._agent.close(grace_s=chat.STOP_GRACE_S)
        end = partial(lifecycle.force_ended, self.session_id, self._end_reason, lease=self.lease)
        await retry_while_down(end)

    async def _idle(self) -> None:
        """Wait until something is asked, or the session's time without a watcher is over."""
        session = await retry_while_down(partial(Session.objects.get, pk=self.session_id))
        since, works = self.idle_since, self._agent.is_working
        reason, wait_s = idle.left(session, now=timezone.now(), is_working=works)
        self._end_reason = self._end_reason or reason  # a stop may have come meanwhile
        if self._end_reason is None and not self._own.is_one_due:
            self.idle_since = idle.since(since, now=time.monotonic(), is_working=works)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, IDLE_CHECK_S)):
                    await self._something.wait()

    async def _run_prompt(self, prompt: AcceptedPrompt) -> None:
        self.idle_since = None
        try:
            prompt, agent = await self._readiness.of(prompt)
        except NotReady as exc:
            self._end_reason = await refuse(self.lease, prompt, exc)
            return
        await self._run_turn(prompt, agent)

    async def _run_turn(self, prompt: AcceptedPrompt | None, agent: Agent) -> None:
        self._turn = TurnRun(
            self.lease,
            prompt,
            agent,
            writer=self._writer,
            requests=self._agent.requests,
            stops=self._stops,
            give_up=self.failed,
            begun=self._own.release,
        )
        try:
            if not await self._turn.run():
                # Its exit may still be on the way: the next prompt must not be handed to it.
                self._end_reason = self._end_reason or "agent_exited"
        finally:
            self._turn = None
            self._own.release()
            self._agent.requests.forget_all()

    # --- Requests through the log ---------------------------------------------------------------

    def _obey(self, event: LoggedEvent) -> None:
        payload = event.payload
        if event.type == EventType.INTERRUPT_REQUESTED:
            # The loop refuses the waiting prompts, between turns.
            self._end_reason = "stopped" if payload["stop"] else self._end_reason
            self._stops.add(event)
            if self._turn is not None:
                self._turn.stop_if_meant()
        else:
            self._agent.obey(event)
        self._something.set()

    # --- Updates from the agent's link ----------------------------------------------------------

    async def take(self, update: Update) -> None:
        """Take an update of the turn, or the end of the agent."""
        if isinstance(update, AgentExited):
            self._end_turn(TurnDone("agent_crashed", update.error))
        elif isinstance(update, TurnBegan):
            if self._turn is None:
                await self._own.held()
        elif self._turn is not None:
            await self._turn.take(update)

    def failed(self, why: str) -> None:
        """End the turn, and the agent after it: its state is unknown now."""
        self._end_reason = self._end_reason or "agent_failed"
        self._end_turn(TurnDone("error", why))

    def _end_turn(self, done: TurnDone) -> None:
        if self._turn is not None:
            self._turn.end(done)
        self._something.set()

    def _facts(self, **more: object) -> dict[str, object]:
        return {"session": str(self.session_id), "epoch": self.lease.epoch, **more}
