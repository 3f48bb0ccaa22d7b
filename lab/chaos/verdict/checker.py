"""The checker: the devices' records against the log. Pure; it must be able to fail.

Each check names its invariant of docs/reference/protocol.md#promises. A record cannot
show I2 and I6: the tests of transactions and of periodic sync have them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from lab.chaos.evidence import (
    Evidence,
    Record,
    SessionEvidence,
    Violation,
)
from lab.chaos.folding import empty, fold_all
from lab.chaos.verdict.answers import (
    check_attachments,
    check_blobs,
    check_output,
    check_requests,
)
from lab.chaos.verdict.applied import check_applied, differing
from lab.chaos.verdict.folders import check_repository, check_restores
from lab.chaos.verdict.interrupts import check_interrupts
from lab.chaos.verdict.queue import check_queue
from lab.chaos.verdict.shown import check_shown
from lab.chaos.verdict.wire import check_wire

FINAL_STATES = {"done", "interrupted", "failed", "withdrawn"}
_LIMITS = {"turn_timeout", "output_limit"}
_PAIRS = (
    ("turn_start", "turn_end", "turnId"),
    ("message_start", "message_end", "messageId"),
    ("block_start", "block_end", "blockId"),
    ("permission_request", "permission_resolved", "permId"),
    ("question_asked", "question_answered", "questionId"),
)


def check(evidence: Evidence) -> list[Violation]:
    """Return every promise that was not kept."""
    found: list[Violation] = []
    for session_id, session in evidence.sessions.items():
        found += check_log(session_id, session)
        found += check_turns(session_id, session)
        found += check_owner(session_id, session)
        found += check_projection(session_id, session)
        found += check_output(session_id, session)
    found += check_prompts(evidence)
    found += check_effects(evidence)
    for record in evidence.records:
        found += check_wire(record, evidence)
        found += check_applied(record, evidence)
        found += check_shown(record, evidence)
        found += check_rights(record, evidence)
        found += check_interrupts(record, evidence)
    found += check_requests(evidence)
    found += check_blobs(evidence)
    found += check_attachments(evidence)
    found += check_queue(evidence)
    found += check_restores(evidence)
    found += check_repository(evidence)
    found += check_processes(evidence)
    return found


def check_log(session_id: str, session: SessionEvidence) -> Iterator[Violation]:
    """I1: seqs are 1..head; whatever begins ends, once, and in its place."""
    seqs = [event["seq"] for event in session.events]
    if seqs != list(range(1, session.head + 1)):
        odd = sorted(set(range(1, session.head + 1)) ^ set(seqs))
        yield Violation("I1", f"seqs are not 1..{session.head}", "", session_id, tuple(odd))
    for begin, end, key in _PAIRS:
        begun = Counter(event[key] for event in session.events if event["type"] == begin)
        ended = Counter(event[key] for event in session.events if event["type"] == end)
        for name in {*begun, *ended}:
            if (begun[name], ended[name]) != (1, 1):
                what = f"{name} has {begun[name]} {begin} and {ended[name]} {end}"
                yield Violation("I1", what, "", session_id)
    yield from _check_blocks(session_id, session)


def _check_blocks(session_id: str, session: SessionEvidence) -> Iterator[Violation]:
    """The deltas of a text block add up to its end: none is missing, none is double."""
    texts: defaultdict[str, list[str]] = defaultdict(list)
    kinds: dict[str, str] = {}
    for event in session.events:
        if event["type"] == "block_start":
            kinds[event["blockId"]] = event["blockType"]
        elif event["type"] == "block_delta":
            texts[event["blockId"]].append(event["delta"])
        elif event["type"] == "block_end":
            is_text = kinds.get(event["blockId"]) in {"text", "thinking"}
            if is_text and "".join(texts[event["blockId"]]) != event["content"]:
                what = f"the deltas of {event['blockId']} are not its content"
                yield Violation("I1", what, "", session_id, (event["seq"],))


def check_turns(session_id: str, session: SessionEvidence) -> Iterator[Violation]:
    """I10: one turn at a time, one turn per prompt, and nothing of a turn outside of it."""
    turn: str | None = None
    of_prompt: defaultdict[str, list[int]] = defaultdict(list)
    for event in session.events:
        if event["type"] == "turn_start":
            if "clientMsgId" in event:  # else the agent began it
                of_prompt[event["clientMsgId"]].append(event["seq"])
            if turn is not None:
                what = f"turn {event['turnId']} began inside turn {turn}"
                yield Violation("I10", what, "", session_id, (event["seq"],))
            turn = event["turnId"]
        elif event["type"] == "turn_end":
            if event["turnId"] != turn:
                what = f"turn {event['turnId']} ended inside turn {turn}"
                yield Violation("I10", what, "", session_id, (event["seq"],))
            turn = None
        elif event["type"] == "message_start" and event["turnId"] != turn:
            what = f"a message of turn {event['turnId']} inside turn {turn}"
            yield Violation("I10", what, "", session_id, (event["seq"],))
    for client_msg_id, seqs in of_prompt.items():
        if len(seqs) > 1:
            what = f"prompt {client_msg_id} ran {len(seqs)} times"
            yield Violation("double turn", what, "", session_id, tuple(seqs))
    yield from _check_reasons(session_id, session)


def _check_reasons(session_id: str, session: SessionEvidence) -> Iterator[Violation]:
    """I9: no turn is interrupted without a person's word or a limit that the log tells."""
    asked = False
    for event in session.events:
        if event["type"] == "interrupt_requested" or event.get("code") in _LIMITS:
            asked = True
        elif event["type"] == "turn_end" and event["stopReason"] == "interrupted" and not asked:
            what = "a turn was interrupted that nobody asked to"
            yield Violation("I9", what, "", session_id, (event["seq"],))


