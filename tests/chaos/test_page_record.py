"""The record of a page: a prompt whose receipt was lost has the fate that the log told."""

from typing import Any

import pytest

from lab.chaos.evidence import Record
from lab.chaos.people.page_record import PageRecord

PROMPT = {"clientMsgId": "c1", "sessionId": "s1", "text": "hello"}
EVENT = {"type": "user_message", "sessionId": "s1", "seq": 2, "ts": "2026-11-23T08:00:00.000Z"}
SNAPSHOT = {"type": "session_snapshot", "sessionId": "s1", "cursor": 2}


def in_snapshot(name: str) -> dict[str, Any]:
    return SNAPSHOT | {"messages": [{"role": "user", "clientMsgId": name}]}


def recorded() -> PageRecord:
    """The record of a page that has sent a prompt and follows its chat."""
    seen = PageRecord(Record("page", "ada"))
    for kind, data in (
        ("began", {}),
        ("opened", {"number": 1, "watch": ["s1:"]}),
        ("asked", {"name": "send", "body": PROMPT}),
    ):
        seen.note(None, kind, 1.0, data)
    seen.typed["hello"] += 1
    return seen


def receive(seen: PageRecord, frame: dict[str, Any]) -> None:
    """The stream brings a frame."""
    [(connection, _)] = seen._connections.values()
    connection.frames.append(frame)


def fate(seen: PageRecord, waiting: dict[str, str]) -> str:
    seen.finish(waiting)
    [sent] = seen.record.prompts.values()
    return sent.state


@pytest.mark.parametrize("frame", [EVENT | {"clientMsgId": "c1"}, in_snapshot("c1")])
@pytest.mark.parametrize("is_applied", [True, False])
def test_a_prompt_that_the_log_has_told_the_page_is_accepted(
    frame: dict[str, Any], is_applied: bool
) -> None:
    seen = recorded()
    receive(seen, frame)
    if is_applied:
        seen.note(None, "applied", 2.0, frame)
    assert fate(seen, {}) == "accepted"


@pytest.mark.parametrize("frame", [EVENT | {"clientMsgId": "c2"}, in_snapshot("c2"), SNAPSHOT])
def test_a_prompt_that_nothing_told_the_page_of_is_never_settled(frame: dict[str, Any]) -> None:
    seen = recorded()
    receive(seen, frame)
    assert fate(seen, {}) == "sending"


def test_a_prompt_that_waits_in_the_page_is_not_settled_by_a_frame_that_it_did_not_apply() -> None:
    seen = recorded()
    receive(seen, EVENT | {"clientMsgId": "c1"})
    assert fate(seen, {"c1": "queued"}) == "queued"
