"""The record of one client: the frames on the wire, the applied ones, its requests, its prompts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable

import httpx

from lab.chaos.evidence import Connection, Json, Life, Record, SentPrompt, seconds
from lab.chaos.folding import fold
from transport.client import Prompt
from transport.client.stream import Stream


class ClientRecord:
    """Everything that a client saw and did. stream: that of its present life.

    sessions: those that it follows; those that its prompts make are added.
    """

    def __init__(
        self,
        record: Record,
        *,
        sessions: Iterable[str],
        stream: Callable[[], Stream],
    ) -> None:
        self.record = record
        self.sessions = list(sessions)
        self.delays: list[float] = []
        self._stream = stream
        self._in_url: dict[str, int | None] = {}
        self._states: dict[str, Json] = {}

    def begin(self, known: dict[str, int | None]) -> None:
        """Begin a life that knows some cursors, None for a session without one."""
        held = {name: self._states[name] for name in known if known[name] and name in self._states}
        self._states = dict(held)
        self.record.lives.append(Life(dict(known), held))

    def messages(self, session_id: str) -> list[Json]:
        """Return the finished messages of a session, as far as the device has them."""
        known: list[Json] = self._states.get(session_id, {}).get("messages", [])
        return known

    def waiting(self, session_id: str) -> list[Json]:
        """Return the prompts of a session that no agent has had."""
        return [m for m in self.messages(session_id) if m.get("promptState") == "accepted"]

    def questions(self, session_id: str) -> list[Json]:
        """Return the open questions of a session."""
        open_ones: list[Json] = self._states.get(session_id, {}).get("questions", [])
        return open_ones

    def permissions(self, session_id: str) -> list[Json]:
        """Return the open permission requests of a session."""
        open_ones: list[Json] = self._states.get(session_id, {}).get("permissions", [])
        return open_ones

    def raw(self, frame: Json) -> None:
        """Note a frame as it came over the wire."""
        if frame["type"] == "welcome":
            self.record.connections.append(Connection(self._in_url))
        elif self.record.connections:
            self.record.connections[-1].frames.append(frame)

    def request(self, request: httpx.Request) -> None:
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
            if session_id is not None and session_id not in self._stream().cursors():
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
                    "cursor": self._stream().cursor(session_id),
                },
            )
            for session_id in sessions
        ]

    def frame(self, frame: Json) -> None:
        """Note a frame that the client has applied."""
        now = time.time()
        if "sessionId" not in frame:
            return
        self.record.lives[-1].applied.append((now, frame))
        if "seq" in frame:
            self.delays.append(now - seconds(frame["ts"]))
        self._fold(frame)

    def _fold(self, frame: Json) -> None:
        session_id = frame["sessionId"]
        state = self._states.get(session_id)
        if frame["type"] == "session_snapshot":
            if frame["full"]:
                self._states[session_id] = frame
            elif state is not None:
                light = {name: frame[name] for name in ("permissions", "questions", "runState")}
                self._states[session_id] = {**state, **light}
        elif "seq" in frame and state is not None:
            self._states[session_id] = fold(state, frame)

    def prompt(self, prompt: Prompt) -> None:
        """Note the state of a prompt; a session that it made is followed from now on."""
        sent = self.record.prompts.setdefault(
            prompt.client_msg_id,
            SentPrompt(prompt.client_msg_id, prompt.session_id, prompt.text),
        )
        sent.blobs = [named["blob"] for named in prompt.attachments]
        sent.session_id = prompt.session_id
        sent.state, sent.code = str(prompt.state), prompt.code
        if prompt.seq is not None and prompt.seq not in sent.seqs:
            sent.seqs.append(prompt.seq)
        made = prompt.session_id
        if sent.state == "accepted" and made is not None and made not in self.sessions:
            self.sessions.append(made)
            self._note_asked({made: None})
            self.record.lives[-1].began[made] = None


def _watches(url: httpx.URL) -> dict[str, int | None]:
    pairs = (value.partition(":") for name, value in url.params.multi_items() if name == "watch")
    return {name: int(cursor) if cursor else None for name, _, cursor in pairs}
