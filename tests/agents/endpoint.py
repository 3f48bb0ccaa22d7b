"""A scripted model endpoint on loopback, in the shapes of OpenAI (two), Anthropic and Gemini.

Nothing is set up before: the prompt says what to answer, as in `SCRIPT: say 3`. So the real agents
run offline, and many tests can share one endpoint.

    say N       N words at once                think N    N words of reasoning, then `say 3`
    slow N      N words, ten a second          run CMD    calls the agent's shell tool, then `say 1`
    stall       one word, then nothing         cut        one word, then the end of the stream
    frames B64  a list in JSON, base64: objects are sent as events, strings as they are
    status N    the HTTP status N              long N     N thousand words at once
    calls B64   a list of tools to call in JSON, base64: [name, arguments] each, one a request,
                then `say 1`             text B64   a text in base64
    hears B64   "yes" or "no": the request has the bytes in base64, as text
"""

from __future__ import annotations

import base64
import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from typing import Any

from tests.agents.shapes import SCRIPT, SHAPES, Shape

DIRECTIVE = re.compile(r"SCRIPT: (\w+) ?([^\n\"<]*)")
STALL_S = 60.0

Step = tuple[str, str]


def script(prompt: str, *, results: int, request: str = "") -> Iterator[Step]:
    """Yield an answer's steps: (kind, text), kind in think, text, run, call, stall, cut, status.

    results: how many tools have ended since the prompt. request: the whole of it, in JSON.
    """
    found = DIRECTIVE.findall(prompt)
    command, argument = found[-1] if found else ("say", "3")
    argument = argument.strip()
    calls = tools_of(argument) if command == "calls" else []
    if results >= max(1, len(calls)) and command in ("run", "calls"):
        command, argument = "say", "1"
    match command:
        case "think":
            yield from (("think", f"thought{n} ") for n in range(1, int(argument) + 1))
            yield from (("text", f"word{n} ") for n in range(1, 4))
        case "say" | "slow" | "long":
            count = int(argument) * (1000 if command == "long" else 1)
            for number in range(1, count + 1):
                yield "text", f"word{number} "
                if command == "slow":
                    time.sleep(0.1)
        case "stall" | "cut":
            yield "text", "word1 "
            yield command, ""
        case "text":
            yield "text", base64.b64decode(argument).decode()
        case "hears":
            yield "text", "yes" if base64.b64decode(argument).decode() in request else "no"
        case "calls":
            yield "call", json.dumps(calls[results])
        case _:
            yield command, argument


def calling(*calls: tuple[str, dict[str, Any]]) -> str:
    """Return the prompt that makes an agent call tools, one after the other."""
    return f"{SCRIPT}calls {base64.b64encode(json.dumps(calls).encode()).decode()}"


def asking(words: str) -> str:
    """Return the prompt that makes an agent say whether its model has heard words."""
    return f"{SCRIPT}hears {base64.b64encode(words.encode()).decode()}"


def tools_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the tools to call, by name and arguments."""
    return [(name, arguments) for name, arguments in json.loads(base64.b64decode(text))]


def frames_of(text: str) -> list[bytes]:
    """Return the bytes of frames in base64 of JSON: a prompt may hold no quotes."""
    told = json.loads(base64.b64decode(text))
    return [_frame(frame) for frame in told]


def _frame(frame: Any) -> bytes:
    data = frame if isinstance(frame, str) else f"data: {json.dumps(frame)}\n\n"
    return data.encode("latin-1")


def _frames(shape: Shape, kind: str, text: str) -> list[bytes]:
    if kind == "run":
        return shape.call(*shape.shell(text))
    return shape.call(*json.loads(text)) if kind == "call" else shape.step(kind, text)


class Handler(BaseHTTPRequestHandler):
    """Answers every POST by the shape of its path."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._json(200, {"object": "list", "data": [{"id": "scripted", "object": "model"}]})

    def do_HEAD(self) -> None:
        self._json(200, {})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        request = json.loads(self.rfile.read(length) or b"{}")
        shape = next(
            (s for end, s in SHAPES.items() if self.path.split("?")[0].endswith(end)), None
        )
        if shape is None:
            self._json(404, {"error": {"message": f"no {self.path} here", "type": "not_found"}})
            return
        with suppress(ConnectionError):
            self._answer(shape(request))

    def _answer(self, shape: Shape) -> None:
        if shape.whole is not None:
            self._json(200, shape.whole)
            return
        request = json.dumps(shape.request, ensure_ascii=False)
        steps = script(shape.prompt(), results=shape.results(), request=request)
        first = next(steps)
        if first[0] == "status":
            error = {"message": "told to fail", "type": "scripted_error"}
            self._json(int(first[1]), {"error": error})
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        self._write(shape.begin())
        for kind, text in chain([first], steps):
            if kind == "cut":
                return
            if kind == "frames":
                self._write(frames_of(text))
                return
            if kind == "stall":
                self._stall()
                return
            self._write(_frames(shape, kind, text))
        self._write(shape.end())

    def _stall(self) -> None:
        """Send nothing until the client goes away."""
        self.connection.settimeout(STALL_S)
        with suppress(OSError):
            self.connection.recv(1)

    def _write(self, frames: list[bytes]) -> None:
        self.wfile.write(b"".join(frames))
        self.wfile.flush()

    def _json(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away: interrupted agents do."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving() -> Iterator[str]:
    """Serve in a thread; give the base URL without a path."""
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="endpoint", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
