"""Events → transcript and run state: ``fold(snapshot, envelope) → snapshot``.

Pure. Snapshots, the projection and the tests use it; static/sessions/fold.js is its twin, and
tests/golden/turns.json holds the two together. Neither argument is changed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Any

from sessions.core.states import RunState, SessionState

Json = dict[str, Any]
Snapshot = dict[str, Any]

NO_USAGE: Json = {"inputTokens": 0, "outputTokens": 0, "costUsd": 0.0, "contextWindow": None}

_PROMPT_STATES = {
    "end_turn": "answered",
    "max_tokens": "answered",
    "refusal": "answered",
    "interrupted": "interrupted",
    "server_restart": "interrupted",
}


def empty(session_id: str) -> Snapshot:
    """Return the snapshot of a session before its first event."""
    return {
        "sessionId": session_id,
        "cursor": 0,
        "state": SessionState.CREATED.value,
        "runState": RunState.IDLE.value,
        "title": "",
        "agent": "",
        "mode": "",
        "modes": [],
        "messages": [],
        "current": None,
        "permissions": [],
        "turn": None,
        "usage": NO_USAGE,
    }


def fold(snapshot: Snapshot, event: Json) -> Snapshot:
    """Return the snapshot after one envelope; an unknown type only moves the cursor."""
    step = _STEPS.get(event["type"])
    changed = step(snapshot, event) if step is not None else {}
    return {**snapshot, **changed, "cursor": event["seq"]}


def fold_all(snapshot: Snapshot, events: Iterable[Json]) -> Snapshot:
    """Return the snapshot after all envelopes, in their order."""
    for event in events:
        snapshot = fold(snapshot, event)
    return snapshot


def prompt_state(stop_reason: str) -> str:
    """Return what a turn's stop reason makes of its prompt: answered, interrupted or failed."""
    return _PROMPT_STATES.get(stop_reason, "failed")


def new_prompt(event: Json) -> Json:
    """Return the Message of a user_message."""
    return {
        "messageId": event["messageId"],
        "role": "user",
        "seq": event["seq"],
        "ts": event["ts"],
        "turnId": None,
        "text": event["text"],
        "clientMsgId": event["clientMsgId"],
        "promptState": "accepted",
        "stopReason": None,
        "error": None,
        "usage": None,
    }


def new_notice(event: Json) -> Json:
    """Return the Message of something that a person must know: an error, a failed interrupt."""
    return {
        "messageId": f"n{event['seq']}",
        "role": "notice",
        "seq": event["seq"],
        "ts": event["ts"],
        "turnId": None,
        "code": event["code"],
        "text": event["error"],
    }


def add_usage(total: Json | None, event: Json) -> Json:
    """Return total plus the increment of one usage event."""
    before = total or NO_USAGE
    return {
        "inputTokens": before["inputTokens"] + event["inputTokens"],
        "outputTokens": before["outputTokens"] + event["outputTokens"],
        "costUsd": before["costUsd"] + event.get("costUsd", 0.0),
        "contextWindow": event.get("contextWindow", before["contextWindow"]),
    }


def _insert(messages: list[Json], message: Json) -> list[Json]:
    place = bisect_left(messages, message["seq"], key=_seq)
    return [*messages[:place], message, *messages[place:]]


def _seq(message: Json) -> int:
    seq: int = message["seq"]
    return seq


def _replace(
    messages: list[Json], matches: Callable[[Json], bool], change: Callable[[Json], Json]
) -> list[Json]:
    """Return messages with the youngest match changed; what matches is nearly always the last."""
    for place in range(len(messages) - 1, -1, -1):
        if matches(messages[place]):
            return [*messages[:place], change(messages[place]), *messages[place + 1 :]]
    return messages


def _with_block(message: Json, matches: Callable[[Json], bool], changed: Json) -> Json:
    blocks = _replace(message["blocks"], matches, lambda block: {**block, **changed})
    return {**message, "blocks": blocks}


def _session_created(snapshot: Snapshot, event: Json) -> Json:
    return {key: event[key] for key in ("title", "agent", "mode")}


def _session_state_changed(snapshot: Snapshot, event: Json) -> Json:
    return {"state": event["state"]}


def _user_message(snapshot: Snapshot, event: Json) -> Json:
    return {"messages": _insert(snapshot["messages"], new_prompt(event))}


def _notice(snapshot: Snapshot, event: Json) -> Json:
    return {"messages": _insert(snapshot["messages"], new_notice(event))}


def _turn_start(snapshot: Snapshot, event: Json) -> Json:
    turn = {"turnId": event["turnId"], "clientMsgId": event["clientMsgId"]}
    dispatched = {"turnId": event["turnId"], "promptState": "dispatched"}
    messages = _replace(
        snapshot["messages"],
        lambda message: message.get("clientMsgId") == event["clientMsgId"],
        lambda message: {**message, **dispatched},
    )
    return {"turn": turn, "runState": RunState.RUNNING.value, "messages": messages}


