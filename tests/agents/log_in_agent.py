"""An ACP agent with ways to log in, and its log-in program: LOG_IN_HOME holds the credentials.

Before a log-in it opens no session, with LOG_IN_AT=prompt it answers no prompt.
"""

import json
import os
import sys
import termios
from pathlib import Path

LINK = "https://example.org/device?client=42&scope=all"
CODE = "WXYZ-1234"
METHODS = [
    {
        "id": "terminal",
        "name": "In a terminal",
        "description": "Opens a page and takes its code.",
        "type": "terminal",
        "args": ["--log-in"],
        "env": {"LOG_IN_STYLE": "device"},
    },
    {"id": "page", "name": "By a page", "description": "No terminal is needed."},
    {"id": "key", "name": "By a key", "type": "env_var", "vars": [{"name": "THE_KEY"}]},
    {"id": "flood", "name": "Flood", "type": "terminal", "args": ["--flood"]},
]


def write(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def keep(text):
    Path(os.environ["LOG_IN_HOME"], "credentials").write_text(text)


def answer(message):
    """Answer a request about a session."""
    at = message["method"].partition("/")[2]
    is_asked_here = at in os.environ.get("LOG_IN_AT", "new load").split()
    if is_asked_here and not Path(os.environ["LOG_IN_HOME"], "credentials").exists():
        error = {"code": -32000, "message": "Authentication required"}
        write({"id": message["id"], "error": error})
        return
    if at == "prompt":
        text = {"type": "text", "text": "hello"}
        update = {"sessionUpdate": "agent_message_chunk", "content": text}
        write({"method": "session/update", "params": {"sessionId": "s", "update": update}})
    results = {"session/new": {"sessionId": "s"}, "session/prompt": {"stopReason": "end_turn"}}
    write({"id": message["id"], "result": results.get(message["method"], {})})


def serve():
    waiting = None
    for line in sys.stdin:
        message = json.loads(line)
        match message.get("method"):
            case "initialize":
                can = message["params"]["clientCapabilities"]
                methods = [m for m in METHODS if can["auth"]["terminal"] or m["id"] == "page"]
                result = {"protocolVersion": 1, "authMethods": methods}
                result["agentCapabilities"] = {"loadSession": True}
                write({"id": message["id"], "result": result})
            case "authenticate":
                waiting = message["id"]
                page = {"mode": "url", "url": LINK, "elicitationId": "e", "requestId": waiting}
                params = {"message": "Open this page.", **page}
                write({"id": "q", "method": "elicitation/create", "params": params})
            case "session/new" | "session/load" | "session/prompt":
                answer(message)
            case None if message.get("id") == "q":
                keep(message["result"]["action"])
                write({"id": waiting, "result": {}})


def log_in():
    style, secret = os.environ["LOG_IN_STYLE"], os.environ.get("OTHER_SECRET")
    print(f"\x1b[1mLog in\x1b[0m ({style}, {os.isatty(0)}, {secret})")
    Path("/dev/tty").write_text("by the terminal\n")
    print(f"Open {LINK}\r\nand enter {CODE}")
    print("Its own pages: http://localhost:9/back http://127.0.0.1:9/back\r\n")
    keep(input("Code: "))
    print("Logged in as \x1b[32mada\x1b[0m.")


def main():
    match sys.argv[1:]:
        case ["--log-in"]:
            log_in()
        case ["--flood"]:
            termios.tcgetattr(0)
            while True:
                print("x" * 1000)
        case _:
            serve()


if __name__ == "__main__":
    main()
