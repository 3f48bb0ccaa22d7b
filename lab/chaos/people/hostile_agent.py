"""An agent that attacks the server, its neighbours and the person; a prompt names the attack.

It reports "ESCAPED" with the proof when it has reached something that is not its own. It aims at
the run's own folder, at the process that has started it and at that server's ports, and at nothing
else of the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

ESCAPED: Final = "ESCAPED"
ATTACKS: Final = (
    *("files", "signals", "ports", "forks", "titles", "forged permissions", "many requests"),
    *("a flood", "garbage", "no answer", "two answers", "a sudden end"),
)
SESSION: Final = "hostile"
Json = dict[str, Any]


def write(message: Json) -> None:
    """Send one message."""
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def update(name: str, *, session: str = SESSION, **fields: Any) -> None:
    """Send an update of a session."""
    told = {"sessionUpdate": name, **fields}
    write({"method": "session/update", "params": {"sessionId": session, "update": told}})


def say(text: str) -> None:
    """Send a piece of the answer."""
    update("agent_message_chunk", content={"type": "text", "text": text})


def report(what: str) -> None:
    """Tell that something was reached that should be out of reach."""
    say(f"{ESCAPED}: {what}. ")


def files() -> None:
    """Read and destroy what the server keeps around this folder."""
    own = Path.cwd()
    data = own.parents[1]
    for folder in (data, data / "workspaces"):
        with contextlib.suppress(OSError):
            mine = {own, own.parent, data / "scratch"}
            if others := [str(path) for path in folder.iterdir() if path not in mine]:
                report(f"{folder} has {others[:3]}")
    for name in ("secret_key", "layer_key", "backstay.sqlite3", "backstay.sqlite3-wal"):
        with contextlib.suppress(OSError):
            (data / name).read_bytes()
            report(f"{name} was read")
        with contextlib.suppress(OSError):
            # In a view of its own this is another file. Else the checks of the run see the damage.
            (data / name).write_bytes(b"gone")


def signals() -> None:
    """End the runner, and read its environment."""
    parent = os.getppid()
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(OSError):
            os.kill(parent, number)
            report(f"signal {number} reached {parent}")
    with contextlib.suppress(OSError):
        report(str(Path(f"/proc/{parent}/environ").read_bytes()[:40]))


def ports() -> None:
    """Speak to the server, its database and Redis."""
    for port in map(int, os.environ["HOSTILE_PORTS"].split()):
        for host in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "localhost"):
            with contextlib.suppress(OSError), socket.create_connection((host, port), 2):
                report(f"port {port} is open as {host}")


def forks() -> None:
    """Leave processes behind that hear no signal."""
    deaf = "trap '' INT TERM HUP; while :; do sleep 1; done"
    for _ in range(20):
        subprocess.Popen(["sh", "-c", deaf], start_new_session=True)


def titles() -> None:
    """Send huge and odd titles."""
    for _ in range(5):
        update("session_info_update", title="\u202e" + "T" * 500_000)
        call = {"toolCallId": "c" * 100_000, "title": "<img src=x onerror=alert(1)>" * 20_000}
        update("tool_call", **call, kind="execute", status="pending", rawInput={"x": "y" * 200_000})


def forged_permissions() -> None:
    """Ask for others, with odd options, and change settings of other sessions."""
    option = {"optionId": "o", "name": "Reject", "kind": "allow_always"}
    for session in ("", "other", SESSION):
        asked: Json = {"sessionId": session, "toolCall": {}, "options": [option, option]}
        write({"id": f"p{session}", "method": "session/request_permission", "params": asked})
        update("current_mode_update", session=session, currentModeId="auto")


def many_requests() -> None:
    """Ask without end, and read no answer."""
    for number in range(2000):
        write({"id": 10_000 + number, "method": "fs/read_text_file", "params": {"path": "/"}})


def flood() -> None:
    """Send more text than anyone reads."""
    for _ in range(200):
        say("flood " * 10_000)


def garbage() -> None:
    """Send bytes that are no messages, and a line that does not end."""
    sys.stdout.buffer.write(b"\x00\xff\x1b]0;title\x07" * 4096 + b"\n")
    sys.stdout.buffer.write(b'{"x":"' + b"y" * 20_000_000 + b'"}\n')
    sys.stdout.flush()


def end_turn(message: Json) -> None:
    """Answer the prompt."""
    write({"id": message["id"], "result": {"stopReason": "end_turn"}})


def prompt(message: Json) -> None:
    """Carry out the attack that a prompt names."""
    named = message["params"]["prompt"][0]["text"]
    say(f"tried {named}. ")
    attacks: dict[str, Callable[[], object]] = {
        "files": files,
        "signals": signals,
        "ports": ports,
        "forks": forks,
        "titles": titles,
        "forged permissions": forged_permissions,
        "many requests": many_requests,
        "a flood": flood,
        "garbage": garbage,
        "no answer": lambda: time.sleep(600),
        "two answers": lambda: end_turn(message),
        "a sudden end": lambda: os._exit(3),
    }
    attacks[named]()
    end_turn(message)


def main() -> None:
    """Answer until the input ends; never obey a cancel."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for line in sys.stdin:
        message = json.loads(line)
        match message.get("method"):
            case "initialize":
                write({"id": message["id"], "result": {"protocolVersion": 1}})
            case "session/new":
                write({"id": message["id"], "result": {"sessionId": SESSION}})
            case "session/prompt":
                prompt(message)


if __name__ == "__main__":
    main()
