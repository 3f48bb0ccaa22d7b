"""A run on paper: a log, and the record of a device that saw all of it."""

from __future__ import annotations

import copy
from typing import Any

from lab.chaos.evidence import (
    Connection,
    Evidence,
    Interrupt,
    Life,
    Record,
    SentPrompt,
    SessionEvidence,
)
from lab.chaos.verdict.checker import check
from sessions.eventlog.fold import empty, fold_all

SID = "6f1f6c0e-0a35-4a0c-8d2e-0f7a5a3b1c2d"


def log_of(*drafts: tuple[str, dict[str, Any]], sid: str = SID) -> list[dict[str, Any]]:
    ts = "2026-11-23T08:00:00.000Z"
    return [
        {"v": 1, "type": kind, "sessionId": sid, "seq": seq, "ts": ts, **payload}
        for seq, (kind, payload) in enumerate(drafts, start=1)
    ]


def one_turn(prompt: str = "p1") -> list[dict[str, Any]]:
    block = {"messageId": "m", "blockId": "b"}
    return log_of(
        ("session_created", {"title": "t", "agent": "demo", "mode": "", "cwd": ""}),
        ("user_message", {"messageId": "u", "clientMsgId": prompt, "text": "hi"}),
        ("turn_start", {"turnId": "t1", "clientMsgId": prompt}),
        ("message_start", {"messageId": "m", "turnId": "t1", "role": "assistant"}),
        ("block_start", {**block, "blockType": "text"}),
        ("block_delta", {**block, "delta": "hel"}),
        ("block_delta", {**block, "delta": "lo"}),
        ("block_end", {**block, "content": "hello"}),
        ("message_end", {"messageId": "m"}),
        ("turn_end", {"turnId": "t1", "stopReason": "end_turn"}),
    )


def snapshot_of(events: list[dict[str, Any]], *, sid: str = SID, full: bool = True) -> Any:
    taken = fold_all(empty(sid), events)
    shown = taken["messages"] if full else []
    oldest = shown[0]["seq"] if shown else None
    more = {"full": full, "cursorInvalid": False, "oldestSeq": oldest, "hasMore": False}
    return {"v": 1, "type": "session_snapshot", **taken, "messages": shown, **more}


def session_of(events: list[dict[str, Any]], owner: str = "alice") -> SessionEvidence:
    folded = fold_all(empty(events[0]["sessionId"]), events)
    return SessionEvidence(
        owner=owner,
        head=events[-1]["seq"],
        events=events,
        messages=folded["messages"],
        snapshot=snapshot_of(events, sid=events[0]["sessionId"]),
    )


def good_run() -> Evidence:
    """Return a run in which a device saw one turn from its first event on."""
    events = one_turn()
    frames = [snapshot_of(events[:1]), *events[1:], snapshot_of(events, full=False)]
    record = Record("d0", "alice")
    record.connections.append(Connection({SID: None}, copy.deepcopy(frames)))
    record.lives.append(Life({SID: None}, {}, [(0.0, frame) for frame in copy.deepcopy(frames)]))
    record.prompts["p1"] = SentPrompt("p1", SID, "hi", "accepted", "", [2])
    record.interrupts.append(Interrupt(SID, 0.1, 202))
    row = {"owner": "alice", "clientMsgId": "p1", "sessionId": SID, "seq": 2, "state": "done"}
    return Evidence(
        records=[record],
        sessions={SID: session_of(events)},
        prompts=[row],
        max_replay_gap=60,
        interrupt_limit_s=5.0,
    )


def rules(evidence: Evidence) -> set[str]:
    return {violation.rule for violation in check(evidence)}


def rebuild(evidence: Evidence, events: list[dict[str, Any]]) -> None:
    """Put another log under the same records, with numbers of its own."""
    for seq, event in enumerate(events, start=1):
        event["seq"] = seq
    evidence.sessions[SID] = session_of(events)
