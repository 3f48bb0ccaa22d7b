"""Any agent that speaks the Agent Client Protocol over its pipes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from acp import connect_to_agent, text_block
from acp.client.connection import ClientSideConnection
from acp.schema import PermissionOption, RequestPermissionResponse, ToolCallUpdate, UsageUpdate

from sessions.agents import port
from sessions.agents.acp import modes, updates
from sessions.agents.acp.announcements import Announcements
from sessions.agents.acp.cost import CostMeter
from sessions.agents.acp.handshake import open_session, start_error
from sessions.agents.acp.labels import short_id
from sessions.agents.acp.mailbox import Mailbox
from sessions.agents.acp.modes import Modes
from sessions.agents.acp.permissions import Permissions, outcome
from sessions.agents.acp.wire import AcpTransport, error_text
from sessions.agents.port import InterruptCode, InterruptResult
from sessions.agents.processes.group import AgentProcess

logger = logging.getLogger(__name__)

# The slowest agents seen (node programs with many modules) take 10 s on a busy machine.
START_TIMEOUT_S = 60.0
# An agent may miss a cancel that comes while it still sets a turn up; it is harmless to ask again.
CANCEL_REPEAT_S = 1.0
# How long the pipe of a dead agent may be silent, held open by a stray child, before we give it up.
SILENT_PIPE_S = 0.5
EXIT_GRACE_S = 2.0
# A loaded session is taken up when nothing more of it has been told for so long, and soon anyway.
REPLAY_QUIET_S = 0.5
REPLAY_LIMIT_S = 10.0
# The ids of a turn that are remembered, to know what comes of it late.
MAX_SEEN = 1000
# How often the tools of a running turn are looked at, so that none can slip away unseen.
GLIMPSE_S = 1.0


@dataclass
class _Turn:
    """The prompt in flight."""

    request_id: int | None = None
    is_interrupted: bool = False
    sent: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    refusal: asyncio.Future[str] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    usage: UsageUpdate | None = None
    total_usd: float | None = None  # of the whole session, as the agent counts
    counts: dict[str, int] = field(default_factory=dict)
    seen: dict[str, None] = field(default_factory=dict)  # ids of messages and tools, last ones last
    task: asyncio.Task[None] | None = None
    glimpses: asyncio.Task[None] | None = None

    def see(self, ids: set[str]) -> None:
        """Note ids of this turn; what comes late is of the last ones."""
        for own in ids:
            self.seen.pop(own, None)
            self.seen[own] = None
        while len(self.seen) > MAX_SEEN:
            del self.seen[next(iter(self.seen))]


class AcpAgent:
    """The port over `command`; label is its name in sentences for a person.

    memory_mb: what each process of the agent may allocate; 0: no limit.
    """

    def __init__(self, command: Sequence[str], *, label: str, memory_mb: int = 0) -> None:
        self._command = tuple(command)
        self._memory_mb = memory_mb
        self._label = label
        self._capabilities = port.Capabilities()
        self._process: AgentProcess | None = None
        self._mailbox = Mailbox()
        self._permissions = Permissions()
        self._turn: _Turn | None = None
        self._stale: set[str] = set()  # ids of messages and tools of interrupted turns
        self._cost = CostMeter()
        self._has_begun = False  # its first turn
        self._resuming: str | None = None
        self._modes = Modes()
        self._announcements = Announcements()
        self._session_id = ""
        self._heard = 0  # session updates so far
        self._is_closing = False

    @property
    def capabilities(self) -> port.Capabilities:
        """What the agent said it can do; known after `start`."""
        return self._capabilities

    @property
    def mode(self) -> str | None:
        """The mode of the agent's session; while it is asked for another one, already that."""
        return self._modes.current

    @property
    def process(self) -> AgentProcess | None:
        """The agent's process, once started."""
        return self._process

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
        try:
            process = self._process = await AgentProcess.spawn(
                self._command, cwd=cwd, env=env, memory_mb=self._memory_mb
            )
        except (OSError, ValueError) as exc:
            await self._mailbox.close()
            raise port.AgentStartFailed(f"{self._label} cannot be started: {exc}.") from exc
        self._transport = AcpTransport(process, self)
        self._connection: ClientSideConnection = connect_to_agent(_Client(self), self._transport)  # type: ignore[arg-type]  # the router takes any object with the handlers it has
        self._watcher = asyncio.create_task(self._watch(process), name=f"agent-watch-{process.pid}")
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                return await self._open(cwd, resume, mode, cost_usd)
        except Exception as exc:
            stderr = process.stderr_tail(lines=5)
            await self.close(grace_s=0)
            error = start_error(self._label, exc, timeout_s=START_TIMEOUT_S, stderr=stderr)
            raise port.AgentStartFailed(error) from exc
        except BaseException:
            await self.close(grace_s=0)
            raise

    async def _open(
        self, cwd: Path, resume: str | None, mode: str | None, cost_usd: float
    ) -> port.Started:
        self._resuming, self._cost.total_usd = resume, cost_usd if resume else 0.0
        opened = await open_session(self._connection, cwd=cwd, resume=resume, mode=mode)
        self._session_id, self._modes = opened.session_id, opened.modes
        if not opened.resumed:
            self._resuming, self._cost.total_usd = None, 0.0
        if opened.is_loaded:
            await self._end_of_replay()
        offered = modes.shown(opened.modes)
        self._capabilities = port.Capabilities(can_resume=opened.can_resume, modes=offered)
        return port.Started(
            opened.session_id if opened.can_resume else None,
            offered,
            opened.modes.current,
            opened.resumed,
            mode_error=opened.mode_error and f"{self._label} {opened.mode_error}.",
        )

    async def _end_of_replay(self) -> None:
        """Wait until the agent has told all of a loaded session.

        ACP wants that before the answer. Gemini goes on behind it, and no word tells the end: what
        came later would stand in the answer to the next prompt.
        """
        heard = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REPLAY_LIMIT_S):
                while heard != self._heard:
                    heard = self._heard
                    await asyncio.sleep(REPLAY_QUIET_S)

    # --- a turn ---

    async def send(self, text: str) -> None:
        """Begin a turn. Raises AgentBusy, AgentGone."""
        if self._process is None or not self._process.is_running or self._is_closing:
            raise port.AgentGone(f"{self._label} is not running.")
        if self._turn is not None:
            raise port.AgentBusy(f"{self._label} is still answering.")
        turn = self._turn = _Turn()
        self._has_begun = True
        await self._settle()
        turn.glimpses = asyncio.create_task(self._glimpse(turn, self._process))
        turn.task = asyncio.create_task(
            self._prompt(turn, text), name=f"agent-prompt-{self._process.pid}"
        )

    def events(self) -> AsyncIterator[port.Update]:
        """Return the one iterator of updates; it ends after AgentExited."""
        return self._mailbox.updates()

    async def answer(self, perm_id: str, option_id: str | None) -> bool:
        """Answer an open permission request; return False when it is no longer open."""
        return self._permissions.answer(perm_id, option_id)

    async def set_mode(self, mode: str) -> None:
        """Switch to an offered mode. Raises AgentError."""
        before = self._modes
        if not before.has(mode):
            raise port.AgentError(f"{self._label} offers no mode {mode!r}.")
        self._modes = replace(before, current=mode)  # the agent's own word of it is an echo then
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                changed = await modes.switch(
                    self._connection, before, mode, session_id=self._session_id
                )
        except Exception as exc:  # whatever it answers, it has not said that it obeys
            if self._modes.current == mode:  # else it has said meanwhile what it has
                self._modes = before
            raise port.AgentError(f"{self._label} did not change its mode: {exc}.") from exc
        self._modes = changed

    async def _prompt(self, turn: _Turn, text: str) -> None:
        """Carry the request; its answer ends the turn in `on_answer`, in the order of the pipe."""
        try:
            await self._connection.prompt(session_id=self._session_id, prompt=[text_block(text)])
        except ConnectionError:
            logger.debug("agent gone in a prompt", extra={"agent": self._label})  # see _watch
        except Exception as exc:  # noqa: BLE001 (whatever an agent answers ends no more than its turn)
            if not turn.finished.is_set():
                said = str(exc)[:2000]
                await self._finish(port.TurnDone("error", f"{self._label} failed: {said}"))

    async def _glimpse(self, turn: _Turn, process: AgentProcess) -> None:
        while not turn.finished.is_set():
            await process.glimpse()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GLIMPSE_S):
                    await turn.finished.wait()

    # --- what the agent says (Sink) ---

    def on_request_sent(self, request_id: int, method: str) -> None:
        """Note which answer will end the turn."""
        if method == "session/prompt" and self._turn is not None:
            self._turn.request_id = request_id
            self._turn.sent.set()

    async def on_update(self, params: dict[str, Any]) -> None:
        """Queue what belongs to the open turn; drop what is late."""
        self._heard += 1
        update = params.get("update")
        if not isinstance(update, dict):
            return
        if params.get("sessionId") in (self._session_id, self._resuming):
            self._note_cost(updates.total_cost(update))
        if params.get("sessionId") != self._session_id:
            return
        ids = {short_id(str(update[key])) for key in ("messageId", "toolCallId") if update.get(key)}
        is_stale = self._turn is None or not self._stale.isdisjoint(ids)
        if self._turn is not None:
            self._turn.see(ids)
            updates.add_counts(self._turn.counts, update)
        delta = updates.delta(update)
        if delta is not None:
            if not is_stale:
                await self._mailbox.put(delta)
            return
        await self._take(updates.parse(params), is_stale=is_stale)

    def _note_cost(self, total_usd: float | None) -> None:
        if total_usd is None:
            return
        if self._turn is not None:
            self._turn.total_usd = total_usd
        elif not self._has_begun:
            # What the session had cost before. Between two turns a total belongs to the next one's.
            self._cost.total_usd = total_usd

    async def _take(self, parsed: Any, *, is_stale: bool) -> None:
        if isinstance(parsed, UsageUpdate) and self._turn is not None:
            self._turn.usage = parsed
        for translated in updates.translate(parsed):
            if isinstance(translated, port.ModeChanged):
                if translated.mode == self._modes.current:
                    continue
                self._modes = replace(self._modes, current=translated.mode)
            if isinstance(translated, port.ModeChanged | port.TitleChanged):
                is_due = self._announcements.is_due(translated)
            else:
                is_due = not is_stale
            if is_due:
                await self._mailbox.put(translated)

    async def _settle(self) -> None:
        """Tell what was announced last, where that still is so."""
        for said in self._announcements.settled():
            # A mode may have been changed by a person since.
            if isinstance(said, port.TitleChanged) or said.mode == self._modes.current:
                await self._mailbox.put_last(said)

    async def on_answer(self, message: dict[str, Any]) -> None:
        """End the turn when this is the answer to its prompt."""
        turn = self._turn
        if turn is None or message.get("id") != turn.request_id:
            return
        result = message.get("result")
        if isinstance(result, dict):
            await self._note_usage(turn, result)
            await self._finish(updates.turn_done(result))
        elif turn.is_interrupted:
            await self._finish(
                port.TurnDone("interrupted")
            )  # some agents answer a cancelled prompt with an error
        else:
            await self._finish(port.TurnDone("error", error_text(message.get("error"))))

    def on_refusal(self, error: str) -> None:
        """Take an error that answers nothing as the answer to our cancel."""
        if self._turn is not None and self._turn.is_interrupted and not self._turn.refusal.done():
            self._turn.refusal.set_result(error)

    async def ask(
        self,
        options: list[PermissionOption],
        session_id: str,
        tool_call: ToolCallUpdate,
        **_meta: Any,
    ) -> RequestPermissionResponse:
        """Handle a permission request of the agent.

        Wait for `answer`, or for the end of the turn.
        """
        turn = self._turn
        if turn is None or session_id != self._session_id:
            return outcome(None)
        perm_id = uuid.uuid4().hex
        self._permissions.open(perm_id, options)
        await self._mailbox.put(updates.permission(perm_id, tool_call, options))
        if turn.is_interrupted:
            self._permissions.answer(perm_id, None)
        return await self._permissions.outcome(perm_id)

    # --- the end of a turn ---

    async def _note_usage(self, turn: _Turn, result: dict[str, Any]) -> None:
        cost = None if turn.total_usd is None else self._cost.spent(turn.total_usd)
        counts = updates.counts(result) or turn.counts
        usage = updates.usage(counts, turn.usage, cost_usd=cost)
        if usage is not None:
            await self._mailbox.put_last(usage)

    async def _finish(self, done: port.TurnDone) -> None:
        turn, self._turn = self._turn, None
        if turn is None:
            return
        if turn.is_interrupted:
            self._stale = set(turn.seen)
        self._permissions.void()
        await self._settle()
        await self._mailbox.put_last(done)
        await self._mailbox.shed(on=False)
        turn.finished.set()
        turn.sent.set()  # whoever waits to cancel a prompt that was never written

    # --- interrupt ---

    async def interrupt(self, *, timeout_s: float) -> InterruptResult:
        """Cancel the open turn within timeout_s; never raises."""
        turn = self._turn
        if self._process is None or (turn is None and not self._process.is_running):
            return InterruptResult(InterruptCode.DEAD)
        if turn is None:
            return InterruptResult(InterruptCode.NOT_RUNNING)
        turn.is_interrupted = True
        try:
            async with asyncio.timeout(timeout_s):
                await self._mailbox.shed(on=True)
                return await self._cancel(turn, self._process)
        except TimeoutError:
            return InterruptResult(InterruptCode.TIMED_OUT)
        except ConnectionError as exc:
            return InterruptResult(InterruptCode.DEAD, str(exc))
        except Exception as exc:
            logger.exception("interrupt failed", extra={"agent": self._label})
            return InterruptResult(InterruptCode.FAILED, str(exc) or type(exc).__name__)

    async def _cancel(self, turn: _Turn, process: AgentProcess) -> InterruptResult:
        """Send cancel until the turn ends, is refused or the agent is dead."""
        await turn.sent.wait()
        ends: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(turn.finished.wait()),
            asyncio.ensure_future(process.wait()),
        ]
        try:
            while True:
                await self._connection.cancel(session_id=self._session_id)
                self._permissions.void()
                done, _ = await asyncio.wait(
                    [*ends, turn.refusal],
                    timeout=CANCEL_REPEAT_S,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if turn.finished.is_set() and process.is_running:
                    return InterruptResult(InterruptCode.ACKNOWLEDGED)
                if not process.is_running:
                    return InterruptResult(InterruptCode.DEAD)
                if turn.refusal in done:
                    return InterruptResult(InterruptCode.FAILED, turn.refusal.result())
        finally:
            for end in ends:
                end.cancel()

    # --- the end of the agent ---

    async def close(self, *, grace_s: float) -> None:
        """End the agent and every process of it; never raises."""
        self._is_closing = True
        if self._process is None:
            await self._mailbox.close()
            return
        try:
            self._permissions.void()
            await self._mailbox.shed(on=True)
            await self._process.close(grace_s=grace_s)
            await self._watcher
        except Exception:
            logger.exception("closing an agent failed", extra={"agent": self._label})
        finally:
            await self._mailbox.close()

    async def _watch(self, process: AgentProcess) -> None:
        """Wait for the end of the agent, however it comes; leave no process; report it once."""
        await self._first_end(process)
        if process.is_running and self._transport.broken is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EXIT_GRACE_S):
                    await process.wait()
        await self._drained(process)
        await process.close(grace_s=0)
        await self._report_end(process)
        await self._connection.close()

    async def _first_end(self, process: AgentProcess) -> None:
        ends: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(process.wait()),
            asyncio.ensure_future(self._transport.ended.wait()),
            asyncio.ensure_future(self._deaf(process)),
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()

    async def _deaf(self, process: AgentProcess) -> None:
        """Wait until the agent has closed its input; when we did, until its end."""
        await process.wait_deaf()
        if self._is_closing:
            await process.wait()

    async def _drained(self, process: AgentProcess) -> None:
        """Let the reader take what a dead agent left in its pipe, as long as something comes."""
        while not process.is_running and not self._transport.ended.is_set():
            was_waiting = self._transport.is_waiting
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SILENT_PIPE_S):
                    await self._transport.ended.wait()
            if was_waiting and self._transport.is_waiting:
                return

    async def _report_end(self, process: AgentProcess) -> None:
        error = self._end_error(process)
        turn = self._turn
        if turn is not None:
            if turn.is_interrupted or self._is_closing:
                await self._finish(port.TurnDone("interrupted"))
            elif self._transport.broken:
                await self._finish(port.TurnDone("error", error))
            else:
                await self._finish(port.TurnDone("agent_crashed", error))
        await self._settle()
        await self._mailbox.put_last(
            port.AgentExited(process.exit_code, None if self._is_closing else error)
        )
        await self._mailbox.close()

    def _end_error(self, process: AgentProcess) -> str:
        if self._transport.broken:
            return (
                f"{self._label} wrote something that is not its protocol: {self._transport.broken}."
            )
        code = process.exit_code
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        stderr = process.stderr_tail()
        return f"{self._label} ended unexpectedly ({how})." + (f"\n{stderr}" if stderr else "")


class _Client:
    """The handlers that the library calls.

    Updates come by the transport, so there is none for them.
    """

    def __init__(self, agent: AcpAgent) -> None:
        self.request_permission = agent.ask
