"""A person at the page: writes, stops, opens another chat, answers permission requests."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

from lab.chaos.people.loading import CLICK_MS
from lab.chaos.people.window import Window

MAX_WAITING: Final = 5
# A button of a permission request that may be pressed by now: a card that was just shown waits.
ARMED: Final = ".permission[data-armed=true] .permission-options button:enabled"

# The texts of a person, with weights.
_PROMPTS: Final[Sequence[tuple[str, float]]] = (
    ("/slow 8", 25),
    ("/flood 1500", 12),
    ("/run echo hello", 15),
    ("/plan", 3),
    ("/fail", 5),
    ("/crash", 4),
    ("/hang", 2),
    ("/refuse-interrupt 20", 2),
    ("What is a cursor?", 8),
    ("**Bold**, `code` & <b>tags</b>", 4),
)


class PagePerson:
    """Uses a page until the rest. typed: gets every text that was sent off."""

    def __init__(self, window: Window, *, typed: Counter[str], random: Random) -> None:
        self._window = window
        self._typed = typed
        self._random = random
        # One thing at a time, as with one pair of hands.
        self.hands = asyncio.Lock()
        self.rests = asyncio.Event()
        self.may_act = asyncio.Event()
        self.may_act.set()

    async def run(self) -> None:
        """Do one thing after the other until the rest."""
        while not self.rests.is_set():
            await asyncio.sleep(self._random.uniform(0.4, 1.8))
            await self.may_act.wait()
            if not self.rests.is_set():
                async with self.hands:
                    await self._act()

    async def _act(self) -> None:
        stand = await self._window.stand()
        if not stand["isReady"]:
            await self._window.attempt(self._window.load_once("/"))
            return
        if stand["offersReload"]:
            await self._window.attempt(self._window.load_once(self._window.path))
            return
        await self._window.attempt(self._decide())
        deeds: tuple[tuple[Callable[[], Any], float], ...] = (
            (lambda: self._write(stand["waiting"]), 60),
            (lambda: self._click("#stop:visible"), 8),
            (self._open_another, 10),
            (lambda: self._click("#new-chat"), 3),
            (lambda: self._click(".skip button:visible"), 5),
            (lambda: self._window.go_offline(0.8), 4),
        )
        deed = self._random.choices([deed for deed, _ in deeds], [weight for _, weight in deeds])[0]
        await self._window.attempt(deed())

    async def burst(self, target: int) -> None:
        """Write faster than anything is answered."""
        async with self.hands:
            for number in range(6):
                await self._window.attempt(self._type(f"/slow {target % 5 + number}"))

    async def _write(self, waiting: int) -> None:
        texts, weights = zip(*_PROMPTS, strict=True)
        text = self._random.choices(texts, weights)[0]
        if waiting < MAX_WAITING:
            await self._type(text)

    async def _type(self, text: str) -> None:
        prompt = self._window.page.locator("#prompt")
        await prompt.fill(text)
        await prompt.press("Enter")
        self._typed[text] += 1

    async def _decide(self) -> None:
        """Answer an open permission, one way or another."""
        buttons = self._window.page.locator(ARMED)
        count = await buttons.count()
        if count:
            await buttons.nth(count // 2).click(timeout=CLICK_MS)

    async def _click(self, selector: str) -> None:
        found = self._window.page.locator(selector)
        if await found.count():
            await found.first.click(timeout=CLICK_MS)

    async def _open_another(self) -> None:
        rows = self._window.page.locator("#sessions .row-link")
        count = await rows.count()
        if count:
            await rows.nth(self._random.randrange(count)).click(timeout=CLICK_MS)
