"""The record of a page, as recorder.js inside of it tells: its wire, its frames, its requests."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping

from lab.chaos.evidence import Connection, Json, Life, Record, SentPrompt, seconds
from transport.client.sse import FrameParser


class PageRecord:
    """Everything that a page saw and did, life by life."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.delays: list[float] = []
        # Texts that were typed and sent off.
        self.typed: Counter[str] = Counter()
        # Of the page that is loaded now.
        self._connections: dict[int, tuple[Connection, FrameParser]] = {}
        self._newest: Connection | None = None
        self._cursors: dict[str, int | None] = {}
        self._watched: set[str] = set()

    def cursors(self) -> dict[str, int | None]:
        """Return where the sessions stand that it follows."""
        return {name: self._cursors.get(name) for name in self._watched}

    def note(self, _source: object, kind: str, at: float, data: Json) -> None:
        """Note an observation of the recorder in the page."""
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
                # Without a line an end of watching is not told; the next line names the rest.
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

    # --- The end --------------------------------------------------------------------------------

    def finish(self, waiting: Mapping[str, str]) -> None:
        """Settle the fate of every prompt. waiting: the states of those in the outbox."""
        self._part_with_unwatched()
        applied = (frame for life in self.record.lives for _, frame in life.applied)
        # The outbox reads every frame, also those of a chat that the page does not show any more.
        received = (frame for connection in self.record.connections for frame in connection.frames)
        shown, told = _prompts_in(applied), _prompts_in(received)
        for sent in self.record.prompts.values():
            is_open = sent.state == "sending"
            if is_open and sent.client_msg_id in shown:
                sent.state = "accepted"  # its receipt was lost, and the log has told the page
            elif sent.client_msg_id in waiting:
                sent.state = waiting[sent.client_msg_id]
            elif is_open and sent.client_msg_id in told:
                sent.state = "accepted"
        lost = self.typed - Counter(sent.text for sent in self.record.prompts.values())
        for number, text in enumerate(lost.elements()):
            name = f"typed-{number}"
            self.record.prompts[name] = SentPrompt(name, None, text)

    def _part_with_unwatched(self) -> None:
        """A session that is not followed any more has ended its life before the others."""
        last = self.record.lives[-1]
        for session_id in set(last.began) - self._watched:
            mine = [(at, frame) for at, frame in last.applied if frame["sessionId"] == session_id]
            self.record.lives.insert(-1, Life({session_id: last.began.pop(session_id)}, {}, mine))


def _places(opened: Json) -> list[tuple[str, str]]:
    pairs = (name.partition(":") for name in opened["watch"])
    return [(session_id, cursor) for session_id, _, cursor in pairs]


def _prompts_in(frames: Iterable[Json]) -> set[str]:
    """Return the prompts that frames show to be in the log."""
    told = set()
    for frame in frames:
        if frame["type"] == "user_message":
            told.add(frame["clientMsgId"])
        told |= {m["clientMsgId"] for m in frame.get("messages", []) if m["role"] == "user"}
    return told
