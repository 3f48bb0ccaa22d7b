"""The sink of an agent that tells a past chat: its updates become turns, in their order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from sessions.agents.acp.asking import permissions
from sessions.agents.acp.pipe.wire import AcpTransport
from sessions.agents.acp.translation import updates
from sessions.agents.acp.translation.content import block_text
from sessions.agents.acp.translation.halves import Halves
from sessions.agents.acp.translation.labels import Ids
from sessions.agents.acp.translation.tools.calls import Tools
from sessions.agents.acp.translation.updates import NotUnderstood
from sessions.agents.chats.found import MAX_PAST_CHARS, UPDATE_CHARS, Past, PastTurn
from sessions.agents.port import TurnDone, Update
from sessions.core.clean import clean, clean_text

Json = dict[str, Any]

TOOL_KINDS: Final = frozenset({"tool_call", "tool_call_update"})


@dataclass
class _Turn:
    """A turn as it is told. prompt_id: the agent's id of its prompt."""

    tools: Tools
    prompt: str = ""
    prompt_id: str | None = None
    halves: Halves = field(default_factory=Halves)
    past: PastTurn = field(default_factory=PastTurn)

    def add(self, update: Update) -> None:
        """Add an update, with texts that can be encoded."""
        self.past.said += self.halves.whole(update)

    def end(self) -> PastTurn:
        """Return the turn; calls that never ended are over."""
        for update in self.tools.unfinished():
            self.add(update)
        rest = self.halves.whole(TurnDone("end_turn"))
        self.past.said += [update for update in rest if not isinstance(update, TurnDone)]
        self.past.prompt = clean_text(self.prompt).strip()
        return self.past


class Recorder:
    """Takes the updates of one session, from `record` on."""

    def __init__(self) -> None:
        self.heard = 0  # session updates so far
        self._session_id: str | None = None
        self._transport: AcpTransport | None = None
        self._ids = Ids()
        self._turn = _Turn(Tools(self._ids))
        self._turns: deque[PastTurn] = deque()
        self._chars = 0
        self._left_out = 0

    def attach(self, transport: AcpTransport) -> None:
        """Answer requests by this transport."""
        self._transport = transport

    def record(self, session_id: str) -> None:
        """Keep the updates of a session from now on."""
        self._session_id = session_id

    def past(self) -> Past:
        """Return the turns that were told."""
        self._begin()
        return Past(list(self._turns), self._left_out)

    # --- the words of the agent (Sink) ---

    async def on_update(self, params: Json) -> None:
        """Keep an update; one that cannot be shown is left out."""
        self.heard += 1
        update = params.get("update")
        if params.get("sessionId") != self._session_id or not isinstance(update, dict):
            return
        try:
            self._take(updates.kind_of(update), update)
        except NotUnderstood:
            return

    async def on_permission(self, request_id: Any, params: Json) -> None:  # noqa: ARG002 (of the sink)
        """Refuse: a past chat asks for nothing."""
        self._reply(request_id, permissions.outcome(None))

    async def on_question(self, request_id: Any, params: Json) -> None:  # noqa: ARG002 (of the sink)
        """Refuse: a past chat asks for nothing."""
        self._reply(request_id, {"action": "cancel"})

    async def on_withdrawn(self, request_id: Any) -> None:
        """Do nothing: each request is answered at once."""

    async def on_notification(self, method: str) -> None:
        """Do nothing: it is no part of the past."""

    async def on_answer(self, message: Json) -> None:
        """Do nothing: the library takes the answers."""

    def on_lost(self, kind: str) -> None:
        """Do nothing: a broken message costs itself alone."""

    def on_refusal(self, error: str) -> None:
        """Do nothing: nothing was cancelled."""

    def on_request_sent(self, request_id: int, method: str) -> None:
        """Do nothing: no turn begins."""

    def _reply(self, request_id: Any, result: Json) -> None:
        if self._transport is not None:
            self._transport.reply(request_id, result)

    # --- turns ---

    def _take(self, kind: str, update: Json) -> None:
        if kind == "user_message_chunk":
            self._prompt(update)
        elif kind in updates.DELTAS:
            parent = updates.parent_of(update)
            of = self._turn.tools.occurrence(parent) if parent else ""
            if delta := updates.delta(kind, update, of):
                self._add(delta)
        elif kind in TOOL_KINDS:
            for told in self._turn.tools.change(kind, clean(update)):
                self._add(told)
        elif kind == "plan":
            for told in updates.translate(kind, clean(update)):
                self._add(told)

    def _prompt(self, update: Json) -> None:
        """Add a piece of a prompt; the first one after an answer begins a turn."""
        own = update.get("messageId")
        is_other = own is not None and own != self._turn.prompt_id and self._turn.prompt
        if self._turn.past.said or is_other:
            self._begin()
        self._turn.prompt_id = own if isinstance(own, str) else None
        piece = block_text(update.get("content"))[: MAX_PAST_CHARS - len(self._turn.prompt)]
        self._turn.prompt += piece

    def _add(self, update: Update) -> None:
        self._turn.add(update)
        self._chars += PastTurn("", [update]).size()
        self._shorten()

    def _begin(self) -> None:
        """End the turn that is told, and begin the next one."""
        turn = self._turn.end()
        self._turn = _Turn(Tools(self._ids))
        if turn.prompt or turn.said:
            self._turns.append(turn)
            self._chars += len(turn.prompt) + UPDATE_CHARS
            self._shorten()

    def _shorten(self) -> None:
        """Let the oldest turns go that do not fit; of one that alone is too long, the begin."""
        while self._chars > MAX_PAST_CHARS and self._turns:
            oldest = self._turns.popleft()
            self._chars -= oldest.size() + UPDATE_CHARS
            self._left_out += 1
        if self._chars > MAX_PAST_CHARS and self._turn.past.said:
            dropped = self._turn.past.said.pop(0)
            self._chars -= PastTurn("", [dropped]).size()
