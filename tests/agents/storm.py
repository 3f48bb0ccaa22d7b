"""Interrupts at random moments, through a whole server: API, log, runner and real agents.

Each round sends a prompt, waits a random moment (the agent may be starting, thinking, answering,
asking, running a tool or done) and interrupts; some rounds stop the agent's process too.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil

from sessions.agents.processes import tree
from tests.agents.talking import Json, Talk, assert_closed
from tests.support.server import Server, eventually

SESSIONS = 4
# Of the rounds, how many end the agent's process: its next start takes some agents seconds.
STOPS = 0.05
# Of the prompts that ask, how many are allowed before the interrupt.
ALLOWED = 0.5
MOMENTS_S = (0.0, 0.02, 0.2, 1.0)


@dataclass(frozen=True)
class Tally:
    """What came of the rounds. answers: of the interrupts; ends: of the turns, by stop reason."""

    answers: Counter[str]
    ends: Counter[str]
    agents_started: int

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.answers + other.answers,
            self.ends + other.ends,
            self.agents_started + other.agents_started,
        )


def storm(server: Server, agent: str, prompts: Sequence[str], *, count: int, last: str) -> Tally:
    """Interrupt count times over a few sessions at once, and check every session's log.

    last: a prompt that each session answers in peace at the end.
    """
    shares = [count // SESSIONS + (place < count % SESSIONS) for place in range(SESSIONS)]
    with server.client("alice") as http, ThreadPoolExecutor(SESSIONS) as threads:
        talk = Talk(http, agent=agent)
        tallies = threads.map(
            lambda place: _one_session(talk, prompts, last, shares[place], f"{agent}/{place}"),
            range(SESSIONS),
        )
        return sum(tallies, Tally(Counter(), Counter(), 0))


def _one_session(talk: Talk, prompts: Sequence[str], last: str, count: int, seed: str) -> Tally:
    chance = random.Random(seed)
    answers: Counter[str] = Counter()
    session_id: str | None = None
    for _ in range(count):
        receipt = talk.send(chance.choice(prompts), session_id)
        session_id = receipt["sessionId"]
        answers[_interrupted(talk, receipt, chance)] += 1
        talk.settled(receipt, within_s=60)
    assert session_id is not None
    receipt = talk.send(last, session_id)
    assert talk.settled(receipt, within_s=60)["promptState"] == "answered"
    talk.stop(session_id)
    talk.until(session_id, state="ENDED")
    events = talk.events(session_id)
    assert_closed(events)
    ends = Counter(event["stopReason"] for event in events if event["type"] == "turn_end")
    assert ends.total() == count + 1
    left = tree.of_session(session_id)
    assert left == [], [psutil.Process(ref.pid).as_dict(["cmdline", "status"]) for ref in left]
    return Tally(answers, ends, sum(event["type"] == "agent_started" for event in events))


def _interrupted(talk: Talk, receipt: Json, chance: random.Random) -> str:
    """Interrupt at a random moment; return what the server answered."""
    session_id = receipt["sessionId"]
    if chance.random() < ALLOWED:
        _allow_when_asked(talk, receipt)
    time.sleep(chance.choice(MOMENTS_S) * chance.random())
    if chance.random() < STOPS:
        talk.stop(session_id)
        return "stop"
    answer = talk.interrupt(session_id)
    return "interrupted" if answer["interrupted"] else answer["code"]


def _allow_when_asked(talk: Talk, receipt: Json) -> None:
    """Wait until the turn says anything, and allow what it asks for."""

    def has_begun() -> bool:
        taken = talk.snapshot(receipt["sessionId"])
        return bool(taken["permissions"] or taken["current"]) or _is_over(taken, receipt)

    eventually(has_begun, within_s=60, what="the first word")
    talk.allow(receipt["sessionId"])


def _is_over(taken: Json, receipt: Json) -> bool:
    prompts = [m for m in taken["messages"] if m.get("clientMsgId") == receipt["clientMsgId"]]
    return any(prompt["stopReason"] for prompt in prompts)
