"""The running answer, in a terminal: stopped, its agent too, or the agent ended behind it."""

from __future__ import annotations

from typing import Any, Final

from transport.terminal.desk import Desk, Words

HELP: Final = """\
:interrupt      stop the answer    :stop           stop the agent as well
:close          end the agent process when its prompts have run; the chat stays
:qNUMBER NAME=VALUE …            answer a question; or :qNUMBER decline, :qNUMBER cancel
:again          let the agent ask again the request or the question that expired last
"""


class Answering:
    """Commands about the turn that runs, and answers to the agent's questions."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def words(self) -> Words:
        """Return the commands by their words; each takes the rest of its line."""
        return {":interrupt": self._interrupt, ":stop": self._stop, ":close": self._close}

    async def reply(self, number: int, words: str) -> None:
        """Answer the question that was shown with this number."""
        try:
            body: dict[str, Any] = self._desk.screen.questions.reply(number, words)
        except ValueError as exc:
            self._desk.say(f"! {exc}")
        else:
            await self._desk.command("answer", **body)

    async def _interrupt(self, _rest: str) -> None:
        await self._desk.command("interrupt")

    async def _stop(self, _rest: str) -> None:
        await self._desk.command("stop")

    async def _close(self, _rest: str) -> None:
        if await self._desk.command("close"):
            self._desk.say("[the chat ends when its prompts have run]")
