"""A script's view of a server: the API alone, one session or many, from any thread."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from typing import Any

import httpx

from lab.rig.waiting import PATIENCE_S
from tests.support.server import eventually

Json = dict[str, Any]

FINAL = {"answered", "interrupted", "failed"}


class Talk:
    """One person's use of a server; agent: that of the sessions that it begins."""

    def __init__(self, http: httpx.Client, *, agent: str = "demo") -> None:
        self.http = http
        self.agent = agent

    def send(self, text: str, session_id: str | None = None, **more: Any) -> Json:
        """Send a prompt; more: further fields of it."""
        body = {"clientMsgId": str(uuid.uuid4()), "sessionId": session_id, "text": text, **more}
        return self.post("send", **body, **({} if session_id else {"agent": self.agent}))

    def interrupt(self, session_id: str) -> Json:
        return self.post("interrupt", sessionId=session_id)

    def stop(self, session_id: str) -> Json:
        return self.post("stop", sessionId=session_id)

    def allow(self, session_id: str) -> bool:
        """Allow what the agent asks for; return False when it asks for nothing any more."""
        for request in self.snapshot(session_id)["permissions"]:
            option = next(o["id"] for o in request["options"] if o["kind"] == "allow_once")
            body = {"sessionId": session_id, "permId": request["permId"], "optionId": option}
            body["digest"] = request["digest"]
            return self.http.post("/api/chat/permission", json=body).status_code == 200
        return False

    def post(self, name: str, **body: Any) -> Json:
        answer = self.http.post(f"/api/chat/{name}", json=body)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def snapshot(self, session_id: str) -> Json:
        return self.read(f"/api/sessions/{session_id}/snapshot")

    def read(self, path: str) -> Json:
        """Return an answer; wait where it says that too much was asked, as clients do."""
        while (answer := self.http.get(path)).status_code == httpx.codes.TOO_MANY_REQUESTS:
            time.sleep(float(answer.headers["Retry-After"]))
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    def events(self, session_id: str) -> list[Json]:
        found: list[Json] = []
        while True:
            after = found[-1]["seq"] if found else 0
            path = f"/api/sessions/{session_id}/events?after={after}&limit=200"
            page = self.read(path)["events"]
            found += page
            if not page:
                return found

    def prompt(self, receipt: Json) -> Json:
        messages = self.snapshot(receipt["sessionId"])["messages"]
        return next(m for m in messages if m.get("clientMsgId") == receipt["clientMsgId"])

    def settled(self, receipt: Json, *, within_s: float = PATIENCE_S) -> Json:
        def final() -> Json | None:
            prompt = self.prompt(receipt)
            return prompt if prompt["promptState"] in FINAL else None

        return eventually(final, within_s=within_s, what=f"the outcome of {receipt}")

    def until(self, session_id: str, **expected: Any) -> Json:
        """Return the first snapshot whose fields have these values."""

        def found() -> Json | None:
            taken = self.snapshot(session_id)
            return taken if all(taken[name] == value for name, value in expected.items()) else None

        return eventually(found, within_s=PATIENCE_S, what=f"{expected}")


def assert_closed(events: list[Json]) -> None:
    """Whatever began has ended once, no turn lies in another, no number is missing."""
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    for begin, end, key in (
        ("turn_start", "turn_end", "turnId"),
        ("message_start", "message_end", "messageId"),
        ("block_start", "block_end", "blockId"),
        ("permission_request", "permission_resolved", "permId"),
        ("question_asked", "question_answered", "questionId"),
    ):
        begun = Counter(event[key] for event in events if event["type"] == begin)
        ended = Counter(event[key] for event in events if event["type"] == end)
        assert begun == ended, f"{begin} without {end}, or twice"
        assert set(begun.values()) <= {1}, f"{begin} twice"
    bounds = [event["type"] for event in events if event["type"] in {"turn_start", "turn_end"}]
    assert bounds == ["turn_start", "turn_end"] * (len(bounds) // 2), "a turn within a turn"
