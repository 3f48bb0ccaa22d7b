"""A device: the project's own client, its person, and a record of all that it saw."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx

from lab.chaos.evidence import Connection, Interrupt, Json, Life, Record, SentPrompt, seconds
from lab.chaos.folding import fold
from transport.client import Client, Prompt, StreamState

SEND_TIMEOUT_S: Final = 5.0
# Longer than the server's own deadline, so that a late answer is seen to be late.
INTERRUPT_TIMEOUT_S: Final = 25.0
# Small, so that a burst behind a dead line fills it.
MAX_PENDING: Final = 6
# More would only wait at the end of the run.
MAX_WAITING_IN_SESSION: Final = 5

# What a person writes, with weights. {id} is the prompt's own id.
_PROMPTS: Final[Sequence[tuple[str, float]]] = (
    ("/slow 6", 20),
    ("/flood 1500", 14),
    ("/run echo {id} >> effects.txt", 30),
    ("/run sleep 1", 4),
    ("/plan", 2),
    ("/fail", 6),
    ("/crash", 4),
    ("/hang", 3),
    ("/hang hard", 1),
    ("/refuse-interrupt 20", 2),
    ("/garbage 5", 3),
    ("What is a cursor?", 3),
)


class Device:
    """One client on a line. `run` uses it as a person would until the rest."""

    def __init__(
        self,
        name: str,
        *,
        user: str,
        token: str,
        url: Callable[[], str],
        sessions: Sequence[str],
        random: Random,
        folder: Path,
        makes_session: bool = False,
    ) -> None:
        self.record = Record(name, user)
        self.sessions = list(sessions)
        self.delays: list[float] = []
        self._token = token
        self._url = url
        self._random = random
        self._storage = folder / f"outbox-{name}.json"
        self._makes_session = makes_session
        self._client: Client | None = None
        self._in_url: dict[str, int | None] = {}
        self._states: dict[str, Json] = {}
        self._answered: set[str] = set()
        self._errands: set[asyncio.Task[None]] = set()
        self._rests = asyncio.Event()
        self._may_act = asyncio.Event()
        self._may_act.set()

    @property
    def name(self) -> str:
        """Its name in the report."""
        return self.record.device

    @property
    def client(self) -> Client:
        """The client of its present life."""
        if self._client is None:
            raise RuntimeError("the device is off")
        return self._client

    # --- On, off, frozen ------------------------------------------------------------------------

    async def switch_on(self, cursors: dict[str, int | None] | None = None) -> None:
        """Open the client. cursors: the known ones; without, it begins from snapshots."""
        known = {session_id: (cursors or {}).get(session_id) for session_id in self.sessions}
        held = {name: self._states[name] for name in known if known[name] and name in self._states}
        self._states = dict(held)
        self.record.lives.append(Life(dict(known), held))
        self._client = Client(
            self._url(),
            self._token,
            on_frame=self._on_frame,
            on_raw=self._on_raw,
            on_prompt=self._on_prompt,
            random=self._random,
            max_pending=MAX_PENDING,
            send_timeout_s=SEND_TIMEOUT_S,
            heartbeat_s=1.0,
            storage=self._storage,
            transport=_Recorder(self._note_request),
        )
        for session_id, cursor in known.items():
            self._client.watch(session_id, cursor)
        await self._client.__aenter__()

    async def switch_off(self) -> None:
        """Close the client; its outbox stays in its file."""
        await self._end_errands()
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def reload(self, *, keeps_cursors: bool) -> None:
        """Close and open, as a page that is reloaded."""
        stream = self.client.stream
        self._may_act.clear()
        try:
            await self.switch_off()
            # Only now: what came until its end is in the transcript that is kept.
            await self.switch_on(stream.cursors() if keeps_cursors else None)
        finally:
            self._may_act.set()

    async def freeze(self, *, frozen: bool) -> None:
        """Let the person do nothing, or go on; the line is frozen by its own."""
        if frozen:
            self._may_act.clear()
        else:
            self._may_act.set()
            if self._client is not None:
                self._client.stream.hurry()

    def rest(self) -> None:
        """Write nothing more. Waiting prompts are still sent, permissions are still answered."""
        self._rests.set()

    async def hurry(self) -> None:
        """Let it notice that its line is good again."""
        self.client.stream.hurry()

    async def unsettled(self) -> str:
        """Return the reason of its unrest, in words; empty without one."""
        state, waiting = self.client.stream.status.state, len(self.client.outbox.pending)
        is_settled = state is StreamState.LIVE and not waiting
        return "" if is_settled else f"line {state}, {waiting} prompts to send"

    async def finish(self) -> None:
        """Record nothing: its record is whole."""

    def cursors(self) -> dict[str, int | None]:
        """Return where it stands."""
        return {} if self._client is None else self._client.stream.cursors()

    # --- What is recorded -----------------------------------------------------------------------

    def _on_raw(self, frame: Json) -> None:
        if frame["type"] == "welcome":
            self.record.connections.append(Connection(self._in_url))
        elif self.record.connections:
            self.record.connections[-1].frames.append(frame)

    def _note_request(self, request: httpx.Request) -> None:
        """Record which cursors the client names, just before its request goes out."""
        name = request.url.path.rpartition("/")[2]
        if name == "events":
            self._in_url = _watches(request.url)
            self._note_cursors(self._in_url)
        elif name in {"watch", "resume", "reconnect"}:
            body = json.loads(request.content)
            asked = {p["sessionId"]: p.get("cursor") for p in body.get("sessions", [body])}
            self._note_cursors(asked)
            self._note_asked(asked)
        elif name == "send":
            # A session that is not watched here will be, from a snapshot.
            session_id = json.loads(request.content)["sessionId"]
            if session_id is not None and session_id not in self.client.stream.cursors():
                self._note_asked({session_id: None})

    def _note_asked(self, asked: dict[str, int | None]) -> None:
        if self.record.connections:
            self.record.connections[-1].frames += [
                {"type": "client_asked", "sessionId": session_id, "cursor": cursor}
                for session_id, cursor in asked.items()
            ]

    def _note_cursors(self, sessions: Iterable[str]) -> None:
        """Record where the client stands: it may have begun to watch again, from another place."""
        self.record.lives[-1].applied += [
            (
                time.time(),
                {
                    "type": "client_stands",
                    "sessionId": session_id,
                    "cursor": self.client.stream.cursor(session_id),
                },
            )
            for session_id in sessions
        ]

    def _on_frame(self, frame: Json) -> None:
        now = time.time()
        if "sessionId" not in frame:
            return
        self.record.lives[-1].applied.append((now, frame))
        if "seq" in frame:
            self.delays.append(now - seconds(frame["ts"]))
        self._fold(frame)
        if frame["type"] == "permission_request" or frame.get("permissions"):
            self._errand(self._answer_permissions(frame["sessionId"]))

    def _fold(self, frame: Json) -> None:
        session_id = frame["sessionId"]
        state = self._states.get(session_id)
        if frame["type"] == "session_snapshot":
            if frame["full"]:
                self._states[session_id] = frame
            elif state is not None:
                light = {"permissions": frame["permissions"], "runState": frame["runState"]}
                self._states[session_id] = {**state, **light}
        elif "seq" in frame and state is not None:
            self._states[session_id] = fold(state, frame)

    def _on_prompt(self, prompt: Prompt) -> None:
        sent = self.record.prompts.setdefault(
            prompt.client_msg_id,
            SentPrompt(prompt.client_msg_id, prompt.session_id, prompt.text),
        )
        sent.session_id = prompt.session_id
        sent.state, sent.code = str(prompt.state), prompt.code
        if prompt.seq is not None and prompt.seq not in sent.seqs:
            sent.seqs.append(prompt.seq)
        is_new = prompt.session_id is not None and prompt.session_id not in self.sessions
        if sent.state == "accepted" and is_new and prompt.session_id:
            self.sessions.append(prompt.session_id)
            self._note_asked({prompt.session_id: None})
            self.record.lives[-1].began[prompt.session_id] = None

    # --- What a person does ---------------------------------------------------------------------

    async def run(self) -> None:
        """Use the client until told to rest."""
        if self._makes_session:
            self.write("/slow 3", draft="first")
            self.write("/slow 2", draft="first")
        while not self._rests.is_set():
            await asyncio.sleep(self._random.uniform(0.4, 2.2))
            await self._may_act.wait()
            if self._client is not None and not self._rests.is_set():
                self._act()

    def _act(self) -> None:
        """Do one thing. Each draws the same number of random numbers, whatever comes of it."""
        session_id = self._random.choice(self.sessions)
        deeds: tuple[tuple[Callable[[str], Any], float], ...] = (
            (self._write_one, 60),
            (lambda sid: self._errand(self._interrupt(sid, "interrupt")), 10),
            (lambda sid: self._errand(self._interrupt(sid, "stop")), 3),
            (lambda sid: self._errand(self._command("close", sessionId=sid)), 3),
            (lambda sid: self._errand(self._suspend(sid)), 6),
            (lambda sid: self._errand(self._look_away(sid)), 5),
            (lambda _: self.client.stream.probe(), 5),
            (lambda sid: self._errand(self._command("mode", sessionId=sid, mode="auto")), 2),
        )
        deed = self._random.choices([deed for deed, _ in deeds], [weight for _, weight in deeds])[0]
        deed(session_id)

    def _write_one(self, session_id: str) -> None:
        texts, weights = zip(*_PROMPTS, strict=True)
        text = self._random.choices(texts, weights)[0]
        if self._waiting(session_id) < MAX_WAITING_IN_SESSION:
            self.write(text, session_id=session_id)

    def write(self, text: str, **options: Any) -> None:
        """Send a prompt."""
        client_msg_id = f"{self.name}-{self._random.getrandbits(48):012x}"
        text = text.replace("{id}", client_msg_id)
        self.client.send(text, client_msg_id=client_msg_id, agent="demo", mode="auto", **options)

    async def burst(self, target: int) -> None:
        """Write more at once than the outbox holds."""
        if self._client is None:
            return
        session_id = self.sessions[target % len(self.sessions)]
        for _ in range(MAX_PENDING + 3):
            self.write("/fail", session_id=session_id)

    def _waiting(self, session_id: str) -> int:
        messages = self._states.get(session_id, {}).get("messages", [])
        return sum(message.get("promptState") == "accepted" for message in messages)

    async def _interrupt(self, session_id: str, name: str) -> None:
        began, asked_at = time.monotonic(), time.time()
        answer = await self._post(name, {"sessionId": session_id}, INTERRUPT_TIMEOUT_S)
        if answer is not None and answer.status == httpx.codes.ACCEPTED:
            took = time.monotonic() - began
            self.record.interrupts.append(Interrupt(session_id, took, answer.status, asked_at))

    async def _suspend(self, session_id: str) -> None:
        """Go to the background and come back."""
        await self._command("suspend", sessions=[self._place(session_id)])
        await asyncio.sleep(1.0)
        await self._command("resume", sessions=[self._place(session_id)])

    async def _look_away(self, session_id: str) -> None:
        """Stop watching and come back, with the known cursors."""
        cursor = self.client.stream.cursor(session_id)
        self.client.unwatch(session_id)
        await asyncio.sleep(0.7)
        if session_id not in self.cursors():  # a prompt may have brought it back, from further on
            self.client.watch(session_id, cursor)

    def _place(self, session_id: str) -> Json:
        return {"sessionId": session_id, "cursor": self.client.stream.cursor(session_id) or 0}

    async def _answer_permissions(self, session_id: str) -> None:
        await asyncio.sleep(0.2)
        for permission in self._states.get(session_id, {}).get("permissions", []):
            if permission["permId"] in self._answered:
                continue
            self._answered.add(permission["permId"])
            # No draw in a reaction: how many there are depends on time.
            choice = zlib.crc32(permission["permId"].encode())
            option = permission["options"][choice % len(permission["options"])]
            body = {"sessionId": session_id, "permId": permission["permId"]}
            await self._post("permission", {**body, "optionId": option["id"]})

    async def _command(self, name: str, **body: Any) -> None:
        await self._post(name, body)

    async def _post(self, name: str, body: Json, timeout_s: float = SEND_TIMEOUT_S) -> Any:
        try:
            return await self.client.command(name, timeout_s=timeout_s, **body)
        except (httpx.HTTPError, TimeoutError, OSError, RuntimeError):
            return None  # sent once: a failure is shown, not repeated

    def _errand(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _end_errands(self) -> None:
        tasks = list(self._errands)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Recorder(httpx.AsyncBaseTransport):
    """A recorder of each request before it is sent."""

    def __init__(self, note: Callable[[httpx.Request], None]) -> None:
        self._note = note
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._note(request)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class Stranger(Device):
    """A user who tries to reach others' sessions (I11)."""

    async def run(self) -> None:
        """Try to read, write and stop the sessions of others until told to rest."""
        while not self._rests.is_set():
            await asyncio.sleep(self._random.uniform(1.0, 2.0))
            session_id = self._random.choice(self.sessions)
            for name, body in (
                ("send", {"clientMsgId": f"x-{self._random.random()}", "text": "/run id"}),
                ("interrupt", {}),
                ("watch", {}),
            ):
                answer = await self._post(name, {"sessionId": session_id, **body})
                if answer is not None:
                    self.record.refusals.append((name, answer.status))
            self.client.watch(session_id, 0)


def _watches(url: httpx.URL) -> dict[str, int | None]:
    pairs = (value.partition(":") for name, value in url.params.multi_items() if name == "watch")
    return {name: int(cursor) if cursor else None for name, _, cursor in pairs}
