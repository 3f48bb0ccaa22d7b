"""A stop that stops: the agent's own cancel, then SIGINT, SIGTERM, SIGKILL to all its processes.

See docs/reference/commands.md. Each step becomes an event. No step waits for the
log, which may be away for longer than an agent may be left running.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from sessions.agents.port import Agent, InterruptCode, TurnDone
from sessions.agents.processes.group import AgentProcess, ladder
from sessions.core.conf import chat

logger = logging.getLogger(__name__)

# How long a step is held up by telling of it.
TELL_S = 1.0

# tell(code, error, escalation): an interrupt_failed event.
Tell = Callable[[str, str, str], Awaitable[None]]

_SENTENCES = {
    InterruptCode.TIMED_OUT: "The agent did not react to the interrupt in time.",
    InterruptCode.FAILED: "The agent refused the interrupt.",
    InterruptCode.DEAD: "The agent's process is dead.",
    InterruptCode.NOT_RUNNING: "The agent says that nothing runs.",
}


async def stop_turn(agent: Agent, done: asyncio.Future[TurnDone], tell: Tell) -> bool:
    """End the turn whose end is done, at the latest by killing the agent. Never raises for it.

    Return whether the agent can take another prompt.
    """
    try:
        result = await agent.interrupt(timeout_s=chat.INTERRUPT_TIMEOUT_S)
        code, error = result.code, result.error
    except Exception as exc:
        # The port promises not to raise; a backend that does must not end the server (I7).
        logger.exception("an agent raised on interrupt")
        code, error = InterruptCode.FAILED, f"{type(exc).__name__}: {exc}"
    if code in (InterruptCode.ACKNOWLEDGED, InterruptCode.NOT_RUNNING) and await _ended(done):
        return True
    sentence = _SENTENCES.get(code, "The agent did not end its turn.")
    if error:
        sentence = f"{sentence} It said: {error.rstrip('.')}."
    steps = _Steps(tell)
    if code is InterruptCode.DEAD or agent.process is None:
        await steps.tell(code.value, sentence, "none")
    else:
        await steps.tell(code.value, f"{sentence} SIGINT was sent to its processes.", "SIGINT")
        await _kill(agent.process, steps)
    await steps.end()
    return False


async def _ended(done: asyncio.Future[TurnDone]) -> bool:
    await asyncio.wait({done}, timeout=chat.INTERRUPT_TIMEOUT_S)
    return done.done()


class _Steps:
    """The steps, reported in order. One that cannot be reported now waits for the next one."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._untold: deque[tuple[str, str, str]] = deque()

    async def tell(self, code: str, error: str, escalation: str) -> None:
        """Tell a step, within TELL_S. Never raises."""
        self._untold.append((code, error, escalation))
        await self._tell_untold()

    async def end(self) -> None:
        """Try a last time; an untold step is logged."""
        await self._tell_untold()
        for code, error, escalation in self._untold:
            facts = {"code": code, "why": error, "escalation": escalation}
            logger.error("a step of a stop was not told", extra=facts)

    async def _tell_untold(self) -> None:
        try:
            async with asyncio.timeout(TELL_S):
                while self._untold:
                    await self._tell(*self._untold[0])
                    self._untold.popleft()
        except Exception as exc:  # noqa: BLE001 (any failure of the log)
            why = str(exc) or type(exc).__name__
            logger.warning("a step of a stop cannot be told yet", extra={"why": why})


async def _kill(process: AgentProcess, steps: _Steps) -> None:
    before = None
    async for signum in ladder(process, step_s=chat.INTERRUPT_TIMEOUT_S):
        if before is not None:
            sentence = f"The agent did not end on {before.name}: {signum.name} was sent."
            await steps.tell("still_running", sentence, signum.name)
        before = signum
