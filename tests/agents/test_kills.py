"""kill -9 of the runner, the agent and the server, in every state of a turn.

Real processes: web and runner apart, sharing one database. Whatever is killed when, each prompt
has one outcome, nothing runs twice, nothing stays open, and no process is left (I7, I9, I10).
"""

import signal
import subprocess
import sys
import uuid

import httpx
import pytest

from sessions.agents import tree
from tests.support.server import ROOT, Server, eventually, make_server

__all__ = ["make_server"]

QUICK = {
    "CHAT_LEASE_S": "3",  # a runner of a busy machine can still renew it in time
    "CHAT_INTERRUPT_TIMEOUT_S": "0.5",
    "CHAT_SENDS_PER_MINUTE": "1000",
    "CHAT_STOP_GRACE_S": "1.5",
}


class Runner:
    """One `run_agents` process on a server's data."""

    def __init__(self, server: Server) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "run_agents"],
            cwd=ROOT,
            env=server.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        assert "Running agents" in self.process.stdout.readline()

    def end(self, number: int = signal.SIGKILL) -> int:
        """Signal the process and wait for its end."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            if self.process.stdout is not None:
                self.process.stdout.close()


class Chat:
    """A script's view: the API alone."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def send(self, text: str, session_id: str | None = None) -> dict:
        body = {"clientMsgId": str(uuid.uuid4()), "sessionId": session_id, "text": text}
        answer = self.http.post(
            "/api/chat/send", json=body | ({} if session_id else {"agent": "demo"})
        )
        assert answer.status_code == 202, answer.text
        return answer.json()

    def snapshot(self, session_id: str) -> dict:
        return self.http.get(f"/api/sessions/{session_id}/snapshot").json()

    def events(self, session_id: str) -> list[dict]:
        found: list[dict] = []
        while True:
            after = found[-1]["seq"] if found else 0
            path = f"/api/sessions/{session_id}/events?after={after}&limit=200"
            page = self.http.get(path).json()["events"]
            found += page
            if not page:
                return found

    def prompt(self, receipt: dict) -> dict:
        messages = self.snapshot(receipt["sessionId"])["messages"]
        return next(m for m in messages if m.get("clientMsgId") == receipt["clientMsgId"])

    def settled(self, receipt: dict) -> dict:
        def final() -> dict | None:
            prompt = self.prompt(receipt)
            return (
                prompt if prompt["promptState"] in {"answered", "interrupted", "failed"} else None
            )

        return eventually(final, within_s=20, what=f"the outcome of {receipt}")

    def reaches(self, receipt: dict, state: str) -> None:
        """Wait until the prompt's turn is in the named state."""
        session_id = receipt["sessionId"]
        claims = {
            "accepted": lambda s: True,
            "streaming": lambda s: (
                s["current"] and any(b["content"] for b in s["current"]["blocks"])
            ),
            "asking": lambda s: s["permissions"],
            "tool": lambda s: (
                s["turn"] and not s["permissions"] and strays_besides_agent(session_id)
            ),
            "idle": lambda s: s["runState"] == "idle" and s["state"] in {"ACTIVE", "DETACHED"},
        }
        eventually(lambda: claims[state](self.snapshot(session_id)), what=state)


def strays_besides_agent(session_id: str) -> bool:
    return len(tree.of_session(session_id)) > 1


def assert_closed(events: list[dict]) -> None:
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    for begin, end, key in (
        ("turn_start", "turn_end", "turnId"),
        ("message_start", "message_end", "messageId"),
        ("block_start", "block_end", "blockId"),
        ("permission_request", "permission_resolved", "permId"),
    ):
        begun = [event[key] for event in events if event["type"] == begin]
        ended = [event[key] for event in events if event["type"] == end]
        assert sorted(begun) == sorted(ended), f"{begin} without {end}, or twice"


class World:
    """A web process, its runners, and somebody who chats."""

    def __init__(self, server: Server, http: httpx.Client) -> None:
        self.server = server
        self.chat = Chat(http)
        self.runners: list[Runner] = []

    def start_runner(self) -> Runner:
        self.runners.append(Runner(self.server))
        return self.runners[-1]


@pytest.fixture
def world(make_server):
    server = make_server(environment=QUICK, options=["--no-agents"])
    with server.client("alice") as http:
        made = World(server, http)
        try:
            yield made
        finally:
            for runner in made.runners:
                runner.end(signal.SIGTERM)


