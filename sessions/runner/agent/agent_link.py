"""The link to one session's agent: started when a prompt needs it, read all the time, closed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from pathlib import Path
from typing import Protocol
from uuid import UUID

from sessions.agents import registry
from sessions.agents.port import (
    Agent,
    AgentError,
    AgentExited,
    ModeChanged,
    PermissionClosed,
    QuestionClosed,
    Started,
    TurnDone,
    Update,
)
from sessions.choices import options as choices
from sessions.control import lifecycle
from sessions.control.worktrees import beginning
from sessions.core.db import in_thread, retry_while_down
from sessions.core.errors import ChatError, LeaseLost
from sessions.core.states import SessionState
from sessions.core.tasks import TaskSet
from sessions.eventlog import drafts
from sessions.eventlog.events import BY_AGENT, Draft, EventType, LoggedEvent
from sessions.eventlog.lease import Lease
from sessions.eventlog.shapes import Mode
from sessions.eventlog.writer import Writer
from sessions.mcp import rows as mcp
from sessions.models import Message, Session
from sessions.projects import rows as projects
from sessions.runner.agent import offers
from sessions.runner.agent.asked import DECISIONS, Asked
from sessions.runner.agent.chosen_options import ChosenOptions
from sessions.runner.agent.log_in import LogIn
from sessions.runner.agent.modes import ChosenMode
from sessions.workspace import roots
from sessions.workspace.changes import baseline

logger = logging.getLogger(__name__)


class Listener(Protocol):
    """The side of a live session that its agent's updates go to."""

    async def take(self, update: Update) -> None:
        """Take an update of a turn, or the end of the agent."""
        ...

    def failed(self, why: str) -> None:
        """Give the agent up, whose state is unknown now; why: a sentence for a person."""
        ...


