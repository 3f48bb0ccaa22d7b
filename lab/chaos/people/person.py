"""A person at a client: writes, interrupts, looks away, answers permission requests, goes back."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx

from lab.chaos.evidence import GivenAnswer, Interrupt, Json
from lab.chaos.people.client_record import ClientRecord
from lab.chaos.people.deeds.attaching import Attaching
from lab.chaos.people.deeds.branching import Branching
from lab.chaos.people.deeds.going_back import GoingBack
from lab.chaos.people.deeds.queueing import Queueing
from lab.chaos.people.hands import Hands
from sessions.core.tasks import TaskSet
from transport.client import Client
from transport.client.commands import Answer

# Longer than the server's own deadline, so that a late answer is seen to be late.
INTERRUPT_TIMEOUT_S: Final = 25.0
# Small, so that a burst behind a dead line fills it.
MAX_PENDING: Final = 6
# More would only wait at the end of the run.
MAX_WAITING_IN_SESSION: Final = 5

# The texts of a person, with weights. {id} is the prompt's own id.
_PROMPTS: Final[Sequence[tuple[str, float]]] = (
    ("/slow 6", 20),
    ("/flood 1500", 14),
    ("/run echo {id} >> effects.txt", 30),
    ("/run sleep 1", 4),
    ("/run for i in 1 2 3 4 5; do echo {id}-$i; sleep 0.1; done", 8),
    ("/ask", 12),
    ("/picture", 6),
    ("/edit {id}", 6),
    ("/plan", 2),
    ("/fail", 6),
    ("/crash", 4),
    ("/hang", 3),
    ("/hang hard", 1),
    ("/refuse-interrupt 20", 2),
    ("/garbage 5", 3),
    ("What is a cursor?", 3),
)
# Most people answer.
_ACTIONS: Final = ("accept", "accept", "accept", "decline", "cancel")
_EFFECTS: Final = ("deny", "allow", "ask", "allow")


class Person(Hands):
    """Uses a client until the rest. repository: where worktrees are made."""

    def __init__(
        self,
        record: ClientRecord,
        client: Callable[[], Client | None],
        *,
        random: Random,
        repository: Path,
    ) -> None:
        super().__init__(record, client, random=random)
        self._rules = 0
        self._queueing = Queueing(self)
        self._attaching = Attaching(self)
        self._going_back = GoingBack(self)
        self._branching = Branching(self, repository)
        self._answered: set[str] = set()
        self._errands = TaskSet()
        self.rests = asyncio.Event()
        self.may_act = asyncio.Event()
        self.may_act.set()

    async def leave(self) -> None:
        """End everything that is under way."""
        await self._errands.end()

    async def run(self) -> None:
        """Do one thing after the other until the rest."""
        while not self.rests.is_set():
            await asyncio.sleep(self._random.uniform(0.4, 2.2))
            await self.may_act.wait()
            if not self.is_off and not self.rests.is_set():
                self._act()

    def _act(self) -> None:
        """Do one thing. Each draws the same number of random numbers, with any outcome."""
        session_id = self._random.choice(self.record.sessions)
        deeds: tuple[tuple[Callable[[str], Any], float], ...] = (
            (self._write_one, 60),
            (lambda sid: self._errand(self._interrupt(sid, "interrupt")), 10),
            (lambda sid: self._errand(self._interrupt(sid, "stop")), 3),
            (lambda sid: self._errand(self.post("close", {"sessionId": sid})), 3),
            (lambda sid: self._errand(self._suspend(sid)), 6),
            (lambda sid: self._errand(self._look_away(sid)), 5),
            (lambda sid: self._errand(self._make_rule(sid)), 3),
            (lambda _: self.client.stream.probe(), 5),
            (lambda sid: self._errand(self.post("mode", {"sessionId": sid, "mode": "auto"})), 2),
            *self._deeds_of_work(),
        )
        deed = self._random.choices([deed for deed, _ in deeds], [weight for _, weight in deeds])[0]
        deed(session_id)

    def _deeds_of_work(self) -> tuple[tuple[Callable[[str], Any], float], ...]:
        """Return the deeds about files, folders and waiting prompts."""
        queue, back, branches = self._queueing, self._going_back, self._branching
        return (
            (lambda sid: self._errand(self._attaching.send(sid, self._draw(), self.new_id())), 10),
            (lambda sid: self._errand(queue.edit(sid, self._draw())), 14),
            (lambda sid: self._errand(queue.withdraw(sid, self._draw())), 5),
            (lambda sid: self._errand(queue.reorder(sid, self._draw())), 5),
            (lambda sid: self._errand(back.restore(sid, self._draw())), 12),
            (lambda sid: self._errand(back.undo(sid, self._draw())), 5),
            (lambda _: branches.begin(), 6),
            (lambda _: branches.work(self._draw()), 6),
            (lambda _: self._errand(branches.merge(self._draw())), 5),
            (lambda _: self._errand(branches.discard(self._draw())), 3),
        )

    def _draw(self) -> int:
        return self._random.getrandbits(24)

    def _write_one(self, session_id: str) -> None:
        texts, weights = zip(*_PROMPTS, strict=True)
        text = self._random.choices(texts, weights)[0]
        if len(self.record.waiting(session_id)) < MAX_WAITING_IN_SESSION:
            self.write(text, session_id=session_id)

    def burst(self, target: int) -> None:
        """Write more at once than the outbox holds."""
        sessions = self.record.sessions
        for _ in range(MAX_PENDING + 3):
            self.write("/fail", session_id=sessions[target % len(sessions)])

    async def _interrupt(self, session_id: str, name: str) -> None:
        began, asked_at = time.monotonic(), time.time()
        answer = await self.post(name, {"sessionId": session_id}, timeout_s=INTERRUPT_TIMEOUT_S)
        if answer is not None and answer.status == httpx.codes.ACCEPTED:
            took = time.monotonic() - began
            interrupts = self.record.record.interrupts
            interrupts.append(Interrupt(session_id, took, answer.status, asked_at))

    async def _suspend(self, session_id: str) -> None:
        """Go to the background and come back."""
        await self.post("suspend", {"sessions": [self._place(session_id)]})
        await asyncio.sleep(1.0)
        await self.post("resume", {"sessions": [self._place(session_id)]})

    async def _look_away(self, session_id: str) -> None:
        """Stop watching and come back, with the known cursors."""
        cursor = self.client.stream.cursor(session_id)
        self.client.unwatch(session_id)
        await asyncio.sleep(0.7)
        # A prompt may have brought it back, from further on.
        if session_id not in self.client.stream.cursors():
            self.client.watch(session_id, cursor)

    def _place(self, session_id: str) -> Json:
        return {"sessionId": session_id, "cursor": self.client.stream.cursor(session_id) or 0}

    def look_at(self, frame: Json) -> None:
        """See a frame: a permission request gets an answer."""
        if frame["type"] == "permission_request" or frame.get("permissions"):
            self._errand(self._answer_permissions(frame["sessionId"]))
        if frame["type"] == "question_asked" or frame.get("questions"):
            self._errand(self._answer_questions(frame["sessionId"]))

    async def _answer_permissions(self, session_id: str) -> None:
        await asyncio.sleep(0.2)
        for permission in self.record.permissions(session_id):
            if permission["permId"] in self._answered:
                continue
            self._answered.add(permission["permId"])
            # No draw in a reaction: how many there are depends on time.
            choice = zlib.crc32(permission["permId"].encode())
            option = permission["options"][choice % len(permission["options"])]
            body = {"sessionId": session_id, "permId": permission["permId"]}
            chosen = {"optionId": option["id"], "digest": permission["digest"]}
            self._note(await self.post("permission", body | chosen), body, permission["permId"])

    async def _answer_questions(self, session_id: str) -> None:
        await asyncio.sleep(0.2)
        for question in self.record.questions(session_id):
            own = question["questionId"]
            if own in self._answered:
                continue
            self._answered.add(own)
            action = _ACTIONS[zlib.crc32(own.encode()) % len(_ACTIONS)]
            values = {"colour": "blue", "note": self.record.record.device}
            body: Json = {"sessionId": session_id, "questionId": own, "action": action}
            body["values"] = values if action == "accept" else {}
            self._note(await self.post("answer", body), body, own)

    def _note(self, answer: Answer | None, body: Json, request_id: str) -> None:
        """Note an answer to a request that the server has taken."""
        if answer is not None and answer.status == httpx.codes.OK:
            given = GivenAnswer(request_id, body["sessionId"], body.get("values"))
            self.record.record.answers.append(given)

    async def _make_rule(self, session_id: str) -> None:
        """Let a rule answer some requests of a chat: its pattern is of this device alone."""
        self._rules += 1
        effect = _EFFECTS[self._rules % len(_EFFECTS)]
        pattern = "echo *" if effect == "allow" else f"sleep {self._rules} *"
        body: Json = {"scope": "chat", "effect": effect, "kind": "command", "pattern": pattern}
        await self.change("/api/rules", sessionId=session_id, **body)

    def _errand(self, work: Coroutine[Any, Any, object]) -> None:
        self._errands.start(work, name="errand")
