"""The chat in a terminal: frames become text, lines become commands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import httpx

from transport.client import Client, Prompt, PromptState, Status, StreamState
from transport.terminal.lines import line_of, lines_of

HELP: Final = """\
A line is a prompt. Lines that begin with a colon are for this program:
:new            begin a new session with the next prompt
:sessions       list sessions      :open NUMBER    go on with one of the list
:NUMBER         answer a permission request
:interrupt      stop the answer    :stop           stop the agent as well
:skipped        show what was said in events that were skipped
:help           this text          :quit           leave; a running answer goes on
"""
# A turn that a script waits for, at the end of its input.
TURN_WAIT_S: Final = 3600.0
EVENTS_PAGE: Final = 200

Write = Callable[[str], None]
Frame = dict[str, Any]


def line_text(status: Status) -> str:
    """Return how the line stands, for a person; since when, where one was lost."""
    is_coming_back = status.state in {StreamState.WAITING, StreamState.CONNECTING}
    state = "reconnecting" if is_coming_back and status.down_since else str(status.state)
    if status.down_since is None:
        return f"[{state}]"
    return f"[{state}, down since {status.down_since.astimezone():%H:%M:%S}]"


def printable(text: str) -> str:
    """Return text without control characters: an agent's output must not steer the terminal."""
    return "".join(c for c in text if c in "\n\t" or c.isprintable())


