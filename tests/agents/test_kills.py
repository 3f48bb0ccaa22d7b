"""kill -9 of the runner, the agent and the server, in every state of a turn.

Real processes: web and runner apart, sharing one database. Whatever is killed when, each prompt
has one outcome, nothing runs twice, nothing stays open, and no process is left (I7, I9, I10).
"""

import contextlib
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from lab.rig.processes import Process
from sessions.agents.processes import tree
from tests.agents import table
from tests.agents.talking import PATIENCE_S, Talk, assert_closed
from tests.support.server import ROOT, Server, eventually, make_server

__all__ = ["make_server"]

QUICK = {
    "CHAT_LEASE_S": "3",  # a runner of a busy machine can still renew it in time
    "CHAT_INTERRUPT_TIMEOUT_S": "0.5",
    "CHAT_SENDS_PER_MINUTE": "1000",
    "CHAT_STOP_GRACE_S": "1.5",
}


class Chat(Talk):
    """Somebody who waits for the states of a turn."""

    def ask_to_stop(self, session_id: str) -> None:
        """Ask for an interrupt, and do not wait for what comes of it."""
        with contextlib.suppress(httpx.ReadTimeout):
            body = {"sessionId": session_id}
            self.http.post("/api/chat/interrupt", json=body, timeout=httpx.Timeout(20, read=0.3))

    def reaches(self, receipt: dict, state: str) -> None:
        """Wait until the prompt's turn is in the named state."""
        session_id = receipt["sessionId"]
        claims = {
            "accepted": lambda s: True,
            "starting": lambda s: s["state"] == "STARTING" and tree.of_session(session_id),
            "streaming": lambda s: (
                s["current"] and any(b["content"] for b in s["current"]["blocks"])
            ),
            "asking": lambda s: s["permissions"],
            "questioning": lambda s: s["questions"],
            "tool": lambda s: (
                s["turn"] and not s["permissions"] and strays_besides_agent(session_id)
            ),
            "stopping": lambda s: (
                s["turn"]
                and any(e["type"] == "interrupt_requested" for e in self.events(session_id))
            ),
            "idle": lambda s: s["runState"] == "idle" and s["state"] in {"ACTIVE", "DETACHED"},
        }
        eventually(
            lambda: claims[state](self.snapshot(session_id)), within_s=PATIENCE_S, what=state
        )


def strays_besides_agent(session_id: str) -> bool:
    return len(tree.of_session(session_id)) > 1


# A demo agent that does not come up while a file is there.
HELD = """
while test -e "$HOLD"; do sleep 0.05; done
exec "$PYTHON" -P -m sessions.agents.programs.demo
"""


class World:
    """A web process, its runners, and somebody who chats."""

    def __init__(self, server: Server, http: httpx.Client, hold: Path) -> None:
        self.server = server
        self.chat = Chat(http)
        self.hold = hold
        self.running = contextlib.ExitStack()

    def start_runner(self) -> Process:
        return self.running.enter_context(self.server.beside("run_agents"))


@contextlib.contextmanager
def working_world(
    make_server,
    folder: Path,
    environment: dict[str, str],
    *,
    options: Sequence[str] = ("--no-agents",),
) -> Iterator[World]:
    hold, agents = folder / "hold", folder / "agents.toml"
    env = {"HOLD": str(hold), "PYTHON": sys.executable}
    command = json.dumps(["sh", "-c", HELD])
    variables = "\n".join(f"{name} = {json.dumps(value)}" for name, value in env.items())
    agents.write_text(f"[agents.demo]\ncommand = {command}\n[agents.demo.env]\n{variables}\n")
    environment = environment | {"CHAT_AGENTS_FILE": str(agents)}
    server = make_server(environment=environment, options=list(options))
    with server.client("alice") as http:
        made = World(server, http, hold)
        with made.running:
            yield made


@pytest.fixture
def world(make_server, tmp_path):
    with working_world(make_server, tmp_path, QUICK) as made:
        yield made


@pytest.fixture
def patient_world(make_server, tmp_path):
    """One in which an agent that does not obey has so long that it can be killed meanwhile."""
    with working_world(make_server, tmp_path, QUICK | {"CHAT_INTERRUPT_TIMEOUT_S": "8"}) as made:
        yield made


PROMPTS = {
    "accepted": "/slow 3",
    "starting": "/slow 3",
    "streaming": "/slow 300",
    "asking": "/run sleep 300",
    "questioning": "/ask",
    "tool": "/run setsid sleep 300",
    "stopping": "/hang",
    "idle": "/slow 1",
}
VICTIMS = ("agent", "runner", "server")


