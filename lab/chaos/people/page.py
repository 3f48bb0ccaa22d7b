"""One more device: a person with the chat page in a real Chromium, and a record of its view.

The record is made inside the page, by recorder.js: the bytes of the wire, the applied frames and,
at the end, the text on the screen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from lab.chaos.evidence import Record
from lab.chaos.people.loading import load_everything
from lab.chaos.people.page_person import PagePerson
from lab.chaos.people.page_record import PageRecord
from lab.chaos.people.window import Window


class PageDevice:
    """The page on a line of its own. `run` uses it as a person would until the rest."""

    def __init__(
        self,
        name: str,
        *,
        user: str,
        cookies: Mapping[str, str],
        url: str,
        sessions: Sequence[str],
        random: Random,
    ) -> None:
        self.record = Record(name, user)
        self._seen = PageRecord(self.record)
        self._cookies = cookies
        self._first = f"/s/{sessions[0]}"
        self._window = Window(name, url)
        self._person = PagePerson(self._window, typed=self._seen.typed, random=random)

    @property
    def name(self) -> str:
        """Its name in the report."""
        return self.record.device

    @property
    def delays(self) -> list[float]:
        """Seconds from each event to this page."""
        return self._seen.delays

    # --- On, off, frozen ------------------------------------------------------------------------

    async def switch_on(self) -> None:
        """Start the browser, log in and open the first session."""
        await self._window.open(
            self._cookies, on_note=self._seen.note, on_error=self.record.errors.append
        )
        await self._window.load(self._first)

    async def switch_off(self) -> None:
        """Close the browser."""
        await self._window.close()

    async def reload(self, *, keeps_cursors: bool) -> None:
        """Load the page again; it never keeps its cursors. With keeps_cursors: by the address."""
        self._person.may_act.clear()
        try:
            async with self._person.hands:
                await self._window.load(self._window.path if keeps_cursors else "/")
        finally:
            self._person.may_act.set()

    async def freeze(self, *, frozen: bool) -> None:
        """Freeze the page as a phone does, or thaw it."""
        if frozen:
            self._person.may_act.clear()
        await self._window.freeze(frozen=frozen)
        if not frozen:
            self._person.may_act.set()

    def rest(self) -> None:
        """Write nothing more."""
        self._person.rests.set()

    async def hurry(self) -> None:
        """Let the page notice that its line is good again; load it where it has not come.

        A browser remembers a module that did not load: the page then offers to be loaded again.
        """
        if not (await self._window.stand())["isReady"]:
            await self._window.load(self._window.path)
        # A page that is on its way to another chat has a new line soon.
        await self._window.attempt(self._window.page.evaluate("dispatchEvent(new Event('online'))"))
        if (await self._window.settle())["offersReload"]:
            await self._window.load(self._window.path)

    async def unsettled(self) -> str:
        """Return the reason of its unrest, in words; empty without one."""
        stand = await self._window.stand()
        pending = [name for name, state in stand["pending"] if state in {"queued", "sending"}]
        if stand["isReady"] and stand["line"] == "live" and not pending:
            return ""
        return f"line {stand['line']}, {len(pending)} prompts to send"

    def cursors(self) -> dict[str, int | None]:
        """Return where the sessions stand that it follows."""
        return self._seen.cursors()

    async def finish(self) -> None:
        """Record the screen, and the fate of every prompt."""
        _, is_session, shown = self._window.path.rpartition("/s/")
        if is_session:
            if why := await load_everything(self._window.page):
                self.record.errors.append(f"not all of the chat could be loaded: {why}")
            self.record.shown[shown] = await self._window.read()
        self._seen.finish(dict((await self._window.stand())["pending"]))

    # --- Its person -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Use the page until the rest."""
        await self._person.run()

    async def burst(self, target: int) -> None:
        """Write faster than anything is answered."""
        await self._person.burst(target)