class AgentLink:
    """The agent of one live session, or none."""

    def __init__(self, lease: Lease, writer: Writer, listener: Listener) -> None:
        self._lease = lease
        self._session_id = lease.session_id
        self._writer = writer
        self._listener = listener
        self._agent: Agent | None = None
        # Whether the agent is past its start: before, it cannot be asked for another mode.
        self._is_started = False
        # The agent has heard nothing that was taken back before this seq.
        self._heard_since = 0
        self._tools: list[Draft] = []  # the word of its MCP servers
        self._has_exited = False
        self._pump: asyncio.Task[None] | None = None
        self._closing = asyncio.Lock()
        self._mode = ChosenMode(lease.session_id, writer)
        self._options = ChosenOptions(lease.session_id, writer)
        self._log_in = LogIn(lease.session_id, writer)
        self._errands = TaskSet(self._facts())
        self.requests = Asked(lease, writer, self._errands)

    @property
    def is_dead(self) -> bool:
        """Whether the agent has ended, by its own word or by its process."""
        process = self._agent.process if self._agent is not None else None
        return self._has_exited or (process is not None and not process.is_running)

    async def is_outdated(self) -> bool:
        """Return whether messages that this agent has heard were taken back."""
        if self._agent is None:
            return False
        taken_back_at = partial(_taken_back_at, self._session_id)
        return await retry_while_down(taken_back_at) != self._heard_since

    async def ready(self) -> Agent:
        """Return the running agent, started where it is not. Raises AgentError."""
        if self._agent is not None:
            return self._agent
        move = partial(
            lifecycle.move, self._session_id, SessionState.STARTING, "prompt", lease=self._lease
        )
        await retry_while_down(move)
        session = await retry_while_down(partial(Session.objects.get, pk=self._session_id))
        self._heard_since = session.live.get("rewoundAt", 0)
        agent, started = await self._start(session)
        self._is_started = True
        self._pump = asyncio.create_task(self._read(agent), name=f"agent-{self._session_id}")
        await self._record(session, started)
        await self._mode.settle(agent, session.mode, started)
        await self._options.settle(agent)
        return agent

    async def close(self, *, grace_s: float) -> None:
        """End the agent, if there is one, and all that runs for it.

        A second call waits for the end of the first: after each, no process of the agent is left.
        """
        async with self._closing:
            agent, self._agent = self._agent, None
            if agent is not None:
                await _close(agent, grace_s=grace_s)
            await self._errands.end()
            if self._pump is not None:
                self._pump.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._pump
            self._pump = None
            self._has_exited = False
            self.requests.forget_all()

    def obey(self, event: LoggedEvent) -> None:
        """Hand the agent the decision or the choice of a person."""
        told = event.payload
        if event.type in DECISIONS:
            if self._agent is not None:
                self.requests.pass_on(self._agent, event)
        elif told.get("by") == BY_AGENT:
            return
        elif event.type == EventType.MODE_CHANGED:
            self._choose_mode(told["mode"])
        elif event.type == EventType.OPTION_CHANGED:
            self._choose_option(told["optionId"], told["value"])

    @property
    def agent(self) -> Agent | None:
        """The agent that runs, if one does."""
        return self._agent

    @property
    def is_working(self) -> bool:
        """Whether the agent works on while no turn is open."""
        return self._agent is not None and self._agent.has_background_work

    def _choose_option(self, option_id: str, value: str | bool) -> None:  # noqa: FBT001 (its value)
        """Ask the agent for another value of a setting."""
        if self._agent is not None and self._is_started:
            work = self._options.carry_out(self._agent, {option_id: value})
            self._errands.start(work, name="option")

    def _choose_mode(self, mode: str) -> None:
        """Ask the agent for a mode, now or when it has started."""
        self._mode.choose(mode)
        if self._agent is not None and self._is_started:
            self._errands.start(self._mode.carry_out(self._agent), name="mode")

    async def _start(self, session: Session) -> tuple[Agent, Started]:
        try:
            folder, source, shared = await in_thread(beginning.prepare, session)
            trust = await in_thread(_is_trusted, session, source)
            servers = await in_thread(mcp.of_session, session)
            make = partial(registry.create, session.agent, cwd=folder, trust=trust)
            agent = make(shared=shared, servers=servers)
            env = await in_thread(_environment, session, folder, trust=trust)
            allowed = await in_thread(roots.roots)
            await in_thread(self._log_in.begin, session)
            await asyncio.to_thread(baseline.keep, session.pk, session.cwd, allowed)
        except ChatError as exc:
            raise AgentError(str(exc)) from exc
        self._agent, self._has_exited, self._is_started = agent, False, False
        start = agent.start(
            cwd=folder,
            env=env,
            resume=session.agent_session_id or None,
            mode=session.mode or None,
            cost_usd=session.live.get("agentCostUsd", 0.0),
        )
        started = await self._log_in.opened(start)
        self._tools = offers.tools(servers, started)
        return agent, started

    async def _record(self, session: Session, started: Started) -> None:
        modes: list[Mode] = [{"id": mode.id, "label": mode.label} for mode in started.modes]
        draft = drafts.agent_started(modes=modes, resumed=started.resumed, forked=started.is_forked)
        offered = offers.of_start(started)
        await self._writer.append(self._session_id, [draft, *offered, *self._tools])
        options = offers.shapes_of(started.options)
        note = partial(choices.note_offer, session.agent, modes, options)
        await retry_while_down(note)
        rows = Session.objects.filter(pk=self._session_id)
        update = partial(rows.update, agent_session_id=started.agent_session_id or "")
        await retry_while_down(update)
        is_told = session.live.get("retells", False)
        forgotten = started.memory_error or (
            None if is_told else await _forgotten(session, started)
        )
        if forgotten is not None:
            await self._add(drafts.error(code="memory_lost", error=forgotten))
        await retry_while_down(partial(lifecycle.agent_is_up, self._session_id, lease=self._lease))

    async def _read(self, agent: Agent) -> None:
        """Take every update as it comes, in a turn or not: the agent's pipe never fills up.

        No failure here may leave the turn without an end (I7).
        """
        try:
            async for update in agent.events():
                await self._take_or_fail(update)
        except Exception:
            logger.exception("an agent's updates broke off", extra=self._facts())
            self._listener.failed("What the agent sends cannot be read any more.")

    async def _take_or_fail(self, update: Update) -> None:
        try:
            await self._take(update)
        except LeaseLost as exc:
            logger.warning("an update came after the lease", extra=self._facts())
            self._listener.failed(str(exc))
        except Exception:
            facts = self._facts() | {"update": type(update).__name__}
            logger.exception("an update was not taken", extra=facts)
            self._listener.failed("The server could not take what the agent sent.")

    async def _take(self, update: Update) -> None:
        match update:
            case AgentExited():
                self._has_exited = True
                await self._listener.take(update)
            case TurnDone():
                await self._log_in.turn_ends(update)
                await self._listener.take(update)
                await self._log_in.turn_ended(update)
            case ModeChanged(mode=mode):
                # A later change has overtaken another mode, and its maker tells it.
                if self._agent is not None and mode == self._agent.mode:
                    await self._add(drafts.mode_changed(mode=mode, by=BY_AGENT))
            case PermissionClosed() | QuestionClosed():
                self.requests.withdraw(update)
            case _ if (draft := offers.draft_of(update)) is not None:
                await self._add(draft)
            case _:
                await self._listener.take(update)

    async def _add(self, draft: Draft) -> None:
        await self._writer.add(self._session_id, [draft])

    def _facts(self) -> dict[str, object]:
        return {"session": str(self._session_id), "epoch": self._lease.epoch}


def _taken_back_at(session_id: UUID) -> int:
    live = Session.objects.values_list("live", flat=True).get(pk=session_id)
    return int(live.get("rewoundAt", 0))


async def _forgotten(session: Session, started: Started) -> str | None:
    """Return a sentence when an agent that can resume no session has answered before."""
    answers = Message.objects.filter(session=session.pk, role="assistant")
    if started.resumed or not await retry_while_down(answers.exists):
        return None
    return "The agent has forgotten what was said before: it cannot resume a session."


def _is_trusted(session: Session, source: Path) -> bool:
    return projects.is_trusted(session.project, source)


def _environment(session: Session, folder: Path, *, trust: bool) -> dict[str, str]:
    return registry.environment(
        session.agent,
        session_id=str(session.pk),
        cwd=folder,
        account=session.owner.get_username(),
        resume=session.agent_session_id,
        trust=trust,
    )


async def _close(agent: Agent, *, grace_s: float) -> None:
    try:
        await agent.close(grace_s=grace_s)
    except asyncio.CancelledError:
        await agent.close(grace_s=0)  # evicted: there is no time for a good end
        raise
