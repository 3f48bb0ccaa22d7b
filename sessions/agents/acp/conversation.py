"""The agent's session: its messages, in the order of the pipe, become updates in the mailbox."""

from __future__ import annotations

import uuid
from dataclasses import replace
from functools import partial
from typing import Any

from sessions.agents import port
from sessions.agents.acp import permissions, updates
from sessions.agents.acp.announcements import Announcements
from sessions.agents.acp.cost import CostMeter, total_cost
from sessions.agents.acp.labels import Ids, label, short_id
from sessions.agents.acp.losses import Losses
from sessions.agents.acp.modes import Modes
from sessions.agents.acp.permissions import Permissions
from sessions.agents.acp.pipe.mailbox import Mailbox
from sessions.agents.acp.pipe.wire import AcpTransport, error_text
from sessions.agents.acp.tools.calls import Tools
from sessions.agents.acp.turn import Turn
from sessions.agents.acp.updates import NotUnderstood
from sessions.core.clean import clean

TOOL_KINDS = frozenset({"tool_call", "tool_call_update"})

Json = dict[str, Any]


class Conversation:
    """The Sink of one agent, and the turn that is open in it.

    session_id: "" until the session is open. replayed: sessions whose old messages may come.
    agent: its name in sentences for a person.
    """

    def __init__(self, agent: str, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self.session_id = ""
        self.replayed: tuple[str, ...] = ()
        self.modes = Modes()
        self.cost = CostMeter()
        self.turn: Turn | None = None
        self.permissions = Permissions()
        self.heard = 0  # session updates so far
        self._transport: AcpTransport | None = None
        self._losses = Losses(agent)
        self._ids = Ids()
        self._stale: set[str] = set()  # ids of messages and tools of interrupted turns
        self._has_begun = False  # its first turn
        self._announcements = Announcements()

    def attach(self, transport: AcpTransport) -> None:
        """Answer requests by this transport."""
        self._transport = transport

    # --- a turn ---

    async def begin(self) -> Turn:
        """Open a turn."""
        turn = self.turn = Turn(Tools(self._ids))
        self._has_begun = True
        await self.settle()
        return turn

    async def finish(self, done: port.TurnDone) -> None:
        """End the open turn, if there is one: calls that never ended, losses, then the end."""
        turn, self.turn = self.turn, None
        if turn is None:
            return
        if turn.is_interrupted:
            self._stale = set(turn.seen)
        self.permissions.void()
        await self.settle()
        for update in (*turn.tools.unfinished(), *self._losses.told(), done):
            for whole in turn.halves.whole(update):
                await self._mailbox.put_last(whole)
        await self._mailbox.shed(on=False)
        turn.finished.set()
        turn.sent.set()  # a cancel may wait for a prompt that was never written

    async def settle(self) -> None:
        """Tell the last announcements, where they still are true."""
        for said in self._announcements.settled():
            # A person may have changed the mode since.
            if isinstance(said, port.TitleChanged) or said.mode == self.modes.current:
                await self._mailbox.put_last(said)

    # --- the words of the agent (Sink) ---

    def on_request_sent(self, request_id: int, method: str) -> None:
        """Note which answer will end the turn."""
        if method == "session/prompt" and self.turn is not None:
            self.turn.request_id = request_id
            self.turn.sent.set()

    def on_lost(self, what: str) -> None:
        """Note a message that was left out."""
        self._losses.add(what)

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
            if session_id == self.session_id:
                await self._take(updates.kind_of(update), update)
            elif self.turn is not None and session_id not in self.replayed:
                raise NotUnderstood("an update of another session")
        except NotUnderstood as exc:
            self._losses.add(str(exc))

    async def on_answer(self, message: Json) -> None:
        """End the turn when this is the answer to its prompt."""
        turn = self.turn
        if turn is None or message.get("id") != turn.request_id:
            return
        result = message.get("result")
        if isinstance(result, dict):
            usage = turn.usage.total(result, self.cost)
            if usage is not None:
                await self._mailbox.put_last(usage)
            await self.finish(updates.turn_done(result))
        elif turn.is_interrupted:
            # Some agents answer a cancelled prompt with an error.
            await self.finish(port.TurnDone("interrupted"))
        else:
            await self.finish(port.TurnDone("error", error_text(message.get("error"))))

    async def on_permission(self, request_id: Any, params: Json) -> None:
        """Pass a permission request on; refuse one that comes outside a turn, with a notice."""
        if self._transport is None:
            raise RuntimeError("a request before the transport")
        reply = partial(self._transport.reply, request_id)
        turn, call = self.turn, params.get("toolCall")
        call = call if isinstance(call, dict) else {}
        if turn is None or params.get("sessionId") != self.session_id:
            reply(permissions.outcome(None))
            self._losses.add(f"a request outside a turn, {label(str(call.get('title') or ''))!r}")
            return
        self._stale -= self._ids_of(call)
        told, tool = turn.tools.ask(call)
        offered = permissions.choices(params.get("options"))
        perm_id = uuid.uuid4().hex
        self.permissions.open(perm_id, offered, reply)
        asked = port.PermissionAsked(
            perm_id=perm_id,
            tool_id=tool.tool_id,
            tool_name=tool.name,
            title=label(tool.title),
            input=tool.action(),
            options=offered.options,
            tool_kind=tool.kind,
        )
        for update in (*told, asked):
            await self._put(turn, update)
        if turn.is_interrupted:
            self.permissions.answer(perm_id, None)

    # --- updates ---

    async def _take(self, kind: str, update: Json) -> None:
        turn, ids = self.turn, self._ids_of(update)
        if kind == "tool_call" and turn is not None and not turn.is_interrupted:
            self._stale -= ids  # a call that begins is not of a turn before, whatever its id
        is_stale = not self._stale.isdisjoint(ids)
        if turn is not None:
            turn.see(ids)
            turn.usage.take(update)
        if kind in updates.DELTAS or kind in TOOL_KINDS or kind == "plan":
            if turn is not None and not is_stale:
                await self._take_in_turn(turn, kind, update)
            elif turn is not None:
                self._losses.add(f"{kind} of the answer that was interrupted")
            return
        for said in updates.translate(kind, clean(update)):
            await self._announce(said)

    async def _take_in_turn(self, turn: Turn, kind: str, update: Json) -> None:
        if kind in updates.DELTAS:
            delta = updates.delta(kind, update)
            told: list[port.Update] = [] if delta is None else [delta]
        elif kind in TOOL_KINDS:
            told = turn.tools.change(kind, clean(update))
        else:
            told = updates.translate(kind, clean(update))
        for one in told:
            await self._put(turn, one)

    async def _put(self, turn: Turn, update: port.Update) -> None:
        for whole in turn.halves.whole(update):
            await self._mailbox.put(whole)

    async def _announce(self, said: port.Update) -> None:
        if isinstance(said, port.ModeChanged):
            if said.mode == self.modes.current:
                return
            self.modes = replace(self.modes, current=said.mode)
        if isinstance(said, port.ModeChanged | port.TitleChanged) and self._announcements.is_due(
            said
        ):
            await self._mailbox.put(said)

    def _note_cost(self, total_usd: float | None) -> None:
        if total_usd is None:
            return
        if self.turn is not None:
            self.turn.usage.total_usd = total_usd
        elif not self._has_begun:
            # The costs of the session before. Between two turns a total belongs to the next one's.
            self.cost.total_usd = total_usd

    def _ids_of(self, update: Json) -> set[str]:
        named = (update.get(key) for key in ("messageId", "toolCallId"))
        return {short_id(own) for own in named if isinstance(own, str) and own}
