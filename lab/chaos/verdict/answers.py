"""The requests of agents, the output of their tools and the blobs, held against the log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Final

from lab.chaos.evidence import Evidence, GivenAnswer, Json, SessionEvidence, Violation

# The end of a request, with the key of its id.
ENDS: Final = {"permission_resolved": "permId", "question_answered": "questionId"}
RULE: Final = "rule:"


def check_requests(evidence: Evidence) -> Iterator[Violation]:
    """I10: an answer that was accepted is in the log; no request has taken two; rules are known."""
    given = [answer for record in evidence.records for answer in record.answers]
    for request_id, times in Counter(answer.request_id for answer in given).items():
        if times > 1:
            yield Violation("I10", f"request {request_id} has taken {times} answers")
    for session_id, session in evidence.sessions.items():
        ends = {
            event[key]: event
            for event in session.events
            if (key := ENDS.get(event["type"], "")) in event
        }
        for answer in given:
            if answer.session_id == session_id:
                yield from _check_answer(answer, ends.get(answer.request_id), session.owner)
        for event in ends.values():
            yield from _check_rule(event, evidence.rules.get(session.owner, []), session_id)


def _check_answer(answer: GivenAnswer, end: Json | None, owner: str) -> Iterator[Violation]:
    if end is None or end["by"] != owner:
        what = f"the accepted answer to {answer.request_id} is not in the log"
        yield Violation("lost answer", what, "", answer.session_id)
    elif answer.values is not None and end.get("values") != answer.values:
        what = f"the log has other values for {answer.request_id}"
        yield Violation("lost answer", what, "", answer.session_id, (end["seq"],))


def _check_rule(end: Json, known: list[int], session_id: str) -> Iterator[Violation]:
    by = str(end["by"])
    if by.startswith(RULE) and by.removeprefix(RULE) not in map(str, known):
        what = f"{by} answered, and its owner has no such rule"
        yield Violation("I11", what, "", session_id, (end["seq"],))


def check_output(session_id: str, session: SessionEvidence) -> Iterator[Violation]:
    """I1: the output that was told while a tool ran is in its result, in the same order."""
    told: defaultdict[str, list[str]] = defaultdict(list)
    for event in session.events:
        if event["type"] == "tool_output":
            told[event["toolId"]].append(event["delta"])
        elif event["type"] == "tool_result":
            pieces = told.pop(event["toolId"], [])
            if not _are_in(pieces, event["content"]):
                what = f"the output of {event['toolId']} is not in its result"
                yield Violation("I1", what, "", session_id, (event["seq"],))


def _are_in(pieces: list[str], content: str) -> bool:
    """Return whether a text has all pieces, one behind the other."""
    at = 0
    for piece in pieces:
        found = content.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def check_blobs(evidence: Evidence) -> Iterator[Violation]:
    """I1: every blob that an event names is there and whole; no other one is there for long."""
    events = [event for session in evidence.sessions.values() for event in session.events]
    named = {name for event in events for name in _blobs_in(event)}
    blobs = evidence.blobs
    after = named if blobs.after is None else blobs.after
    for what, names in (
        ("is named and not there", named - blobs.whole),
        ("is named and has no row", named - blobs.kept),
        ("is there and has no row", blobs.whole - blobs.kept),
        ("has other bytes than its name says", blobs.damaged),
        ("is named and was collected", named - after),
        ("is there after a day, and nothing names it", after - named),
    ):
        yield from (Violation("I1", f"blob {name} {what}") for name in sorted(names))


def _blobs_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(blob := value.get("blob"), str):
            yield blob
        for inner in value.values():
            yield from _blobs_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _blobs_in(inner)


def check_attachments(evidence: Evidence) -> Iterator[Violation]:
    """I4: a prompt is in the log with its files, each once."""
    told: dict[str, Json] = {}
    for session in evidence.sessions.values():
        told |= {e["clientMsgId"]: e for e in session.events if e["type"] == "user_message"}
    for record in evidence.records:
        for prompt in record.prompts.values():
            event = told.get(prompt.client_msg_id)
            files = [] if event is None else [f["blob"] for f in event.get("attachments", [])]
            if event is not None and files != prompt.blobs:
                what = f"prompt {prompt.client_msg_id} has other files than were sent"
                where = (prompt.session_id or "", (event["seq"],))
                yield Violation("lost file", what, record.device, *where)
