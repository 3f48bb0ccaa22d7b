"""Changes that a person asks an agent for: its mode, its settings, the end of its own turn."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from sessions.agents import port
from sessions.agents.acp.handshake import why_failed
from sessions.agents.acp.link import Link, first_of
from sessions.agents.acp.talk import Talk
from sessions.agents.acp.translation import modes
from sessions.agents.acp.translation.options import effort_of, in_mode, model_of, of_models
from sessions.agents.acp.turn import Turn
from sessions.agents.content import ConfigOption
from sessions.agents.port import InterruptCode, InterruptResult

# An agent changes its mode at once, or is busy; the person waits for the answer.
MODE_TIMEOUT_S: Final = 30.0
# What an agent says after a cancel outside of a prompt is late after so long.
OWN_CANCEL_S: Final = 0.5


class Steered(ABC):
    """The part of an agent that a person steers: its settings, and answers to its requests."""

    def __init__(self, conversation: Talk, label: str) -> None:
        self._talk = conversation
        self._label = label

    @abstractmethod
    def _running(self) -> Link:
        """Return the link to the running agent. Raises AgentGone."""

    @property
    def mode(self) -> str | None:
        """The mode of the agent's session; while it is asked for another one, already that."""
        return self._talk.modes.current

    @property
    def options(self) -> tuple[ConfigOption, ...]:
        """The settings as the agent told them last."""
        return self._talk.options

    @property
    def model(self) -> str | None:
        """The model that the agent's settings name."""
        return model_of(self._talk.options)

    @property
    def effort(self) -> str | None:
        """How long the model thinks, in the agent's word, as far as it is known."""
        return effort_of(self._talk.options)

    @property
    def has_background_work(self) -> bool:
        """Whether commands that the agent has begun still run."""
        return self._talk.background.is_going

    async def answer(self, perm_id: str, option_id: str | None, message: str = "") -> bool:
        """Answer an open permission request; return False when it is no longer open."""
        return self._talk.requests.permissions.answer(perm_id, option_id, message)

    async def reply(self, question_id: str, action: port.Action, values: dict[str, Any]) -> bool:
        """Answer an open question; return False when it is no longer open."""
        return self._talk.requests.questions.answer(question_id, action, values)

    async def end_own_turn(self) -> None:
        """End the turn that the agent began by itself, if one is open."""
        await self._talk.finish_own()

    async def set_mode(self, mode: str) -> None:
        """Switch to an offered mode. Raises AgentError."""
        await set_mode(self._talk, self._running, self._label, mode)

    async def set_option(self, option_id: str, value: str | bool) -> None:  # noqa: FBT001 (its value)
        """Change a setting. Raises AgentError."""
        await set_option(self._talk, self._running, self._label, option_id, value=value)


async def set_mode(said: Talk, running: Callable[[], Link], label: str, mode: str) -> None:
    """Switch to an offered mode. Raises AgentError."""
    before = said.modes
    if not before.has(mode):
        raise port.AgentError(f"{label} offers no mode {mode!r}.")
    said.modes = replace(before, current=mode)  # the agent's own word of it is an echo then
    try:
        async with asyncio.timeout(MODE_TIMEOUT_S):
            changed, told = await modes.switch(
                running().connection, before, mode, session_id=said.session_id
            )
    except Exception as exc:  # no answer of this kind says that it obeys
        if said.modes.current == mode:  # else it has told another one meanwhile
            said.modes = before
        why = why_failed(exc, timeout_s=MODE_TIMEOUT_S)
        raise port.AgentError(f"{label} did not change its mode: {why}.") from exc
    said.modes = changed
    said.options = in_mode(said.options, changed.current)  # the change of the mode tells it
    if told:
        await said.announce(port.OptionsOffered(in_mode(told, changed.current)))


async def set_option(
    said: Talk, running: Callable[[], Link], label: str, option_id: str, *, value: str | bool
) -> None:
    """Change a setting. Raises AgentError."""
    option = next((o for o in said.options if o.id == option_id), None)
    if option is None or not option.takes(value):
        raise port.AgentError(f"{label} offers no such setting.")
    try:
        async with asyncio.timeout(MODE_TIMEOUT_S):
            answer = await running().connection.set_config_option(
                config_id=option_id, session_id=said.session_id, value=value
            )
    except Exception as exc:  # no answer of this kind says that it obeys
        why = why_failed(exc, timeout_s=MODE_TIMEOUT_S)
        raise port.AgentError(f"{label} did not change {option.label}: {why}.") from exc
    told = of_models(answer.config_options if answer is not None else None)
    changed = tuple(replace(o, value=value) if o is option else o for o in said.options)
    await said.offer(told or changed)


async def cancel_own(turn: Turn, said: Talk, ask: Callable[[], Awaitable[None]]) -> InterruptResult:
    """Cancel a turn of the agent's own: no prompt is open, so no answer tells its end."""
    await ask()
    await first_of(turn.finished.wait(), timeout_s=OWN_CANCEL_S)
    if said.turn is turn:
        await said.finish(port.TurnDone("interrupted"))
    return InterruptResult(InterruptCode.ACKNOWLEDGED)
