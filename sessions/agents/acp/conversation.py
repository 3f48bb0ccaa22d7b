"""The agent's session: its messages, in the order of the pipe, become updates in the mailbox."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from sessions.agents import port
from sessions.agents.acp.asking import permissions
from sessions.agents.acp.own_turn import tells_end
from sessions.agents.acp.pipe.wire import AcpTransport, error_text, wants_log_in
from sessions.agents.acp.talk import Talk
from sessions.agents.acp.translation import updates
from sessions.agents.acp.translation.cost import total_cost
from sessions.agents.acp.translation.labels import label, short_id
from sessions.agents.acp.translation.updates import NotUnderstood
from sessions.agents.acp.turn import Turn
from sessions.agents.ways import wanted_by
from sessions.core.clean import clean

logger = logging.getLogger(__name__)

TOOL_KINDS = frozenset({"tool_call", "tool_call_update"})

Json = dict[str, Any]


class Conversation(Talk):
    """The Sink of one agent: each of its messages changes the talk."""

    _transport: AcpTransport | None = None

    def attach(self, transport: AcpTransport) -> None:
        """Answer requests by this transport."""
        self._transport = transport

    # --- the words of the agent (Sink) ---

    def on_request_sent(self, request_id: int, method: str) -> None:
        """Note which answer will end the turn."""
        if method == "session/prompt" and self.turn is not None:
            self.turn.request_id = request_id
            self.turn.sent.set()

    def on_lost(self, what: str) -> None:
        """Note a message that was left out."""
        self.losses.add(what)

    def on_refusal(self, error: str) -> None:
        """Take an error that answers nothing as the answer to our cancel."""
        turn = self.turn
        if turn is not None and turn.is_interrupted and not turn.refusal.done():
            turn.refusal.set_result(error)

    async def on_update(self, params: Json) -> None:
        """Queue an update of the open turn; drop a late one; note one that says nothing."""
        self.heard += 1
        update, session_id = params.get("update"), params.get("sessionId")
        try:
            if not isinstance(update, dict):
                raise NotUnderstood("an update that is no object")
            if session_id == self.session_id or session_id in self.replayed:
                self._note_cost(total_cost(update))
            kind = updates.kind_of(update)
            # The list of commands may overtake the answer that names the session.
            is_early = not self.session_id and kind == "available_commands_update"
            if session_id == self.session_id or is_early:
                await self._take(kind, update)
            elif self.turn is not None and session_id not in self.replayed:
                raise NotUnderstood("an update of another session")
        except NotUnderstood as exc:
            self.losses.add(str(exc))

    async def on_answer(self, message: Json) -> None:
        """End the turn when this is the answer to its prompt."""
        turn = self.turn
        if turn is None or message.get("id") != turn.request_id:
            return
        result = message.get("result")
        if isinstance(result, dict) and updates.is_receipt(result):
            turn.is_taken = True
            await self._end_if_idle(turn)
        elif isinstance(result, dict):
            await self._end(turn, result)
        elif turn.is_interrupted:
            # Some agents answer a cancelled prompt with an error.
            await self.finish(port.TurnDone("interrupted"))
        else:
            await self.finish(_failed(message.get("error"), self))

    async def _end(self, turn: Turn, told: Json) -> None:
        """End a turn as the agent tells it."""
        usage = turn.usage.total(told, self.cost)
        if usage is not None:
            await self.mailbox.put_last(usage)
        await self.finish(updates.turn_done(told))

    async def _end_if_idle(self, turn: Turn) -> None:
        """End a turn whose prompt was taken, where the agent has said that it is idle."""
        if turn.is_taken and turn.idle is not None:
            await self._end(turn, {"stopReason": "end_turn"} | turn.idle)

    async def on_permission(self, request_id: Any, params: Json) -> None:
        """Pass a permission request on; one that comes outside a turn begins the agent's own."""
        reply, call = self._replier(request_id), params.get("toolCall")
        call = call if isinstance(call, dict) else {}
        turn = await self._asked_in(params)
        if turn is None:
            reply(permissions.outcome(None))
            self.losses.add(f"a request outside a turn, {label(str(call.get('title') or ''))!r}")
            return
        self.stale -= self._ids_of(call)
        await self._open(turn, self.requests.ask(turn, request_id, params, reply))

    async def on_question(self, request_id: Any, params: Json) -> None:
        """Pass a question on; one that comes outside a turn begins the agent's own."""
        reply, turn = self._replier(request_id), await self._asked_in(params)
        opened = self.requests.question(request_id, params, reply) if turn is not None else []
        if turn is None or not opened:
            reply({"action": "cancel"})
            self.losses.add("a question that cannot be shown")
            return
        await self._open(turn, opened)

    async def on_withdrawn(self, request_id: Any) -> None:
        """Close the request that the agent takes back."""
        for update in self.requests.withdrawn(request_id):
            await self.mailbox.put_last(update)

    async def on_notification(self, method: str) -> None:
        """End the agent's own turn where a notification says so."""
        logger.debug("notification", extra={"method": method})
        if method == "_qwencode/end_turn":
            await self.finish_own(is_told=True)

    def _replier(self, request_id: Any) -> Callable[[Json], None]:
        if self._transport is None:
            raise RuntimeError("a request before the transport")
        return partial(self._transport.reply, request_id)

    async def _asked_in(self, params: Json) -> Turn | None:
        """Return the turn that a request belongs to; None for one of another session."""
        if params.get("sessionId", self.session_id) != self.session_id:
            return None
        if self.turn is None and self.has_begun and not self.was_interrupted:
            return await self.begin_own()
        return self.turn

    async def _open(self, turn: Turn, told: list[port.Update]) -> None:
        for update in told:
            await self.put(turn, update)
        if turn.is_interrupted:
            self.requests.void()

    # --- updates ---

    async def _take(self, kind: str, update: Json) -> None:
        turn, ids = self.turn, self._ids_of(update)
        if kind == "tool_call" and turn is not None and not turn.is_interrupted:
            self.stale -= ids  # a call that begins belongs to no earlier turn, even with an old id
        is_stale = not self.stale.isdisjoint(ids)
        if self.silence is not None:
            self.silence.heard()
        if turn is None and not is_stale and self._begins_own(kind, update, ids):
            turn = await self.begin_own()
        if turn is not None:
            turn.see(ids)
            turn.usage.take(update)
        if kind in updates.DELTAS or kind in TOOL_KINDS or kind == "plan":
            if turn is not None and not is_stale:
                await self._take_in_turn(turn, kind, update)
            elif turn is not None:
                self.losses.add(f"{kind} of the answer that was interrupted")
            return
        for said in updates.translate(kind, clean(update)):
            await self.announce(said)
        if turn is not None:
            await self._note_end(turn, kind, update)

    async def _note_end(self, turn: Turn, kind: str, update: Json) -> None:
        """End a turn where an update says that the agent has nothing more to say."""
        if turn.is_own:
            if tells_end(update):
                await self.finish_own(is_told=True)
        elif kind == "state_update":
            turn.idle = update if update.get("state") == "idle" else None
            await self._end_if_idle(turn)

    def _begins_own(self, kind: str, update: Json, ids: set[str]) -> bool:
        """Return whether an update outside of turns is the begin of one.

        After an interrupt an agent without ids may still say what it had begun to: that is late.
        """
        if not self.has_begun or (self.was_interrupted and not ids):
            return False
        if kind in updates.DELTAS:
            return updates.delta(kind, update, "") is not None
        is_over = self.last_tools is not None and self.last_tools.has_ended(
            str(update.get("toolCallId"))
        )
        return kind == "tool_call" or (kind == "tool_call_update" and not is_over)

    async def _take_in_turn(self, turn: Turn, kind: str, update: Json) -> None:
        if kind in updates.DELTAS:
            parent = updates.parent_of(update)
            of = turn.tools.occurrence(parent) if parent else ""
            delta = updates.delta(kind, update, of)
            told: list[port.Update] = [] if delta is None else [delta]
        elif kind in TOOL_KINDS:
            told = turn.tools.change(kind, clean(update))
        else:
            told = updates.translate(kind, clean(update))
        for one in told:
            await self.put(turn, one)

    def _note_cost(self, total_usd: float | None) -> None:
        if total_usd is None:
            return
        if self.turn is not None:
            self.turn.usage.total_usd = total_usd
        elif not self.has_begun:
            # The costs of the session before. Between two turns a total belongs to the next one's.
            self.cost.total_usd = total_usd

    def _ids_of(self, update: Json) -> set[str]:
        named = (update.get(key) for key in ("messageId", "toolCallId"))
        return {short_id(own) for own in named if isinstance(own, str) and own}


def _failed(error: Any, talk: Talk) -> port.TurnDone:
    """Return the end of a turn whose prompt got an error."""
    if wants_log_in(error):
        return port.TurnDone("error", wanted_by(talk.agent), log_in=talk.ways)
    return port.TurnDone("error", error_text(error))