@pytest.mark.parametrize("state", PROMPTS)
@pytest.mark.parametrize("victim", VICTIMS)
def test_i10_kill_9_in_every_state_of_a_turn(patient_world, victim, state):
    world = patient_world
    chat, runner = world.chat, world.start_runner()
    if state == "starting":
        world.hold.touch()
    receipt = chat.send(PROMPTS[state])
    session_id = receipt["sessionId"]
    bring_about(chat, receipt, state)
    kill(victim, world, runner, session_id)
    world.hold.unlink(missing_ok=True)
    assert end_turn(chat, receipt, victim, state) == EXPECTED[victim, state]
    again = chat.send("/slow 2", session_id)
    assert chat.settled(again)["promptState"] == "answered"
    events = chat.events(session_id)
    assert_closed(events)
    turns = [event["clientMsgId"] for event in events if event["type"] == "turn_start"]
    assert turns == [receipt["clientMsgId"], again["clientMsgId"]]
    world.running.close()
    assert tree.of_session(session_id) == []


# What the prompt that was under way comes to: (promptState, stopReason).
DONE = ("answered", "end_turn")
RESTART = ("interrupted", "server_restart")
CRASH = ("failed", "agent_crashed")
NO_START = ("failed", "error")
STOPPED = ("interrupted", "interrupted")
EXPECTED = {
    # Not handed to an agent yet, or over: it runs, or has run, as if nothing had happened.
    ("agent", "accepted"): DONE,
    ("runner", "accepted"): DONE,
    ("server", "accepted"): DONE,
    ("agent", "idle"): DONE,
    ("runner", "idle"): DONE,
    ("server", "idle"): DONE,
    # An agent that dies before it is up is an agent that cannot start; without a runner the next
    # one starts another.
    ("agent", "starting"): NO_START,
    ("runner", "starting"): DONE,
    ("server", "starting"): DONE,
    # Handed to an agent: reported, never run twice.
    ("agent", "streaming"): CRASH,
    ("agent", "asking"): CRASH,
    ("agent", "questioning"): CRASH,
    ("agent", "tool"): CRASH,
    ("runner", "streaming"): RESTART,
    ("runner", "asking"): RESTART,
    ("runner", "questioning"): RESTART,
    ("runner", "tool"): RESTART,
    # The turn goes on without the web process (I9), until it is stopped through its next one.
    ("server", "streaming"): STOPPED,
    ("server", "asking"): STOPPED,
    ("server", "questioning"): STOPPED,
    ("server", "tool"): STOPPED,
    # Somebody has asked for its end, and the agent does not obey.
    ("agent", "stopping"): STOPPED,
    ("runner", "stopping"): RESTART,
    ("server", "stopping"): STOPPED,
}


def matrix() -> str:
    """Return EXPECTED as the table of docs/lab/agent-contract.md."""
    lines = [table.line(["killed", *PROMPTS]), table.line(["---"] * (len(PROMPTS) + 1))]
    for victim in VICTIMS:
        outcomes = (EXPECTED[victim, state] for state in PROMPTS)
        lines.append(table.line([victim, *(f"{state}: `{why}`" for state, why in outcomes)]))
    return "\n".join(lines)


def test_the_documented_outcomes_of_kill_9_are_the_expected_ones():
    assert matrix() in (ROOT / "docs/lab/agent-contract.md").read_text(encoding="utf-8")


def bring_about(chat: Chat, receipt: dict, state: str) -> None:
    """Bring the prompt's turn into a state."""
    session_id = receipt["sessionId"]
    if state == "tool":
        chat.reaches(receipt, "asking")
        assert chat.allow(session_id)
    if state == "stopping":
        chat.reaches(receipt, "streaming")
        chat.ask_to_stop(session_id)
    if state == "idle":
        chat.settled(receipt)
    chat.reaches(receipt, state)


def kill(victim: str, world: World, runner: Process | None, session_id: str) -> None:
    """Kill -9, and start again what a supervisor would start again."""
    if victim == "runner" and runner is not None:
        runner.kill()
        world.start_runner()
    elif victim == "server":
        world.server.kill()
        world.server.start()
    else:
        tree.send_signal(tree.of_session(session_id)[:1], signal.SIGKILL)


def end_turn(chat: Chat, receipt: dict, victim: str, state: str) -> tuple[str, str]:
    if victim == "server" and state in {"streaming", "asking", "questioning", "tool"}:
        assert chat.prompt(receipt)["promptState"] == "dispatched"
        chat.interrupt(receipt["sessionId"])
    prompt = chat.settled(receipt)
    return prompt["promptState"], prompt["stopReason"]


def test_a_question_outlives_the_web_process_and_is_answered_through_the_next(world):
    chat = world.chat
    world.start_runner()
    receipt = chat.send("/ask")
    chat.reaches(receipt, "questioning")
    session_id = receipt["sessionId"]
    [asked] = chat.snapshot(session_id)["questions"]
    for _ in range(2):
        world.server.kill()
        world.server.start()
        taken = chat.snapshot(session_id)
        assert (taken["questions"], taken["runState"]) == ([asked], "requires_action")
    body = {"sessionId": session_id, "questionId": asked["questionId"], "action": "accept"}
    body |= {"digest": asked["digest"], "values": {"colour": "red", "day": "2026-12-31"}}
    refused = world.chat.http.post("/api/chat/answer", json=body | {"values": {"day": "soon"}})
    assert (refused.status_code, set(refused.json()["fields"])) == (400, {"colour", "day"})
    assert world.chat.http.post("/api/chat/answer", json=body).status_code == 200
    assert chat.settled(receipt)["promptState"] == "answered"
    [answered] = [e for e in chat.events(session_id) if e["type"] == "question_answered"]
    assert (answered["values"], answered["by"]) == (body["values"], "alice")
    assert "You answered colour: red, day: 2026-12-31" in str(chat.snapshot(session_id)["messages"])
    again = world.chat.http.post("/api/chat/answer", json=body)
    assert (again.status_code, again.json()["code"]) == (409, "question_answered")