PROMPTS = {
    "accepted": "/slow 3",
    "streaming": "/slow 300",
    "asking": "/run sleep 300",
    "tool": "/run setsid sleep 300",
    "idle": "/slow 1",
}


@pytest.mark.parametrize("state", PROMPTS)
@pytest.mark.parametrize("victim", ["runner", "agent", "server"])
def test_i10_kill_9_in_every_state_of_a_turn(world, victim, state):
    chat, runner = world.chat, world.start_runner()
    receipt = chat.send(PROMPTS[state])
    session_id = receipt["sessionId"]
    if state == "tool":
        chat.reaches(receipt, "asking")
        allow(chat, session_id)
    if state == "idle":
        chat.settled(receipt)
    chat.reaches(receipt, state)
    kill(victim, world, runner, session_id)
    assert end_turn(chat, receipt, victim, state) == EXPECTED[victim, state]
    again = chat.send("/slow 2", session_id)
    assert chat.settled(again)["promptState"] == "answered"
    events = chat.events(session_id)
    assert_closed(events)
    turns = [event["clientMsgId"] for event in events if event["type"] == "turn_start"]
    assert turns == [receipt["clientMsgId"], again["clientMsgId"]]
    for each in world.runners:
        each.end(signal.SIGTERM)
    assert tree.of_session(session_id) == []


# What the prompt that was under way comes to: (promptState, stopReason).
DONE = ("answered", "end_turn")
RESTART = ("interrupted", "server_restart")
CRASH = ("failed", "agent_crashed")
STOPPED = ("interrupted", "interrupted")
EXPECTED = {
    # Not handed to an agent yet, or over: it runs, or has run, as if nothing had happened.
    ("runner", "accepted"): DONE,
    ("agent", "accepted"): DONE,
    ("server", "accepted"): DONE,
    ("runner", "idle"): DONE,
    ("agent", "idle"): DONE,
    ("server", "idle"): DONE,
    # Handed to an agent: reported, never run twice.
    ("runner", "streaming"): RESTART,
    ("runner", "asking"): RESTART,
    ("runner", "tool"): RESTART,
    ("agent", "streaming"): CRASH,
    ("agent", "asking"): CRASH,
    ("agent", "tool"): CRASH,
    # The turn goes on without the web process (I9), until it is stopped through its next one.
    ("server", "streaming"): STOPPED,
    ("server", "asking"): STOPPED,
    ("server", "tool"): STOPPED,
}


def allow(chat: Chat, session_id: str) -> None:
    [request] = chat.snapshot(session_id)["permissions"]
    option = next(o["id"] for o in request["options"] if o["kind"] == "allow_once")
    body = {"sessionId": session_id, "permId": request["permId"], "optionId": option}
    assert chat.http.post("/api/chat/permission", json=body).status_code == 200


def kill(victim: str, world: World, runner: Runner, session_id: str) -> None:
    """Kill -9, and start again what a supervisor would start again."""
    if victim == "runner":
        runner.end()
        world.start_runner()
    elif victim == "server":
        world.server.kill()
        world.server.start()
    else:
        tree.send_signal(tree.of_session(session_id)[:1], signal.SIGKILL)


def end_turn(chat: Chat, receipt: dict, victim: str, state: str) -> tuple[str, str]:
    if victim == "server" and state in {"streaming", "asking", "tool"}:
        assert chat.prompt(receipt)["promptState"] == "dispatched"
        body = {"sessionId": receipt["sessionId"]}
        answer = chat.http.post("/api/chat/interrupt", json=body)
        assert answer.status_code == 202
    prompt = chat.settled(receipt)
    return prompt["promptState"], prompt["stopReason"]


def test_i10_a_second_runner_takes_over_within_the_lease(world):
    chat, first, second = world.chat, world.start_runner(), world.start_runner()
    receipts = [chat.send("/slow 40") for _ in range(4)]
    for receipt in receipts:
        chat.reaches(receipt, "streaming")
    first.end()
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
    allow(chat, session_id)
    eventually(lambda: len(tree.of_session(session_id)) >= 3, what="agent, tool and grandchild")
    answer = chat.http.post("/api/chat/stop", json={"sessionId": session_id})
    assert answer.status_code == 202
    assert chat.settled(receipt)["promptState"] == "interrupted"
    eventually(lambda: chat.snapshot(session_id)["state"] == "ENDED", what="the end")
    assert tree.of_session(session_id) == []
    assert_closed(chat.events(session_id))