class Screen:
    """What is shown of one session; pure but for `write`."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self.session_id: str | None = None
        self.permission: Frame | None = None
        # The prompts, by their clientMsgId, whose turns are over.
        self.answered: set[str] = set()
        self._turns: dict[str, str] = {}
        # What was left out and not yet shown: session and first seq → last seq. One that was cut
        # off before its snapshot is announced again, longer.
        self._skips: dict[tuple[str, int], int] = {}
        self._block_type = ""
        self._at_line_start = True

    def line(self, text: str) -> None:
        """Write a line of its own."""
        self._begin_line()
        self._write(f"{printable(text)}\n")

    def show(self, frame: Frame) -> None:
        """Show one frame; those of other sessions are left out."""
        if frame.get("sessionId") != self.session_id:
            return
        line = line_of(frame)
        if line:
            self.line(line)
        handler = getattr(self, f"_{frame['type']}", None)
        if handler is not None:
            handler(frame)

    def skips(self) -> list[tuple[int, int]]:
        """Return what of this session was skipped and not shown, as (first, last) seq."""
        mine = [
            (first, last) for (name, first), last in self._skips.items() if name == self.session_id
        ]
        return sorted(mine)

    def show_skipped(self, first: int, last: int, events: list[Frame]) -> None:
        """Show the events of a skip, which is none any more."""
        self.line(f"— events {first} to {last}, which were skipped —")
        for line in lines_of(events):
            self.line(line)
        self.line("— the end of what was skipped —")
        self._skips.pop((self.session_id or "", first), None)

    def _begin_line(self) -> None:
        if not self._at_line_start:
            self._write("\n")
            self._at_line_start = True

    def _text(self, text: str) -> None:
        clean = printable(text)
        if clean:
            self._write(clean)
            self._at_line_start = clean.endswith("\n")

    def _session_snapshot(self, frame: Frame) -> None:
        if frame["turn"]:
            self._turn_start(frame["turn"])
        requests = frame["permissions"]
        if frame["full"]:
            self.line(f"— {frame['title'] or 'new session'} ({frame['agent']}) —")
            for message in [*frame["messages"], *filter(None, [frame["current"]])]:
                self._message(message)
        if requests and (self.permission or {}).get("permId") != requests[0]["permId"]:
            self.show({"type": "permission_request", "sessionId": self.session_id, **requests[0]})

    def _message(self, message: Frame) -> None:
        if message["role"] == "assistant":
            texts = [b["content"] for b in message["blocks"] if b["blockType"] == "text"]
            self.line("\n".join(texts))
        else:
            if message.get("promptState") in {"answered", "interrupted", "failed"}:
                self.answered.add(message["clientMsgId"])
            mark = "> " if message["role"] == "user" else "! "
            self.line(mark + message["text"])

    def _turn_start(self, frame: Frame) -> None:
        self._turns[frame["turnId"]] = frame["clientMsgId"]

    def _block_start(self, frame: Frame) -> None:
        self._block_type = frame["blockType"]
        self._begin_line()

    def _block_delta(self, frame: Frame) -> None:
        if self._block_type != "tool_use":
            self._text(frame["delta"])

    def _block_end(self, _frame: Frame) -> None:
        self._begin_line()

    def _permission_request(self, frame: Frame) -> None:
        self.permission = frame
        for number, option in enumerate(frame["options"], 1):
            self.line(f"  :{number} {option['label']}")

    def _permission_resolved(self, _frame: Frame) -> None:
        self.permission = None

    def _turn_end(self, frame: Frame) -> None:
        self.answered.add(self._turns.pop(frame["turnId"], ""))
        self.permission = None

    def _replay_skipped(self, frame: Frame) -> None:
        first, last = frame["from"], frame["to"]
        self._skips[frame["sessionId"], first] = last
        self.line(
            f"[{last - first + 1} events were skipped: :skipped shows what was said in them;"
            " the text below is complete again]"
        )


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
        self._line_said = ""
        self._client = Client(
            url,
            token,
            on_frame=self._take,
            on_status=self._line_changed,
            on_prompt=self._prompt_changed,
        )
        if session_id is not None:
            self._open(session_id)

    async def run(self, lines: AsyncIterator[str]) -> None:
        """Serve until the input ends or says :quit; a script's last answer is waited for."""
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
        commands = {
            ":interrupt": self._interrupt,
            ":stop": self._stop,
            ":sessions": self._list,
            ":skipped": self._show_skipped,
        }
        if not line.strip():
            return
        if word in commands:
            await commands[word]()
        elif word == ":open":
            self._open_listed(rest)
        elif word == ":new":
            self.screen.session_id = None
            self._drafts += 1
        elif word.startswith(":") and word[1:].isdigit():
            await self._answer(int(word[1:]))
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

    async def _answer(self, number: int) -> None:
        asked = self.screen.permission
        if asked is None or not 1 <= number <= len(asked["options"]):
            self.screen.line("There is no such choice.")
            return
        option = asked["options"][number - 1]["id"]
        await self._command("permission", permId=asked["permId"], optionId=option)

    async def _command(self, name: str, **body: Any) -> None:
        if self.screen.session_id is None:
            self.screen.line("No session is open.")
            return
        answer = await self._client.command(name, sessionId=self.screen.session_id, **body)
        if not answer.body.get("ok"):
            self.screen.line(f"! {answer.body.get('error', answer.status)}")

    async def _list(self) -> None:
        answer = await self._client.get("/api/sessions")
        rows = answer.body.get("sessions", [])
        self._listed = [row["sessionId"] for row in rows]
        for number, row in enumerate(rows, 1):
            self.screen.line(f"{number:3} {row['title'] or row['sessionId']} ({row['runState']})")

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
            if not answer.is_done:
                self.screen.line(f"! {answer.body.get('error', answer.status)}")
                return None
            page = answer.body["events"]
            if not page:
                break  # the rest is pruned
            events += page
            after = page[-1]["seq"]
        return events

    def _open_listed(self, choice: str) -> None:
        if choice.isdigit() and 1 <= int(choice) <= len(self._listed):
            self._open(self._listed[int(choice) - 1])
        else:
            self.screen.line("There is no such session: see :sessions.")

    def _open(self, session_id: str) -> None:
        self.screen.session_id = session_id
        self._client.watch(session_id)

    def _take(self, frame: Frame) -> None:
        self.screen.show(frame)
        self._news.set()

    def _prompt_changed(self, prompt: Prompt) -> None:
        if prompt.state in {PromptState.FAILED, PromptState.EVICTED}:
            said = "Perhaps not sent" if prompt.is_frozen else "Not sent"
            self.screen.line(f"! {said}: {prompt.error or prompt.code or prompt.state}")
        elif prompt.state is PromptState.ACCEPTED and self.screen.session_id is None:
            self.screen.session_id = prompt.session_id
        self._news.set()

    def _line_changed(self, status: Status) -> None:
        is_live = status.state is StreamState.LIVE
        said = "" if is_live else line_text(status)
        if said and said != self._line_said:
            self.screen.line(said)
        elif is_live and "down since" in self._line_said:
            self.screen.line("[live again]")
        self._line_said = said

    async def _until_answered(self) -> None:
        for prompt in self._prompts:
            await prompt.settled()
        while not self._is_answered():
            await self._news.wait()
            self._news.clear()

    def _is_answered(self) -> bool:
        accepted = [p for p in self._prompts if p.state is PromptState.ACCEPTED]
        return all(prompt.client_msg_id in self.screen.answered for prompt in accepted)
