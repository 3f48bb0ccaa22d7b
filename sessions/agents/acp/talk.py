"""The agent's session: its turn, the begin and end of it, and the facts told beside turns."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from sessions.agents import port
from sessions.agents.acp.announcements import Announcement, Announcements
from sessions.agents.acp.asking.requests import Requests
from sessions.agents.acp.own_turn import Background, Silence
from sessions.agents.acp.pipe.mailbox import Mailbox
from sessions.agents.acp.translation.cost import CostMeter
from sessions.agents.acp.translation.labels import Ids, fits
from sessions.agents.acp.translation.losses import Losses
from sessions.agents.acp.translation.modes import Modes
from sessions.agents.acp.translation.options import in_mode, mode_of
from sessions.agents.acp.translation.tools.calls import Tools
from sessions.agents.acp.turn import Turn
from sessions.agents.content import AgentCommand, ConfigOption
from sessions.agents.ways import Method


class Talk:
    """The turn that is open with one agent, and its mode, settings and requests.

    session_id: "" until the session is open. replayed: sessions whose old messages may come.
    agent: its name in sentences for a person.
    """

    def __init__(self, agent: str, mailbox: Mailbox) -> None:
        self.agent = agent
        self.mailbox = mailbox
        self.session_id = ""
        self.replayed: tuple[str, ...] = ()
        self.modes = Modes()
        self.cost = CostMeter()
        self.turn: Turn | None = None
        self.requests = Requests()
        self.background = Background()
        self.options: tuple[ConfigOption, ...] = ()
        self.ways: tuple[Method, ...] = ()  # to log in, as the agent has told them
        self.commands: tuple[AgentCommand, ...] = ()  # told before the session was open
        self.heard = 0  # session updates so far
        self.losses = Losses(agent)
        self._ids = Ids()
        self.stale: set[str] = set()  # ids of messages and tools of interrupted turns
        self.has_begun = False  # its first turn
        self.silence: Silence | None = None  # of a turn of the agent's own
        self.last_tools: Tools | None = None  # of the turn before
        self.was_interrupted = False
        self._watches: set[asyncio.Task[None]] = set()
        self._announcements = Announcements()

    async def begin(self) -> Turn:
        """Open a turn; one that the agent began itself ends."""
        await self.finish_own()
        turn = self.turn = Turn(Tools(self._ids))
        self.has_begun = True
        await self.settle()
        return turn

    async def begin_own(self) -> Turn:
        """Open a turn that no prompt asked for."""
        turn = self.turn = Turn(Tools(self._ids), is_own=True)
        turn.sent.set()
        silence = self.silence = Silence(turn, is_asking=lambda: self.requests.is_any_open)
        await self.settle()
        await self.mailbox.put(port.TurnBegan())
        watch = asyncio.create_task(silence.end(self.finish_own), name="agent-own-turn")
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)
        return turn

    async def finish_own(self, *, is_told: bool = False) -> None:
        """End the turn that the agent began itself, if one is open; is_told: by its own word."""
        if self.turn is not None and self.turn.is_own:
            self.turn.is_told_over = is_told
            await self.finish(port.TurnDone("end_turn"))

    async def finish(self, done: port.TurnDone) -> None:
        """End the open turn, if there is one: calls that never ended, losses, then the end."""
        turn, self.turn = self.turn, None
        if turn is None:
            return
        if turn.is_interrupted:
            self.stale = set(turn.seen)
        self.was_interrupted, self.last_tools = turn.is_interrupted, turn.tools
        self.background.note(turn)
        self.requests.void()
        await self.settle()
        done = replace(done, is_own=turn.is_own)
        for update in (*turn.tools.unfinished(), *self.losses.told(), done):
            for whole in turn.halves.whole(update):
                await self.mailbox.put_last(whole)
        await self.mailbox.shed(on=False)
        turn.finished.set()
        turn.sent.set()  # a cancel may wait for a prompt that was never written

    async def settle(self) -> None:
        """Tell the last announcements, where they still are true."""
        for said in self._announcements.settled():
            # A person may have changed the mode since.
            if not isinstance(said, port.ModeChanged) or said.mode == self.modes.current:
                await self.mailbox.put_last(said)

    async def put(self, turn: Turn, update: port.Update) -> None:
        """Queue an update of a turn."""
        for whole in turn.halves.whole(update):
            await self.mailbox.put(whole)

    async def announce(self, said: port.Update) -> None:
        """Queue a fact of the agent, where it is news."""
        if isinstance(said, port.ModeChanged):
            if said.mode == self.modes.current:
                return
            self.modes = replace(self.modes, current=said.mode)
            self.options = in_mode(self.options, said.mode)
        if isinstance(said, port.OptionsOffered):
            if said.options == self.options:
                return
            self.options = said.options
        if isinstance(said, port.CommandsOffered) and not self.session_id:
            self.commands = said.commands
            return
        if isinstance(said, Announcement) and self._announcements.is_due(said):
            await self.mailbox.put(said)

    async def offer(self, options: tuple[ConfigOption, ...]) -> None:
        """Tell the settings as an answer of the agent has them, and the mode among them."""
        mode = mode_of(options)
        if mode is not None and fits(mode):
            await self.announce(port.ModeChanged(mode))
        await self.announce(port.OptionsOffered(options))
