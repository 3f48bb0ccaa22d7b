"""One live session: its agent, its turns one after the other, and what people ask meanwhile.

The session's own log is the channel to it: prompts, interrupts, answers and mode changes are
events that it finds there, so that it does not matter which process took them in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from sessions.agents import registry
from sessions.agents.port import (
    Agent,
    AgentError,
    AgentExited,
    ModeChanged,
    PermissionAsked,
    Started,
    TextDelta,
    TitleChanged,
    TurnDone,
    Update,
)
from sessions.control import lifecycle, prompts
from sessions.control.permissions import expire_permission
from sessions.control.prompts import Prompt
from sessions.core.conf import chat
from sessions.core.db import in_thread, retry_while_down
from sessions.core.errors import ChatError, LeaseLost, NotWaiting
from sessions.core.states import SessionState
from sessions.eventlog import drafts, store
from sessions.eventlog.events import (
    BY_AGENT,
    Draft,
    EventType,
    LoggedEvent,
    StopReason,
)
from sessions.eventlog.shapes import Mode
from sessions.eventlog.store import Lease
from sessions.eventlog.wake import HeadWatch
from sessions.eventlog.writer import Writer
from sessions.models import Session
from sessions.runner import idle, leases, recovery
from sessions.runner.inbox import requests
from sessions.runner.modes import ChosenMode
from sessions.runner.permissions import OpenRequests
from sessions.runner.stop import stop_turn
from sessions.runner.turn import OutputLimit, TurnBuilder
from sessions.workspace import folders

logger = logging.getLogger(__name__)

R = TypeVar("R")

# A missed wake costs no more than this; it is the safety net of an idle session.
IDLE_CHECK_S = 30.0
# What the prompt survives: another runner, or this one, takes the session up again.
RECOVERABLE = (LeaseLost, NotWaiting, OperationalError, InterfaceError)
# Markdown of this length may take tens of milliseconds, which other sessions would wait for.
RENDER_ASIDE_CHARS = 4_000


class LiveSession:
    """The owner of one session's agent while it holds the lease."""

    def __init__(self, lease: Lease, *, watch: HeadWatch, writer: Writer) -> None:
        self.lease = lease
        self.session_id = lease.session_id
        self._watch = watch
        self._writer = writer
        self._agent: Agent | None = None
        self._pump: asyncio.Task[None] | None = None
        self._exited: AgentExited | None = None
        self._turn: TurnBuilder | None = None
        self._turn_done: asyncio.Future[TurnDone] | None = None
        self._stopping: asyncio.Task[bool] | None = None
        self._requests = OpenRequests(self._request_expired)
        self._helpers: set[asyncio.Task[None]] = set()
        self._something = asyncio.Event()
        # Ids of turns and prompts that a person stopped, perhaps before an agent had them.
        self._unwanted: set[str] = set()
        # The ids of the turn that the agent has.
        self._running: frozenset[str] = frozenset()
        self._unwanted_grew = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self._is_abandoned = False
        # Whether the agent is past its start; before that nobody can ask it for another mode.
        self._is_started = False
        self._mode = ChosenMode(lease.session_id, writer)
        # A stop means every prompt before this seq; they are refused between turns.
        self._stopped_at = 0
        self._end_reason: str | None = None
        self._leaving: str | None = None
        # The loop's time since which nothing is to do; None while something is.
        self.idle_since: float | None = None

    # --- The life of it -------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve the session until it has nothing to do or its lease is lost."""
        head = await in_thread(store.get_head_seq, self.session_id)
        self._writer.open(self.lease, head=head)
        listening = asyncio.create_task(self._listen(), name=f"listen-{self.session_id}")
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
            await self._close_agent(grace_s=0)
            await self._writer.close(self.session_id)
            await in_thread(leases.release, self.lease)

    def abandon(self) -> None:
        """Give the session up at once: another runner holds it, or soon may. Once is enough."""
        if self._serving is not None and not self._is_abandoned:
            self._is_abandoned = True
            logger.warning("lease lost", extra=self._facts())
            self._serving.cancel()

    def leave(self, reason: str) -> None:
        """Let the session end after its running turn; no further prompt is begun."""
        self._leaving = reason
        self._something.set()

    def interrupt_for_leaving(self) -> None:
        """End the running turn because the server stops."""
        self._begin_stop()

    async def _recover_and_serve(self) -> None:
        await recovery.take_over(self.lease)
        await self._serve()

    async def _serve(self) -> None:
        while await in_thread(recovery.reopen, self.lease) and self._leaving is None:
            await self._serve_until_ended()

    async def _serve_until_ended(self) -> None:
        self._end_reason = None
        while self._end_reason is None:
            self._something.clear()
            await self._refuse_stopped()
            if self._leaving is not None:
                self._end_reason = self._leaving
            elif self._is_agent_dead():
                self._end_reason = "agent_exited"
            elif (prompt := await in_thread(prompts.next_accepted, self.session_id)) is not None:
                with contextlib.suppress(NotWaiting):  # a stop was faster
                    await self._run_prompt(prompt)
            else:
                await self._idle()
        await self._refuse_stopped()
        await self._close_agent(grace_s=chat.STOP_GRACE_S)
        await in_thread(lifecycle.force_ended, self.session_id, self._end_reason, lease=self.lease)

    async def _refuse_stopped(self) -> None:
        before = self._stopped_at
        refuse = partial(prompts.refuse_waiting, self.lease, before=before)
        if before and await self._until_up(refuse):
            # A later stop may have come meanwhile.
            self._stopped_at = 0 if self._stopped_at == before else self._stopped_at

    async def _idle(self) -> None:
        """Wait until something is asked, or the session's time without a watcher is over."""
        session = await in_thread(Session.objects.get, pk=self.session_id)
        reason, wait_s = idle.left(session, now=timezone.now())
        self._end_reason = self._end_reason or reason  # a stop may have come meanwhile
        if self._end_reason is None:
            self.idle_since = self.idle_since or asyncio.get_running_loop().time()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, IDLE_CHECK_S)):
                    await self._something.wait()

    # --- The agent ------------------------------------------------------------------------------

    async def _ready_agent(self) -> Agent:
        """Return the running agent, started where it is not. Raises AgentError."""
        if self._agent is not None:
            return self._agent
        await self._move(SessionState.STARTING, "prompt")
        session = await in_thread(Session.objects.get, pk=self.session_id)
        try:
            folder = await in_thread(folders.prepare, self.session_id, session.cwd)
            agent = registry.create(session.agent)
            env = registry.environment(session.agent, session_id=str(self.session_id))
        except ChatError as exc:
            raise AgentError(str(exc)) from exc
        self._agent, self._exited, self._is_started = agent, None, False
        async with asyncio.timeout(chat.START_TIMEOUT_S):
            started = await agent.start(
                cwd=folder,
                env=env,
                resume=session.agent_session_id or None,
                mode=session.mode or None,
                cost_usd=session.live.get("agentCostUsd", 0.0),
            )
        self._is_started = True
        self._pump = asyncio.create_task(self._read_agent(agent), name=f"agent-{self.session_id}")
        await self._record_start(started)
        await self._mode.settle(agent, session.mode, started)
        return agent

    async def _record_start(self, started: Started) -> None:
        modes: list[Mode] = [{"id": mode.id, "label": mode.label} for mode in started.modes]
        started_draft = drafts.agent_started(modes=modes, resumed=started.resumed)
        await self._writer.append(self.session_id, [started_draft])
        await in_thread(
            Session.objects.filter(pk=self.session_id).update,
            agent_session_id=started.agent_session_id or "",
        )
        await in_thread(lifecycle.agent_is_up, self.session_id, lease=self.lease)

    async def _close_agent(self, *, grace_s: float) -> None:
        agent, self._agent = self._agent, None
        if agent is not None:
            try:
                await agent.close(grace_s=grace_s)
            except asyncio.CancelledError:
                await agent.close(grace_s=0)  # given up: now there is no time for a good end
                raise
        for task in (self._pump, self._stopping, *self._helpers):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        self._pump = self._stopping = None
        self._exited = None
        self._requests.forget_all()

    async def _read_agent(self, agent: Agent) -> None:
        """Take every update as it comes, in a turn or not: the agent's pipe never fills up.

        Nothing that fails here may leave the turn without an end (I7).
        """
        try:
            async for update in agent.events():
                await self._take_or_fail(update)
        except Exception:
            logger.exception("an agent's updates broke off", extra=self._facts())
            self._give_agent_up("What the agent sends cannot be read any more.")

    async def _take_or_fail(self, update: Update) -> None:
        try:
            await self._take(update)
        except LeaseLost as exc:
            logger.warning("an update came after the lease", extra=self._facts())
            self._end_turn(TurnDone("error", str(exc)))
        except Exception:
            kind = type(update).__name__
            logger.exception("an update was not taken", extra=self._facts(update=kind))
            self._give_agent_up("The server could not take what the agent sent.")

    def _give_agent_up(self, why: str) -> None:
        """End the turn, and the agent after it: nobody knows what it is doing now."""
        self._end_reason = self._end_reason or "agent_failed"
        self._end_turn(TurnDone("error", why))
        self._something.set()

    async def _take(self, update: Update) -> None:
        match update:
            case TurnDone():
                self._end_turn(update)
            case AgentExited():
                self._exited = update
                self._end_turn(TurnDone("agent_crashed", update.error))
                self._something.set()
            case ModeChanged(mode=mode):
                if self._agent is None or mode != self._agent.mode:
                    return  # a later change has overtaken it, and is told by whoever made it
                await self._add(drafts.mode_changed(mode=mode, by=BY_AGENT))
            case TitleChanged(title=title):
                await self._add(drafts.title_changed(title=title))
            case _ if self._turn is not None:
                await self._take_in_turn(self._turn, update)

    async def _take_in_turn(self, turn: TurnBuilder, update: Update) -> None:
        if self._turn_done is None or self._turn_done.done():
            return  # too late: the turn is being closed
        try:
            made = await self._applied(turn, update)
        except OutputLimit as exc:
            if self._stopping is None:
                self._begin_stop()  # before it is told: that waits for room in the log's queue
                await self._tell("output_limit", str(exc))
            return
        if isinstance(update, PermissionAsked):
            made.append(self._requests.open(update))
        await self._add(*made)

    async def _applied(self, turn: TurnBuilder, update: Update) -> list[Draft]:
        """Return the drafts of an update; where it ends a long text, that is rendered aside."""
        is_delta = isinstance(update, TextDelta)
        if not is_delta and turn.open_text_chars > RENDER_ASIDE_CHARS:
            return await asyncio.to_thread(turn.apply, update)
        return turn.apply(update)

    async def _add(self, *added: Draft) -> None:
        await self._writer.add(self.session_id, list(added))

    def _end_turn(self, done: TurnDone) -> None:
        if self._turn_done is not None and not self._turn_done.done():
            self._turn_done.set_result(done)

    def _is_agent_dead(self) -> bool:
        process = self._agent.process if self._agent is not None else None
        return self._exited is not None or (process is not None and not process.is_running)

    # --- A turn ---------------------------------------------------------------------------------

    async def _run_prompt(self, prompt: Prompt) -> None:
        self.idle_since = None
        turn_id = prompts.new_turn_id()
        try:
            agent = await self._unless_unwanted(prompt, self._ready_agent())
        except (AgentError, TimeoutError) as exc:
            await self._refuse(
                prompt, turn_id, StopReason.ERROR, str(exc) or "The agent took too long."
            )
            return
        except RECOVERABLE:
            raise
        except Exception:
            # Left waiting, the prompt would be claimed and fail like this for good.
            logger.exception("an agent was not made ready", extra=self._facts())
            sentence = "The server failed at starting the agent."
            await self._refuse(prompt, turn_id, StopReason.ERROR, sentence)
            return
        if agent is None:
            await self._refuse(prompt, turn_id, StopReason.INTERRUPTED, None)
            return
        turn = TurnBuilder(turn_id, max_output_bytes=chat.MAX_TURN_OUTPUT_BYTES)
        done: asyncio.Future[TurnDone] = asyncio.get_running_loop().create_future()
        try:
            await in_thread(prompts.dispatch, self.lease, prompt, turn_id)
            self._turn, self._turn_done = turn, done
            outcome = await self._answer_to(agent, prompt, turn_id, done)
            await self._finish_turn(turn, outcome)
        finally:
            self._turn = self._turn_done = None
            self._running = frozenset()
            self._requests.forget_all()

    async def _unless_unwanted(
        self, prompt: Prompt, start: Coroutine[Any, Any, Agent]
    ) -> Agent | None:
        """Return the started agent, or None when a person stopped the prompt before that."""
        starting = asyncio.create_task(start, name=f"start-{self.session_id}")
        try:
            while not self._is_unwanted(prompt):
                self._unwanted_grew.clear()
                grew = asyncio.create_task(self._unwanted_grew.wait())
                try:
                    await asyncio.wait({starting, grew}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    grew.cancel()
                if starting.done():
                    return starting.result()
            return None
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)

    def _is_unwanted(self, prompt: Prompt) -> bool:
        """Return whether a person stopped a prompt, by its id or with all that waits."""
        return prompt.client_msg_id in self._unwanted or prompt.seq < self._stopped_at

    async def _refuse(
        self, prompt: Prompt, turn_id: str, stop_reason: StopReason, error: str | None
    ) -> None:
        """End a prompt whose agent did not come up, and the session with it."""
        logger.warning("no agent for a prompt", extra=self._facts(why=stop_reason))
        self._end_reason = "start_failed" if error else "stopped"
        await in_thread(
            prompts.refuse, self.lease, prompt, turn_id, stop_reason=stop_reason, error=error
        )

    async def _answer_to(
        self, agent: Agent, prompt: Prompt, turn_id: str, done: asyncio.Future[TurnDone]
    ) -> TurnDone:
        try:
            await agent.send(prompt.text)
        except AgentError as exc:
            return TurnDone("error", str(exc))
        except Exception:
            logger.exception("a prompt was not handed over", extra=self._facts())
            self._give_agent_up("The server could not hand the prompt to the agent.")
            return await done
        self._running = frozenset({turn_id, prompt.client_msg_id})
        self._stop_if_unwanted()
        try:
            async with asyncio.timeout(chat.TURN_TIMEOUT_S):
                return await asyncio.shield(done)
        except TimeoutError:
            self._begin_stop()
            await self._tell("turn_timeout", f"The turn took over {chat.TURN_TIMEOUT_S:g} s.")
            return await done

    async def _finish_turn(self, turn: TurnBuilder, done: TurnDone) -> None:
        stop_reason = StopReason(done.stop_reason)
        error = done.error
        if self._leaving is not None and self._stopping is not None:
            stop_reason, error = (
                StopReason.SERVER_RESTART,
                "The server was stopped during this turn.",
            )
        elif self._stopping is not None and stop_reason is not StopReason.END_TURN:
            stop_reason, error = StopReason.INTERRUPTED, None
        *closing, end = await asyncio.to_thread(turn.close, stop_reason, error)
        # By the writer, whose commits take turns: a long answer's end keeps the database busy.
        await self._writer.append(self.session_id, closing)
        await in_thread(prompts.finish, self.lease, turn.turn_id, end)
        is_usable = done.stop_reason != "agent_crashed"
        if self._stopping is not None:
            is_usable = await self._stopping and is_usable
            self._stopping = None
        if not is_usable:
            # Its exit may still be on the way: the next prompt must not be handed to it.
            self._end_reason = self._end_reason or "agent_exited"

    async def _tell(self, code: str, error: str) -> None:
        await self._add(drafts.error(code=code, error=error))

    # --- What is asked through the log ----------------------------------------------------------

    async def _listen(self) -> None:
        async for event in requests(self.session_id, self._watch):
            try:
                self._obey(event)
            except Exception:
                logger.exception("a request was not carried out", extra=self._facts(seq=event.seq))
            self._something.set()

    def _obey(self, event: LoggedEvent) -> None:
        payload = event.payload
        if event.type == EventType.INTERRUPT_REQUESTED:
            self._interrupt(event)
        elif event.type == EventType.PERMISSION_RESOLVED and self._agent is not None:
            perm_id, decision = payload["permId"], payload["decision"]
            self._help(self._requests.pass_on(self._agent, perm_id, decision))
        elif event.type == EventType.MODE_CHANGED and payload.get("by") != BY_AGENT:
            self._mode.choose(payload["mode"])
            if self._agent is not None and self._is_started:
                self._help(self._mode.carry_out(self._agent))

    def _interrupt(self, request: LoggedEvent) -> None:
        """Begin what was asked for; what waits is refused by whoever serves, between turns."""
        payload = request.payload
        if payload["stop"]:
            self._end_reason = "stopped"
            self._stopped_at = request.seq
        self._unwanted |= {payload[key] for key in ("turnId", "clientMsgId") if key in payload}
        self._unwanted_grew.set()
        self._stop_if_unwanted()

    def _stop_if_unwanted(self) -> None:
        """Stop the turn that the agent has, if a person asked for it, now or before it had it."""
        if self._running & self._unwanted:
            self._begin_stop()

    def _begin_stop(self) -> None:
        """Carry a stop out beside the turn; a second one while it runs adds nothing."""
        agent, done = self._agent, self._turn_done
        if agent is None or done is None or self._stopping is not None:
            return
        self._stopping = asyncio.create_task(
            self._stop(agent, done), name=f"stop-{self.session_id}"
        )

    async def _stop(self, agent: Agent, done: asyncio.Future[TurnDone]) -> bool:
        """Return whether the agent can take another prompt; however that comes, the turn ends."""
        is_usable = False
        try:
            is_usable = await stop_turn(agent, done, self._tell_failed)
            if not is_usable:
                # The end of a killed agent is on its way; one without a process may never say it.
                await asyncio.wait({done}, timeout=chat.INTERRUPT_TIMEOUT_S)
        except Exception:
            logger.exception("a stop failed", extra=self._facts())
        finally:
            self._end_turn(TurnDone("agent_crashed", "The agent did not end its turn."))
        return is_usable

    async def _tell_failed(self, code: str, error: str, escalation: str) -> None:
        """Put a step of the ladder into the log's queue. Raises what the log takes no more for."""
        logger.warning("interrupt failed", extra=self._facts(why=code, next=escalation))
        # Queued, not waited for: the agent is ended while the database is away, too.
        await self._add(drafts.interrupt_failed(code=code, error=error, escalation=escalation))

    def _help(self, work: Coroutine[Any, Any, object]) -> None:
        """Run something beside the turn; what it raises is logged."""
        task = asyncio.create_task(self._guarded(work))
        self._helpers.add(task)
        task.add_done_callback(self._helpers.discard)

    async def _guarded(self, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except Exception:
            logger.exception("a request to the agent failed", extra=self._facts())

    def _request_expired(self, perm_id: str, decision: str) -> None:
        """Deny what nobody answered in time; the agent hears of it through the event."""
        resolve = partial(expire_permission, self.lease, perm_id, decision=decision)
        self._help(self._until_up(resolve))

    # --- Small things ---------------------------------------------------------------------------

    async def _move(self, to: SessionState, reason: str) -> None:
        await in_thread(lifecycle.move, self.session_id, to, reason, lease=self.lease)

    async def _until_up(self, call: Callable[[], R]) -> R:
        """Return call() in spite of a database that is away for less than the lease."""
        return await retry_while_down(call)

    def _facts(self, **more: object) -> dict[str, object]:
        return {"session": str(self.session_id), "epoch": self.lease.epoch, **more}
