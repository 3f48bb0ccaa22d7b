"""The chat in a terminal: lines become prompts and commands, frames go to the screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import httpx

from sessions.text.asking import inset, once_more, one_line
from transport.client import Client, Prompt, PromptState, Status, StreamState
from transport.terminal import read_marks
from transport.terminal.acts import decisions
from transport.terminal.acts.answering import Answering
from transport.terminal.acts.numbered import number_of
from transport.terminal.acts.work import attaching, folder
from transport.terminal.desk import Desk
from transport.terminal.leaving import Leaving
from transport.terminal.showing.paper import Write
from transport.terminal.showing.screen import Frame, Screen
from transport.terminal.urgent import Urgent
from transport.terminal.words import HELP, acts_of

# The longest wait for a script's last turn, at the end of its input.
TURN_WAIT_S: Final = 3600.0
GREETING: Final = "A line is a prompt, :help lists the commands, Ctrl+C stops the answer.\n"
_SETTLED: Final = frozenset({PromptState.FAILED, PromptState.EVICTED})


def connection_text(status: Status) -> str:
    """Return how the connection stands, for a person; since when, where one was lost."""
    is_coming_back = status.state in {StreamState.WAITING, StreamState.CONNECTING}
    state = "reconnecting" if is_coming_back and status.down_since else str(status.state)
    if status.down_since is None:
        return f"[{state}]"
    return f"[{state}, down since {status.down_since.astimezone():%H:%M:%S}]"


class Terminal:
    """A person, or a script, at a terminal.

    width: of the window, None where nothing is wrapped. is_person: the lines are typed, and stand
    on the screen already. storage: the file of the outbox.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        write: Write,
        agent: str | None,
        session_id: str | None,
        has_colours: bool = False,
        width: Callable[[], int] | None = None,
        is_person: bool = False,
        storage: Path | None = None,
    ) -> None:
        self.screen = Screen(write, has_colours=has_colours, width=width)
        self._is_person = is_person
        self._prompts: list[Prompt] = []
        self._news = asyncio.Event()
        self._left = asyncio.Event()
        self._said = ""
        self._client = Client(
            url,
            token,
            on_frame=self._take,
            on_status=self._connection_changed,
            on_prompt=self._prompt_changed,
            storage=storage,
        )
        self._desk = Desk(self._client, self.screen, agent=agent)
        self._decisions = decisions.Decisions(self._desk)
        self._answering = Answering(self._desk)
        self._files = attaching.Attaching(self._desk)
        self._folder = folder.Folder(self._desk)
        self._read_marks = read_marks.ReadMarks(self._client)
        self._words = acts_of(
            self._desk, self._decisions, self._answering, self._files, self._folder
        )
        self._words[":again"] = self._again
        self._urgent = Urgent(self._desk)
        self._leaving = Leaving(self._desk, leave=self.leave, is_waiting=self._is_waiting)
        if session_id is not None:
            self._desk.open(session_id)

    async def run(self, lines: AsyncIterator[str]) -> None:
        """Serve until :quit, `leave` or the end of the input; then wait for the last answer."""
        self._tell_kept("sends them now")
        async with self._client:
            serving = asyncio.create_task(self._serve(lines), name="lines")
            leaving = asyncio.create_task(self._left.wait(), name="leaving")
            try:
                await asyncio.wait({serving, leaving}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (serving, leaving):
                    task.cancel()
                await asyncio.wait({serving, leaving})
                await self._leaving.end()
                await self._urgent.end()
                await self._read_marks.end()
        self._tell_kept("are kept, and the next terminal sends them")
        if not serving.cancelled():
            serving.result()

    def leave(self) -> None:
        """End; prompts that the server does not have yet stay in the outbox."""
        self._left.set()

    def interrupted(self) -> None:
        """Take a Ctrl+C: a person's first stops the answer."""
        if self._is_person:
            self._leaving.pressed()
        else:
            self.leave()

    async def _serve(self, lines: AsyncIterator[str]) -> None:
        async for line in lines:
            self.screen.paper.typed()
            self._leaving.typed()
            if line.strip() == ":quit":
                return
            try:
                await self._do(line.rstrip("\n"))
            except (httpx.HTTPError, TimeoutError) as exc:
                # Only prompts are repeated; everything else is shown and forgotten.
                self.screen.line(f"! That did not reach the server: {exc}")
            self._show_sign()
        async with asyncio.timeout(TURN_WAIT_S):
            await self._until_answered()

    async def _do(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if not line.strip():
            return
        if word == ":now" and rest.strip() and number_of(rest.strip()) is None:
            await self._send(rest.strip(), is_now=True)
        elif word in self._words:
            await self._words[word](rest)
        elif (number := number_of(word.removeprefix(":"))) is not None and word.startswith(":"):
            await self._decisions.answer(number, rest.strip())
        elif (number := number_of(word.removeprefix(":q"))) is not None and word.startswith(":q"):
            await self._answering.reply(number, rest)
        elif word.startswith(":"):
            self.screen.line(HELP)
        else:
            await self._send(line)

    async def _again(self, _rest: str) -> None:
        """Let the agent ask again what ran out last."""
        notice = self.screen.standing.take_expired()
        if notice is None:
            self.screen.line("No request or question has expired.")
        else:
            await self._send(once_more(notice), is_typed=False)

    async def _send(self, text: str, *, is_typed: bool = True, is_now: bool = False) -> None:
        place = self._desk.place()
        named = await self._folder.named_in(text)
        try:
            prompt = self._client.send(
                text, **place, attachments=self._files.take(), mentions=named
            )
        except OSError as exc:
            self.screen.line(f"! The prompt cannot be kept, so it was not sent: {exc.strerror}")
            return
        if self._is_person and is_typed:
            # Its letters stand where they were typed.
            self.screen.typed.add(prompt.client_msg_id)
        self._prompts.append(prompt)
        if is_now:
            self._urgent.add(prompt)

    def _take(self, frame: Frame) -> None:
        self.screen.show(frame)
        self._read_marks.shown(frame)
        self._news.set()
        if frame["type"] in {"turn_end", "session_snapshot"}:
            self._show_sign()

    def _show_sign(self) -> None:
        if self.screen.standing.turn_id is None and not self._is_waiting():
            self.screen.paper.sign()

    def _prompt_changed(self, prompt: Prompt) -> None:
        if prompt.state in _SETTLED:
            said = "Perhaps not sent" if prompt.is_frozen else "Not sent"
            self.screen.line(f"! {said}: {inset(prompt.error or prompt.code or prompt.state)}")
        elif prompt.state is PromptState.ACCEPTED and self.screen.session_id is None:
            self.screen.open(prompt.session_id)
        self._news.set()

    def _tell_kept(self, fate: str) -> None:
        """Tell of prompts that the server does not have yet. Those that it refused are over."""
        for prompt in self._client.outbox.prompts:
            self._client.outbox.discard(prompt)
        for prompt in self._client.outbox.pending:
            self.screen.line(f"> {one_line(prompt.text)}")
        if count := len(self._client.outbox.pending):
            self.screen.line(f"[not sent yet: {count}; the outbox {fate}]")

    def _connection_changed(self, status: Status) -> None:
        if status.state is StreamState.CLOSED:
            return
        is_live = status.state is StreamState.LIVE
        said = "" if is_live else connection_text(status)
        if said and said != self._said:
            self.screen.line(said)
        elif is_live and "down since" in self._said:
            self.screen.line("[live again]")
        self._said = said

    async def _until_answered(self) -> None:
        for prompt in self._prompts:
            await prompt.settled()
        while self._is_waiting():
            await self._news.wait()
            self._news.clear()

    def _is_waiting(self) -> bool:
        """Return whether a prompt of this terminal has no answer yet."""
        sent = [p for p in self._prompts if p.state not in _SETTLED]
        return any(prompt.client_msg_id not in self.screen.answered for prompt in sent)
