"""One more device: a person with the chat page in a real Chromium, and a record of its view.

The record is made inside the page, by recorder.js: the bytes of the wire, the applied frames and,
at the end, the text on the screen.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any, Final

from playwright.async_api import BrowserContext, CDPSession, Error, Page, async_playwright

from lab.chaos.evidence import Connection, Json, Life, Record, SentPrompt, seconds
from lab.chaos.loading import CLICK_MS, load_everything
from lab.rig import chromium
from transport.client.sse import FrameParser

logger = logging.getLogger(__name__)

RECORDER: Final = Path(__file__).with_name("recorder.js")
LOAD_MS: Final = 8_000
# A person notices that a page has not come, and loads it again.
RELOAD_S: Final = 0.5
MAX_WAITING: Final = 5

# What a person writes here, with weights.
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

# The transcript as a person reads it: [kind, text] from top to bottom.
_READ: Final = """() => [...document.querySelectorAll("#transcript > .prompt, #transcript > .answer")].filter((item) => {
  const buttons = [...item.querySelectorAll("button:not([hidden])")];
  return !buttons.some((button) => button.textContent === "Send again"); // shown as not sent: no part of the log
}).map((item) => {
  if (item.classList.contains("prompt")) return ["prompt", item.querySelector(".prompt-text").textContent];
  const texts = [...item.children].filter((part) => part.classList.contains("prose")).map((part) => {
    const copy = part.cloneNode(true);
    copy.querySelectorAll(".code-frame > :not(pre)").forEach((tool) => tool.remove());
    return copy.textContent;
  });
  return ["answer", texts.join("")];
})"""  # noqa: E501 (JavaScript)
_STAND: Final = """() => ({
  isReady: document.body?.dataset.ready === "true",
  line: document.getElementById("line")?.dataset.kind ?? "none",
  pending: Object.keys(sessionStorage).filter((key) => key.startsWith("backstay.outbox."))
    .flatMap((key) => JSON.parse(sessionStorage[key]).entries)
    .map((entry) => [entry.clientMsgId, entry.state]),
  waiting: document.querySelectorAll('.prompt[data-state="accepted"]').length,
})"""


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
        self.delays: list[float] = []
        self._cookies = cookies
        self._url = url
        self._sessions = list(sessions)
        self._random = random
        self._running = AsyncExitStack()
        self._context: BrowserContext | None = None
        self._page: Page | None = None
        self._devtools: CDPSession | None = None
        # One thing at a time, as with one pair of hands.
        self._hands = asyncio.Lock()
        self._rests = asyncio.Event()
        self._may_act = asyncio.Event()
        self._may_act.set()
        # Texts that were typed and sent off, and the sends that carried them.
        self._typed: Counter[str] = Counter()
        # Of the page that is loaded now.
        self._connections: dict[int, tuple[Connection, FrameParser]] = {}
        self._newest: Connection | None = None
        self._cursors: dict[str, int | None] = {}
        self._watched: set[str] = set()

    @property
    def name(self) -> str:
        """Its name in the report."""
        return self.record.device

    # --- On, off, frozen ------------------------------------------------------------------------

    async def switch_on(self) -> None:
        """Start the browser, log in and open the first session."""
        playwright = await self._running.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(
            executable_path=chromium.find(), args=list(chromium.ARGUMENTS)
        )
        self._running.push_async_callback(browser.close)
        self._context = await browser.new_context()
        self._context.set_default_timeout(CLICK_MS)
        await self._context.add_cookies(
            [
                {"name": name, "value": value, "url": self._url}
                for name, value in self._cookies.items()
            ]
        )
        await self._context.expose_binding("chaosNote", self._note)
        await self._context.add_init_script(path=RECORDER)
        self._page = await self._context.new_page()
        self._page.on("pageerror", lambda error: self.record.errors.append(error.message))
        self._devtools = await self._context.new_cdp_session(self._page)
        await self._load(f"/s/{self._sessions[0]}")

    async def switch_off(self) -> None:
        """Close the browser."""
        self._context = self._page = self._devtools = None
        await self._running.aclose()

    async def reload(self, *, keeps_cursors: bool) -> None:
        """Load the page again; it never keeps its cursors. With keeps_cursors: by the address."""
        page = self._required()
        self._may_act.clear()
        try:
            async with self._hands:
                await self._load(page.url.removeprefix(self._url) if keeps_cursors else "/")
        finally:
            self._may_act.set()

    async def freeze(self, *, frozen: bool) -> None:
        """Freeze the page as a phone does, or thaw it."""
        if frozen:
            self._may_act.clear()
        if self._devtools is not None:
            state = "frozen" if frozen else "active"
            await self._devtools.send("Page.setWebLifecycleState", {"state": state})
        if not frozen:
            self._may_act.set()

    def rest(self) -> None:
        """Write nothing more."""
        self._rests.set()

    async def hurry(self) -> None:
        """Let the page notice that its line is good again; load it where it has not come."""
        page = self._required()
        if not (await self._stand())["isReady"]:
            await self._load(page.url.removeprefix(self._url))
        await page.evaluate("dispatchEvent(new Event('online'))")

    async def unsettled(self) -> str:
        """Return the reason of its unrest, in words; empty without one."""
        stand = await self._stand()
        pending = [name for name, state in stand["pending"] if state in {"queued", "sending"}]
        if stand["isReady"] and stand["line"] == "live" and not pending:
            return ""
        return f"line {stand['line']}, {len(pending)} prompts to send"

    def cursors(self) -> dict[str, int | None]:
        """Return where the sessions stand that it follows."""
        return {name: self._cursors.get(name) for name in self._watched}

    async def finish(self) -> None:
        """Record the screen, and the fate of every prompt."""
        page = self._required()
        _, is_session, shown = page.url.rpartition("/s/")
        if is_session:
            if why := await load_everything(page):
                self.record.errors.append(f"not all of the chat could be loaded: {why}")
            self.record.shown[shown] = [(kind, text) for kind, text in await page.evaluate(_READ)]
        self._part_with_unwatched()
        waiting = dict((await self._stand())["pending"])
        in_log = {message_id for life in self.record.lives for message_id in _prompts_in(life)}
        for sent in self.record.prompts.values():
            if sent.state == "sending" and sent.client_msg_id in in_log:
                sent.state = "accepted"  # its receipt was lost, and the log has told the page
            elif sent.client_msg_id in waiting:
                sent.state = waiting[sent.client_msg_id]
        lost = self._typed - Counter(sent.text for sent in self.record.prompts.values())
        for number, text in enumerate(lost.elements()):
            name = f"typed-{number}"
            self.record.prompts[name] = SentPrompt(name, None, text)

    def _part_with_unwatched(self) -> None:
        """A session that is not followed any more has ended its life before the others."""
        last = self.record.lives[-1]
        for session_id in set(last.began) - self._watched:
            mine = [(at, frame) for at, frame in last.applied if frame["sessionId"] == session_id]
            self.record.lives.insert(-1, Life({session_id: last.began.pop(session_id)}, {}, mine))

    def _required(self) -> Page:
        if self._page is None:
            raise RuntimeError("the page is closed")
        return self._page

    async def _load(self, path: str) -> None:
        """Load the page until it has come, as a person with the reload button does."""
        while True:
            if await self._try(self._load_once(path)):
                return
            await asyncio.sleep(RELOAD_S)

    async def _load_once(self, path: str) -> None:
        page = self._required()
        await page.goto(self._url + path, wait_until="commit", timeout=LOAD_MS)
        await page.wait_for_selector("body[data-ready]", state="attached", timeout=LOAD_MS)

    async def _stand(self) -> Json:
        stand: Json = {"isReady": False, "line": "none", "pending": [], "waiting": 0}
        page = self._required()

        async def look() -> None:
            stand.update(await asyncio.wait_for(page.evaluate(_STAND), LOAD_MS / 1000))

        await self._try(look())
        return stand

    async def _try(self, deed: Any) -> bool:
        """Try an action that an absent or busy page may refuse; return whether it worked."""
        try:
            await deed
        except (Error, TimeoutError) as exc:
            logger.info("%s could not: %s", self.name, str(exc).partition("\n")[0])
            return False
        return True

    # --- What is recorded -----------------------------------------------------------------------

    def _note(self, _source: object, kind: str, at: float, data: Json) -> None:
        match kind:
            case "began":
                self.record.lives.append(Life({}))
                self._connections, self._newest = {}, None
                self._cursors, self._watched = {}, set()
            case "opened":
                asked = {name: int(cursor) if cursor else None for name, cursor in _places(data)}
                self._newest = Connection(asked)
                self._connections[data["number"]] = (self._newest, FrameParser())
                self.record.connections.append(self._newest)
                # Without a line an end of watching is not told; the next line says what is left.
                self._watched = set(asked)
                for session_id, cursor in asked.items():
                    self._stands(session_id, cursor, at)
            case "received":
                connection, parser = self._connections[data["number"]]
                for frame in parser.push(data["text"].encode()):
                    connection.frames.append({"type": frame.event, **json.loads(frame.data)})
            case "applied":
                self._applied(at, data)
            case "asked":
                self._asked(at, data["name"], data["body"])
            case "answered" if data["name"] == "send":
                self._answered(data["body"], data["status"], data["answer"])

    def _stands(self, session_id: str, cursor: int | None, at: float) -> None:
        """Note from where the page follows a session."""
        life = self.record.lives[-1]
        self._watched.add(session_id)
        if session_id not in life.began:
            life.began[session_id] = cursor
        stands = {"type": "client_stands", "sessionId": session_id, "cursor": cursor}
        life.applied.append((at, stands))
        self._cursors[session_id] = cursor

    def _applied(self, at: float, frame: Json) -> None:
        self.record.lives[-1].applied.append((at, frame))
        if "seq" in frame:
            self._cursors[frame["sessionId"]] = frame["seq"]
            self.delays.append(at - seconds(frame["ts"]))
        elif frame["type"] == "session_snapshot":
            self._cursors[frame["sessionId"]] = frame["cursor"]

    def _asked(self, at: float, name: str, body: Json) -> None:
        places = body.get("sessions", [body])
        if name in {"watch", "reconnect"}:
            for place in places:
                self._stands(place["sessionId"], place.get("cursor"), at)
        if name in {"watch", "reconnect", "resume"}:
            self._wished({place["sessionId"]: place.get("cursor") for place in places})
        elif name == "unwatch":
            self._watched.discard(body["sessionId"])
        elif name == "send":
            sent = SentPrompt(body["clientMsgId"], body["sessionId"], body["text"], "sending")
            self.record.prompts.setdefault(body["clientMsgId"], sent)
            if body["sessionId"] is not None and body["sessionId"] not in self._watched:
                self._wished({body["sessionId"]: None})

    def _answered(self, body: Json, status: int, answer: Json | None) -> None:
        sent = self.record.prompts[body["clientMsgId"]]
        if status == 202 and answer is not None:
            sent.state, sent.session_id = "accepted", answer["sessionId"]
            if answer["seq"] not in sent.seqs:
                sent.seqs.append(answer["seq"])
            if body["sessionId"] is None and answer["sessionId"] not in self._watched:
                # The page adopts its new session, which the server follows for it.
                self._wished({answer["sessionId"]: None})

    def _wished(self, places: Mapping[str, int | None]) -> None:
        if self._newest is not None:
            self._newest.frames += [
                {"type": "client_asked", "sessionId": session_id, "cursor": cursor}
                for session_id, cursor in places.items()
            ]

    # --- What a person does ---------------------------------------------------------------------

    async def run(self) -> None:
        """Use the page until told to rest."""
        while not self._rests.is_set():
            await asyncio.sleep(self._random.uniform(0.4, 1.8))
            await self._may_act.wait()
            if not self._rests.is_set():
                async with self._hands:
                    await self._act()

    async def _act(self) -> None:
        stand = await self._stand()
        if not stand["isReady"]:
            await self._try(self._load_once("/"))
            return
        await self._decide()
        deeds: tuple[tuple[Callable[[], Any], float], ...] = (
            (lambda: self._write(stand["waiting"]), 60),
            (lambda: self._click("#stop:visible"), 8),
            (self._open_another, 10),
            (lambda: self._click("#new-chat"), 3),
            (lambda: self._click(".skip button:visible"), 5),
            (self._go_offline, 4),
        )
        deed = self._random.choices([deed for deed, _ in deeds], [weight for _, weight in deeds])[0]
        await self._try(deed())

    async def _write(self, waiting: int) -> None:
        texts, weights = zip(*_PROMPTS, strict=True)
        text = self._random.choices(texts, weights)[0]
        if waiting < MAX_WAITING:
            await self._type(text)

    async def _type(self, text: str) -> None:
        prompt = self._required().locator("#prompt")
        await prompt.fill(text)
        await prompt.press("Enter")
        self._typed[text] += 1

    async def burst(self, target: int) -> None:
        """Write faster than anything is answered."""
        async with self._hands:
            for number in range(6):
                await self._try(self._type(f"/slow {target % 5 + number}"))

    async def _decide(self) -> None:
        """Answer an open permission, one way or another."""
        buttons = self._required().locator(".permission-options button:enabled")
        await self._try(self._press_one(buttons))

    async def _press_one(self, buttons: Any) -> None:
        count = await buttons.count()
        if count:
            await buttons.nth(count // 2).click(timeout=CLICK_MS)

    async def _click(self, selector: str) -> None:
        found = self._required().locator(selector)
        if await found.count():
            await found.first.click(timeout=CLICK_MS)

    async def _open_another(self) -> None:
        rows = self._required().locator("#sessions .row-link")
        count = await rows.count()
        if count:
            await rows.nth(self._random.randrange(count)).click(timeout=CLICK_MS)

    async def _go_offline(self) -> None:
        context = self._context
        if context is not None:
            await context.set_offline(True)
            try:
                await asyncio.sleep(0.8)
            finally:
                await context.set_offline(False)


def _places(opened: Json) -> list[tuple[str, str]]:
    pairs = (name.partition(":") for name in opened["watch"])
    return [(session_id, cursor) for session_id, _, cursor in pairs]


def _prompts_in(life: Life) -> set[str]:
    """Return the prompts that the frames of a life show to be in the log."""
    frames = [frame for _, frame in life.applied]
    told = {frame["clientMsgId"] for frame in frames if frame["type"] == "user_message"}
    messages = (message for frame in frames for message in frame.get("messages", []))
    return told | {message["clientMsgId"] for message in messages if message["role"] == "user"}