def _message_start(snapshot: Snapshot, event: Json) -> Json:
    current = {
        "messageId": event["messageId"],
        "role": event["role"],
        "seq": event["seq"],
        "ts": event["ts"],
        "turnId": event["turnId"],
        "blocks": [],
    }
    return {"current": current}


def _is_current(snapshot: Snapshot, event: Json) -> bool:
    current = snapshot["current"]
    return current is not None and current["messageId"] == event["messageId"]


def _block_start(snapshot: Snapshot, event: Json) -> Json:
    if not _is_current(snapshot, event):
        return {}
    block = {
        "blockId": event["blockId"],
        "blockType": event["blockType"],
        "content": "",
        "html": None,
        "toolName": event.get("toolName"),
        "toolId": event.get("toolId"),
        "toolKind": event.get("toolKind"),
        "input": None,
        "status": None,
        "result": None,
        "done": False,
    }
    current = snapshot["current"]
    return {"current": {**current, "blocks": [*current["blocks"], block]}}


def _block_delta(snapshot: Snapshot, event: Json) -> Json:
    if not _is_current(snapshot, event):
        return {}
    current = snapshot["current"]
    blocks = _replace(
        current["blocks"],
        lambda block: block["blockId"] == event["blockId"],
        lambda block: {**block, "content": block["content"] + event["delta"]},
    )
    return {"current": {**current, "blocks": blocks}}


def _block_end(snapshot: Snapshot, event: Json) -> Json:
    if not _is_current(snapshot, event):
        return {}
    ended = {
        "content": event["content"],
        "html": event.get("html"),
        "input": event.get("input"),
        "done": True,
    }
    current = snapshot["current"]
    return {
        "current": _with_block(current, lambda block: block["blockId"] == event["blockId"], ended)
    }


def _tool_result(snapshot: Snapshot, event: Json) -> Json:
    if not _is_current(snapshot, event):
        return {}
    result = {"status": event["status"], "result": event["content"]}
    current = snapshot["current"]
    return {
        "current": _with_block(current, lambda block: block["toolId"] == event["toolId"], result)
    }


def _message_end(snapshot: Snapshot, event: Json) -> Json:
    if not _is_current(snapshot, event):
        return {}
    return {"current": None, "messages": _insert(snapshot["messages"], snapshot["current"])}


def _permission_request(snapshot: Snapshot, event: Json) -> Json:
    request = {
        key: event[key] for key in ("permId", "toolName", "title", "input", "options", "expiresAt")
    }
    request |= {"toolId": event.get("toolId"), "seq": event["seq"]}
    return {
        "permissions": [*snapshot["permissions"], request],
        "runState": RunState.REQUIRES_ACTION.value,
    }


def _permission_resolved(snapshot: Snapshot, event: Json) -> Json:
    still_open = [p for p in snapshot["permissions"] if p["permId"] != event["permId"]]
    if still_open:
        run_state = RunState.REQUIRES_ACTION
    else:
        run_state = RunState.RUNNING if snapshot["turn"] else RunState.IDLE
    return {"permissions": still_open, "runState": run_state.value}


def _usage(snapshot: Snapshot, event: Json) -> Json:
    changed: Json = {"usage": add_usage(snapshot["usage"], event)}
    if "turnId" in event:
        changed["messages"] = _replace(
            snapshot["messages"],
            _is_prompt_of(event["turnId"]),
            lambda message: {**message, "usage": add_usage(message["usage"], event)},
        )
    return changed


def _is_prompt_of(turn_id: str) -> Callable[[Json], bool]:
    return lambda message: message["role"] == "user" and message["turnId"] == turn_id


def _turn_end(snapshot: Snapshot, event: Json) -> Json:
    outcome = {
        "promptState": prompt_state(event["stopReason"]),
        "stopReason": event["stopReason"],
        "error": event.get("error"),
    }
    messages = _replace(
        snapshot["messages"],
        _is_prompt_of(event["turnId"]),
        lambda message: {**message, **outcome},
    )
    return {
        "turn": None,
        "runState": RunState.IDLE.value,
        "permissions": [],
        "messages": messages,
    }


def _agent_started(snapshot: Snapshot, event: Json) -> Json:
    return {"modes": event["modes"]}


def _mode_changed(snapshot: Snapshot, event: Json) -> Json:
    return {"mode": event["mode"]}


def _title_changed(snapshot: Snapshot, event: Json) -> Json:
    return {"title": event["title"]}


_STEPS: dict[str, Callable[[Snapshot, Json], Json]] = {
    "session_created": _session_created,
    "session_state_changed": _session_state_changed,
    "user_message": _user_message,
    "turn_start": _turn_start,
    "message_start": _message_start,
    "block_start": _block_start,
    "block_delta": _block_delta,
    "block_end": _block_end,
    "tool_result": _tool_result,
    "message_end": _message_end,
    "permission_request": _permission_request,
    "permission_resolved": _permission_resolved,
    "usage": _usage,
    "turn_end": _turn_end,
    "error": _notice,
    "interrupt_failed": _notice,
    "agent_started": _agent_started,
    "mode_changed": _mode_changed,
    "title_changed": _title_changed,
}