def check_owner(session_id: str, session: SessionEvidence) -> Iterator[Violation]:
    """I10: no session is left live without an owner."""
    if session.is_live and not session.has_owner:
        yield Violation("I10", f"{session.state} without an owner", "", session_id)


def check_projection(session_id: str, session: SessionEvidence) -> Iterator[Violation]:
    """I12: snapshot and stored messages are the fold of the log."""
    folded = fold_all(empty(session_id), session.events)
    snapshot = session.snapshot
    for key in (
        "cursor",
        "state",
        "runState",
        "title",
        "agent",
        "mode",
        "modes",
        "permissions",
        "questions",
    ):
        if snapshot[key] != folded[key]:
            what = f"{key} of the snapshot is not that of the log"
            yield Violation("I12", what, "", session_id)
    for key in ("turn", "usage", "current"):
        if snapshot[key] != folded[key]:
            yield Violation("I12", f"{key} of the snapshot is not that of the log", "", session_id)
    # A mark that messages are taken back is made of the session's row at each reading.
    told = [{key: part for key, part in m.items() if key != "rewound"} for m in folded["messages"]]
    if session.messages != told:
        seqs = differing(session.messages, told)
        yield Violation("I12", "stored messages are not those of the log", "", session_id, seqs)
    shown = len(snapshot["messages"])
    if shown and snapshot["messages"] != folded["messages"][-shown:]:
        yield Violation("I12", "messages of the snapshot are not those of the log", "", session_id)


def check_prompts(evidence: Evidence) -> Iterator[Violation]:
    """I4, I10: a prompt with a receipt is in the log, once, at its number; every prompt ends."""
    places, outcomes = _prompts_in_logs(evidence)
    for client_msg_id, found in places.items():
        if len(found) > 1:
            what = f"prompt {client_msg_id} is in the log {len(found)} times"
            yield Violation("I4", what, "", found[0][0], tuple(seq for _, seq in found))
        if outcomes[client_msg_id] != 1:
            what = f"prompt {client_msg_id} has {outcomes[client_msg_id]} outcomes"
            yield Violation("I10", what, "", found[0][0], (found[0][1],))
    for prompt in evidence.prompts:
        if prompt["state"] not in FINAL_STATES:
            what = f"prompt {prompt['clientMsgId']} was left {prompt['state']}"
            yield Violation("I10", what, "", prompt["sessionId"], (prompt["seq"],))
    for record in evidence.records:
        yield from _check_receipts(record, places)


