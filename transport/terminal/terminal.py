"""The chat in a terminal: lines become prompts and commands, frames go to the screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import ClassVar, Final

import httpx

from sessions.text.asking import inset, one_line
from transport.client import Answer, Client, Prompt, PromptState, Status, StreamState
from transport.terminal.screen import Frame, Screen, Write

HELP: Final = """\
A line is a prompt. Lines that begin with a colon are for this program:
:new            begin a new session with the next prompt
:sessions       list sessions      :open NUMBER    continue one of the list
:NUMBER         answer a permission request; each of its answers has its own number
:interrupt      stop the answer    :stop           stop the agent as well
:skipped        show the events that were skipped
:help           this text          :quit           leave; a running answer continues
"""
# The longest wait for a script's last turn, at the end of its input.
TURN_WAIT_S: Final = 3600.0
EVENTS_PAGE: Final = 200
MAX_DIGITS: Final = 9


def connection_text(status: Status) -> str:
    """Return how the connection stands, for a person; since when, where one was lost."""
    is_coming_back = status.state in {StreamState.WAITING, StreamState.CONNECTING}
    state = "reconnecting" if is_coming_back and status.down_since else str(status.state)
    if status.down_since is None:
        return f"[{state}]"
    return f"[{state}, down since {status.down_since.astimezone():%H:%M:%S}]"


def number_of(text: str) -> int | None:
    """Return the number that a person has typed, None for anything else."""
    word = text.strip()
    return int(word) if word.isdecimal() and len(word) <= MAX_DIGITS else None


class Terminal:
    """A person, or a script, at a terminal."""

    def __init__(
        self, url: str, token: str, *, write: Write, agent: str | None, session_id: str | None
    ) -> None:
        self.screen = Screen(write)
        self._agent = agent
        self._listed: list[str] = []
        self._drafts = 0
        self._prompts: list[Prompt] = []
        self._news = asyncio.Event()
        self._said = ""
        self._client = Client(
            url,
            token,
            on_frame=self._take,
            on_status=self._connection_changed,
            on_prompt=self._prompt_changed,
        )
        if session_id is not None:
            self._open(session_id)

    async def run(self, lines: AsyncIterator[str]) -> None:
        """Serve until :quit or the end of the input; then wait for a script's last answer."""
        async with self._client:
            async for line in lines:
                if line.strip() == ":quit":
                    return
                try:
                    await self._do(line.rstrip("\n"))
                except (httpx.HTTPError, TimeoutError) as exc:
                    # Only prompts are repeated; everything else is shown and forgotten.
                    self.screen.line(f"! That did not reach the server: {exc}")
            async with asyncio.timeout(TURN_WAIT_S):
                await self._until_answered()

    async def _do(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if not line.strip():
            return
        if word in self._COMMANDS:
            await self._COMMANDS[word](self)
        elif word == ":open":
            self._open_listed(rest)
        elif (number := number_of(word.removeprefix(":"))) is not None and word.startswith(":"):
            await self._answer(number)
        elif word.startswith(":"):
            self.screen.line(HELP)
        else:
            self._send(line)

    def _send(self, text: str) -> None:
        session_id = self.screen.session_id
        agent = None if session_id else self._agent
        # Prompts typed before a new session has its id belong to it as well.
        draft = None if session_id else f"terminal {self._drafts}"
        prompt = self._client.send(text, session_id=session_id, draft=draft, agent=agent)
        self._prompts.append(prompt)

    async def _interrupt(self) -> None:
        await self._command("interrupt")

    async def _stop(self) -> None:
        await self._command("stop")

    async def _new(self) -> None:
        self.screen.open(None)
        self._drafts += 1

    async def _answer(self, number: int) -> None:
        """Answer the request that was shown with this number, and no other."""
        choice = self.screen.requests.choice(number)
        if choice is not None:
            self._show_failure(
                await self._client.command(
                    "permission",
                    sessionId=choice.session_id,
                    permId=choice.perm_id,
                    optionId=choice.option_id,
                )
            )
        elif self.screen.requests.was_given(number):
            self.screen.line("That request is no longer open.")
        else:
            self.screen.line("There is no such choice.")

    async def _command(self, name: str) -> None:
        if self.screen.session_id is None:
            self.screen.line("No session is open.")
            return
        self._show_failure(await self._client.command(name, sessionId=self.screen.session_id))

    def _show_failure(self, answer: Answer) -> None:
        if not answer.body.get("ok"):
            self.screen.line(f"! {inset(str(answer.body.get('error', answer.status)))}")

    async def _list(self) -> None:
        answer = await self._client.get("/api/sessions")
        rows = answer.body.get("sessions", [])
        self._listed = [row["sessionId"] for row in rows]
        for number, row in enumerate(rows, 1):
            title = one_line(row["title"] or row["sessionId"])
            self.screen.line(f"{number:3} {title} ({row['runState']})")

    async def _show_skipped(self) -> None:
        skips = self.screen.skips()
        if not skips:
            self.screen.line("Nothing was skipped.")
        for first, last in skips:
            events = await self._events(first, last)
            if events is not None:
                self.screen.show_skipped(first, last, events)

    async def _events(self, first: int, last: int) -> list[Frame] | None:
        """Return the events of this session from first to last; None when the server refuses."""
        events: list[Frame] = []
        path, after = f"/api/sessions/{self.screen.session_id}/events", first - 1
        while after < last:
            answer = await self._client.get(path, after=after, upto=last, limit=EVENTS_PAGE)
            if "events" not in answer.body:
                self._show_failure(answer)
                return None
            page = answer.body["events"]
            if not page:
                break  # the rest is pruned
            events += page
            after = page[-1]["seq"]
        return events

    def _open_listed(self, choice: str) -> None:
        number = number_of(choice) or 0
        if 1 <= number <= len(self._listed):
            self._open(self._listed[number - 1])
        else:
            self.screen.line("There is no such session: see :sessions.")

    def _open(self, session_id: str) -> None:
        self.screen.open(session_id)
        self._client.watch(session_id)

    def _take(self, frame: Frame) -> None:
        self.screen.show(frame)
        self._news.set()

    def _prompt_changed(self, prompt: Prompt) -> None:
        if prompt.state in {PromptState.FAILED, PromptState.EVICTED}:
            said = "Perhaps not sent" if prompt.is_frozen else "Not sent"
            self.screen.line(f"! {said}: {inset(prompt.error or prompt.code or prompt.state)}")
        elif prompt.state is PromptState.ACCEPTED and self.screen.session_id is None:
            self.screen.open(prompt.session_id)
        self._news.set()

    def _connection_changed(self, status: Status) -> None:
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
        while not self._is_answered():
            await self._news.wait()
            self._news.clear()

    def _is_answered(self) -> bool:
        accepted = [p for p in self._prompts if p.state is PromptState.ACCEPTED]
        return all(prompt.client_msg_id in self.screen.answered for prompt in accepted)

    _COMMANDS: ClassVar[dict[str, Callable[[Terminal], Awaitable[None]]]] = {
        ":new": _new,
        ":interrupt": _interrupt,
        ":stop": _stop,
        ":sessions": _list,
        ":skipped": _show_skipped,
    }
