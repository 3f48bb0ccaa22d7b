"""Any agent that speaks the Agent Client Protocol over its pipes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sessions.agents import port
from sessions.agents.acp.changes import Steered, cancel_own
from sessions.agents.acp.conversation import Conversation
from sessions.agents.acp.handshake import LogInWanted, start_error, why_failed
from sessions.agents.acp.link import Link
from sessions.agents.acp.memory import Memory
from sessions.agents.acp.opening import Opening
from sessions.agents.acp.pipe.mailbox import Mailbox
from sessions.agents.acp.translation.prompt import Block, blocks_of
from sessions.agents.acp.turn import Turn
from sessions.agents.content import ToolServer
from sessions.agents.port import InterruptCode, InterruptResult
from sessions.agents.processes.confine import UNCONFINED, Confinement, Unconfined
from sessions.agents.processes.group import AgentProcess
from sessions.core.conf import chat

logger = logging.getLogger(__name__)


class AcpAgent(Steered):
    """The port over `command`; label is its name in sentences for a person.

    memory_mb: how much each process of the agent may allocate; 0: no limit. meta: the `_meta` of
    each session's opening. servers: of tools, which it gets where it takes such.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        label: str,
        memory_mb: int = 0,
        confinement: Confinement | Unconfined = UNCONFINED,
        meta: Mapping[str, Any] | None = None,
        servers: Sequence[ToolServer] = (),
    ) -> None:
        self._capabilities = port.Capabilities()
        self._mailbox = Mailbox()
        conversation = Conversation(label, self._mailbox)
        super().__init__(conversation, label)
        self._conversation = conversation
        spawn = partial(
            AgentProcess.spawn, tuple(command), memory_mb=memory_mb, confinement=confinement
        )
        self._opening = Opening(spawn, label, self._conversation, meta or {}, servers)
        self._reporter: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closing = False

    @property
    def capabilities(self) -> port.Capabilities:
        """The abilities that the agent told; known after `start`."""
        return self._capabilities

    @property
    def process(self) -> AgentProcess | None:
        """The agent's process, once started."""
        return self._link.process if self._link is not None else None

    @property
    def _link(self) -> Link | None:
        return self._opening.link

    # --- start ---

    async def start(
        self,
        *,
        cwd: Path,
        env: Mapping[str, str],
        resume: str | None,
        mode: str | None,
        cost_usd: float = 0.0,
    ) -> port.Started:
        """Start the command, open or resume a session.

        Raises AgentStartFailed and leaves no process.
        """
        memory, timeout_s = Memory.read(resume), chat.START_TIMEOUT_S
        opening = self._opening
        try:
            async with asyncio.timeout(timeout_s):
                started = await opening.open(
                    cwd=cwd, env=env, memory=memory, mode=mode, cost_usd=cost_usd
                )
        except Exception as exc:
            await self.close(grace_s=0)
            error = start_error(self._label, exc, timeout_s=timeout_s, stderr=opening.stderr())
            if isinstance(exc, LogInWanted):
                raise port.LogInNeeded(error, exc.ways) from exc
            raise port.AgentStartFailed(error) from exc
        except BaseException:
            await self.close(grace_s=0)
            raise
        self._capabilities = port.Capabilities(
            can_resume=started.agent_session_id is not None,
            modes=started.modes,
            takes_images=started.takes_images,
            takes_texts=started.takes_texts,
        )
        self._reporter = asyncio.create_task(self._report_end(self._running()))
        return started

    # --- a turn ---

    async def send(self, text: str, attached: Sequence[port.Attached] = ()) -> None:
        """Begin a turn. Raises AgentBusy, AgentGone."""
        link = self._link
        if link is None or not link.process.is_running or self._is_closing:
            raise port.AgentGone(f"{self._label} is not running.")
        open_turn = self._conversation.turn
        if open_turn is not None and not open_turn.is_own:
            raise port.AgentBusy(f"{self._label} is still answering.")
        turn = await self._conversation.begin()
        self._keep(turn.glimpse(link.process), f"agent-glimpse-{link.process.pid}")
        blocks = blocks_of(text, ())
        if attached:
            blocks = await asyncio.to_thread(blocks_of, text, attached)
        self._keep(self._prompt(link, turn, blocks), f"agent-prompt-{link.process.pid}")

    def events(self) -> AsyncIterator[port.Update]:
        """Return the one iterator of updates; it ends after AgentExited."""
        return self._mailbox.updates()

    async def _prompt(self, link: Link, turn: Turn, blocks: list[Block]) -> None:
        """Carry the request; its answer ends the turn in `on_answer`, in the order of the pipe."""
        try:
            session_id = self._conversation.session_id
            await link.connection.prompt(session_id=session_id, prompt=blocks)
        except ConnectionError:
            logger.debug("agent gone in a prompt", extra={"agent": self._label})  # see _report_end
        except Exception as exc:
            # Any answer ends no more than its turn.
            logger.debug("prompt failed", extra={"agent": self._label}, exc_info=exc)
            if not turn.finished.is_set() and not turn.is_taken:
                failed = f"{self._label} failed: {why_failed(exc, timeout_s=0)}"
                await self._conversation.finish(port.TurnDone("error", failed))

    async def interrupt(self, *, timeout_s: float) -> InterruptResult:  # noqa: PLR0911 (its codes)
        """Cancel the open turn within timeout_s; never raises."""
        turn, link = self._conversation.turn, self._link
        if link is None or (turn is None and not link.process.is_running):
            return InterruptResult(InterruptCode.DEAD)
        if turn is None:
            return InterruptResult(InterruptCode.NOT_RUNNING)
        turn.is_interrupted = True
        try:
            async with asyncio.timeout(timeout_s):
                await self._mailbox.shed(on=True)
                if turn.is_own:
                    return await cancel_own(turn, self._conversation, self._ask_to_cancel)
                return await turn.cancel(link.process, self._ask_to_cancel)
        except TimeoutError:
            return InterruptResult(InterruptCode.TIMED_OUT)
        except ConnectionError as exc:
            return InterruptResult(InterruptCode.DEAD, str(exc))
        except Exception as exc:
            logger.exception("interrupt failed", extra={"agent": self._label})
            return InterruptResult(InterruptCode.FAILED, str(exc) or type(exc).__name__)

    async def _ask_to_cancel(self) -> None:
        await self._running().connection.cancel(session_id=self._conversation.session_id)
        self._conversation.requests.void()

    # --- the end of the agent ---

    async def close(self, *, grace_s: float) -> None:
        """End the agent and every process of it; never raises."""
        self._is_closing = True
        try:
            self._conversation.requests.void()
            await self._mailbox.shed(on=True)
            if self._link is not None:
                await self._link.close(grace_s=grace_s)
            if self._reporter is not None:
                await self._reporter
        except Exception:
            logger.exception("closing an agent failed", extra={"agent": self._label})
        finally:
            await self._mailbox.close()

    async def _report_end(self, link: Link) -> None:
        """Wait for the end of the agent, however it comes, and report it once."""
        await link.ended
        error, turn = link.end_error(self._label), self._conversation.turn
        if turn is not None and (turn.is_interrupted or self._is_closing):
            await self._conversation.finish(port.TurnDone("interrupted"))
        elif link.transport.broken:
            await self._conversation.finish(port.TurnDone("error", error))
        else:
            await self._conversation.finish(port.TurnDone("agent_crashed", error))
        await self._conversation.settle()
        exited = port.AgentExited(link.process.exit_code, None if self._is_closing else error)
        await self._mailbox.put_last(exited)
        await self._mailbox.close()

    def _running(self) -> Link:
        if self._link is None:
            raise port.AgentGone(f"{self._label} is not running.")
        return self._link

    def _keep(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run work beside the caller."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