def _prompts_in_logs(
    evidence: Evidence,
) -> tuple[dict[str, list[tuple[str, int]]], Counter[str]]:
    """Return where each prompt stands, and how often it has ended: its turns, and withdrawals."""
    places: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    outcomes: Counter[str] = Counter()
    for session_id, session in evidence.sessions.items():
        begun = [e for e in session.events if e["type"] == "turn_start" and "clientMsgId" in e]
        turns = {e["turnId"]: e["clientMsgId"] for e in begun}
        for event in session.events:
            if event["type"] == "user_message":
                places[event["clientMsgId"]].append((session_id, event["seq"]))
            elif event["type"] == "prompt_withdrawn":
                outcomes[event["clientMsgId"]] += 1
            elif event["type"] == "turn_end" and event["turnId"] in turns:
                outcomes[turns[event["turnId"]]] += 1
    return places, outcomes


def _check_receipts(
    record: Record, places: dict[str, list[tuple[str, int]]]
) -> Iterator[Violation]:
    for prompt in record.prompts.values():
        found = places.get(prompt.client_msg_id, [])
        session_id = prompt.session_id or ""
        if prompt.state in {"queued", "sending"}:
            what = f"prompt {prompt.client_msg_id} was never settled"
            yield Violation("I4", what, record.device, session_id)
        if prompt.state == "accepted" and not found:
            what = f"prompt {prompt.client_msg_id} was accepted and is not in the log"
            yield Violation("lost prompt", what, record.device, session_id, tuple(prompt.seqs))
        for seq in prompt.seqs:
            if (session_id, seq) not in found:
                what = f"the receipt of prompt {prompt.client_msg_id} names another place"
                yield Violation("I4", what, record.device, session_id, (seq,))


def check_effects(evidence: Evidence) -> Iterator[Violation]:
    """I10: a prompt acts outside of the log once, and only if it was admitted."""
    for session_id, session in evidence.sessions.items():
        known = {e["clientMsgId"] for e in session.events if e["type"] == "user_message"}
        for name, times in Counter(session.effects).items():
            if times > 1:
                what = f"prompt {name} was carried out {times} times"
                yield Violation("double turn", what, "", session_id)
            if name not in known:
                what = f"prompt {name} was carried out and is not in the log"
                yield Violation("I4", what, "", session_id)


def check_rights(record: Record, evidence: Evidence) -> Iterator[Violation]:
    """I11: users see and change their own sessions alone."""
    seen = {
        (frame["sessionId"], frame.get("seq", 0))
        for connection in record.connections
        for frame in connection.frames
        if frame["type"] not in {"watch_rejected", "client_asked"} and frame.get("sessionId")
    }
    for session_id, seq in sorted(seen):
        session = evidence.sessions.get(session_id)
        if session is None or session.owner != record.user:
            what = f"{record.user} was sent what belongs to another"
            yield Violation("I11", what, record.device, session_id, (seq,))
    for command, status in record.refusals:
        if status < 400:
            what = f"{record.user} may {command} what belongs to another"
            yield Violation("I11", what, record.device)


def check_processes(evidence: Evidence) -> Iterator[Violation]:
    """I7, I8: no process ends by itself or grows without bound; in the end all is quiet."""
    for death in evidence.deaths:
        yield Violation("I7", death)
    for name, memory_mb in evidence.memory_mb.items():
        if memory_mb > evidence.memory_limit_mb:
            yield Violation("I8", f"{name} took {memory_mb:.0f} MB")
    for what in evidence.restless:
        yield Violation("not quiet", what)