@pytest.mark.parametrize(
    ("victim", "reason"), [("agent", "interrupted"), ("runner", "restart"), ("whole", "restart")]
)
def test_a_question_whose_agent_is_gone_is_closed_with_an_event(
    make_server, tmp_path, victim, reason
):
    """The whole: one process that serves pages and runs the agents."""
    with contextlib.ExitStack() as running:
        is_whole = victim == "whole"
        world = running.enter_context(
            working_world(
                make_server, tmp_path, QUICK, options=() if is_whole else ("--no-agents",)
            )
        )
        runner = None if is_whole else world.start_runner()
        chat = world.chat
        receipt = chat.send("/ask")
        chat.reaches(receipt, "questioning")
        session_id = receipt["sessionId"]
        [asked] = chat.snapshot(session_id)["questions"]
        kill("server" if is_whole else victim, world, runner, session_id)
        prompt = chat.settled(receipt)
        assert (prompt["promptState"], prompt["stopReason"]) == (
            CRASH if victim == "agent" else RESTART
        )
        events = chat.events(session_id)
        assert_closed(events)
        [closed] = [e for e in events if e["type"] == "question_answered"]
        assert closed["questionId"] == asked["questionId"]
        assert (closed["action"], closed["by"], closed["reason"]) == ("cancel", "server", reason)
        taken = chat.snapshot(session_id)
        assert (taken["questions"], taken["runState"]) == ([], "idle")
        late = {"sessionId": session_id, "questionId": asked["questionId"], "action": "decline"}
        answer = chat.http.post("/api/chat/answer", json=late)
        assert (answer.status_code, answer.json()["reason"]) == (409, reason)


def test_i10_a_second_runner_takes_over_within_the_lease(world):
    chat, first, second = world.chat, world.start_runner(), world.start_runner()
    receipts = [chat.send("/slow 40") for _ in range(4)]
    for receipt in receipts:
        chat.reaches(receipt, "streaming")
    first.kill()
    waiting = [chat.send("/slow 1", receipt["sessionId"]) for receipt in receipts]
    for receipt, queued in zip(receipts, waiting, strict=True):
        # Answered where the second owned it, else reported as interrupted by the restart.
        assert chat.settled(receipt)["stopReason"] in {"end_turn", "server_restart"}
        assert chat.settled(queued)["promptState"] == "answered"
        assert_closed(chat.events(receipt["sessionId"]))
    assert second.end(signal.SIGTERM) == 0
    assert [tree.of_session(receipt["sessionId"]) for receipt in receipts] == [[]] * 4


def test_a_graceful_stop_lets_a_short_turn_finish_and_interrupts_a_long_one(world):
    chat, runner = world.chat, world.start_runner()
    short, long = chat.send("/slow 6"), chat.send("/slow 300")
    for receipt in (short, long):
        chat.reaches(receipt, "streaming")
    assert runner.end(signal.SIGTERM) == 0
    assert chat.prompt(short)["promptState"] == "answered"
    assert chat.prompt(long)["stopReason"] == "server_restart"
    for receipt in (short, long):
        assert chat.snapshot(receipt["sessionId"])["state"] == "ENDED"
        assert_closed(chat.events(receipt["sessionId"]))
        assert tree.of_session(receipt["sessionId"]) == []


STUBBORN = (
    "python3 -c 'import os,signal,subprocess,time;"
    "signal.signal(signal.SIGTERM,signal.SIG_IGN);signal.signal(signal.SIGINT,signal.SIG_IGN);"
    'subprocess.Popen(["sleep","301"],start_new_session=True);time.sleep(300)\''
)


def test_a_stop_leaves_no_process_of_a_stubborn_tool_or_of_its_grandchild(world):
    chat = world.chat
    world.start_runner()
    receipt = chat.send(f"/run {STUBBORN}")
    session_id = receipt["sessionId"]
    chat.reaches(receipt, "asking")
    assert chat.allow(session_id)
    eventually(lambda: len(tree.of_session(session_id)) >= 3, what="agent, tool and grandchild")
    chat.stop(session_id)
    assert chat.settled(receipt)["promptState"] == "interrupted"
    eventually(lambda: chat.snapshot(session_id)["state"] == "ENDED", what="the end")
    assert tree.of_session(session_id) == []
    assert_closed(chat.events(session_id))
