"""Events → transcript and run state: ``fold(snapshot, envelope) → snapshot``.

Pure. Snapshots, the projection and the tests use it; static/sessions/fold.js is its twin, and
tests/golden/turns.json holds the two together. Neither argument is changed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar, cast

from sessions.core.states import RunState, SessionState
from sessions.eventlog.events import EventType, StopReason
from sessions.eventlog.shapes import (
    AssistantMessage,
    Block,
    Envelope,
    Message,
    NoticeMessage,
    Permission,
    PromptState,
    Snapshot,
    Usage,
    UserMessage,
)

Item = TypeVar("Item")

NO_USAGE: Final[Usage] = {
    "inputTokens": 0,
    "outputTokens": 0,
    "costUsd": 0.0,
    "contextWindow": None,
}

_PROMPT_STATES: Final[dict[str, PromptState]] = {
    StopReason.END_TURN: "answered",
    StopReason.MAX_TOKENS: "answered",
    StopReason.REFUSAL: "answered",
    StopReason.INTERRUPTED: "interrupted",
    StopReason.SERVER_RESTART: "interrupted",
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


def fold(snapshot: Snapshot, event: Envelope) -> Snapshot:
    """Return the snapshot after one envelope; an unknown type only moves the cursor."""
    step = _STEPS.get(event["type"])
    after = step(snapshot, event) if step is not None else snapshot
    return {**after, "cursor": event["seq"]}


def fold_all(snapshot: Snapshot, events: Iterable[Envelope]) -> Snapshot:
    """Return the snapshot after all envelopes, in their order."""
    for event in events:
        snapshot = fold(snapshot, event)
    return snapshot


def prompt_state(stop_reason: str) -> PromptState:
    """Return the state of a prompt whose turn ended so: answered, interrupted or failed."""
    return _PROMPT_STATES.get(stop_reason, "failed")


def new_prompt(event: Envelope) -> UserMessage:
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


def new_notice(event: Envelope) -> NoticeMessage:
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


def add_usage(total: Usage | None, event: Envelope) -> Usage:
    """Return total plus the increment of one usage event."""
    before = total or NO_USAGE
    return {
        "inputTokens": before["inputTokens"] + event["inputTokens"],
        "outputTokens": before["outputTokens"] + event["outputTokens"],
        "costUsd": before["costUsd"] + event.get("costUsd", 0.0),
        "contextWindow": event.get("contextWindow", before["contextWindow"]),
    }


# --- Lists with one item changed ----------------------------------------------------------------


def _insert(messages: Sequence[Message], message: Message) -> list[Message]:
    place = bisect_left(messages, message["seq"], key=_seq)
    return [*messages[:place], message, *messages[place:]]


def _seq(message: Message) -> int:
    return message["seq"]


def _replace(
    items: list[Item], matches: Callable[[Item], bool], change: Callable[[Item], Item]
) -> list[Item]:
    """Return items with the youngest match changed; nearly always that is the last item."""
    for place in range(len(items) - 1, -1, -1):
        if matches(items[place]):
            return [*items[:place], change(items[place]), *items[place + 1 :]]
    return items


def _with_prompt(
    messages: list[Message],
    matches: Callable[[UserMessage], bool],
    change: Callable[[UserMessage], UserMessage],
) -> list[Message]:
    return _replace(
        messages,
        lambda message: message["role"] == "user" and matches(message),
        lambda message: change(cast("UserMessage", message)),
    )


def _with_block(
    snapshot: Snapshot,
    event: Envelope,
    matches: Callable[[Block], bool],
    change: Callable[[Block], Block],
) -> Snapshot:
    """Return the snapshot with one block changed, where the event is about the answer in flight."""
    current = _current(snapshot, event)
    if current is None:
        return snapshot
    blocks = _replace(current["blocks"], matches, change)
    return {**snapshot, "current": {**current, "blocks": blocks}}


def _current(snapshot: Snapshot, event: Envelope) -> AssistantMessage | None:
    """Return the answer in flight when the event is about that one, else None."""
    current = snapshot["current"]
    return current if current is not None and current["messageId"] == event["messageId"] else None


# --- One step for each type ---------------------------------------------------------------------


def _session_created(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return {**snapshot, "title": event["title"], "agent": event["agent"], "mode": event["mode"]}


def _session_state_changed(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return {**snapshot, "state": event["state"]}


def _user_message(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return {**snapshot, "messages": _insert(snapshot["messages"], new_prompt(event))}


def _notice(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return {**snapshot, "messages": _insert(snapshot["messages"], new_notice(event))}


def _turn_start(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return {
        **snapshot,
        "turn": {"turnId": event["turnId"], "clientMsgId": event["clientMsgId"]},
        "runState": RunState.RUNNING.value,
        "messages": _with_prompt(
            snapshot["messages"],
            lambda prompt: prompt["clientMsgId"] == event["clientMsgId"],
            lambda prompt: {**prompt, "turnId": event["turnId"], "promptState": "dispatched"},
        ),
    }


def _message_start(snapshot: Snapshot, event: Envelope) -> Snapshot:
    current: AssistantMessage = {
        "messageId": event["messageId"],
        "role": event["role"],
        "seq": event["seq"],
        "ts": event["ts"],
        "turnId": event["turnId"],
        "blocks": [],
    }
    return {**snapshot, "current": current}


def _block_start(snapshot: Snapshot, event: Envelope) -> Snapshot:
    current = _current(snapshot, event)
    if current is None:
        return snapshot
    block: Block = {
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
    return {**snapshot, "current": {**current, "blocks": [*current["blocks"], block]}}


def _block_delta(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return _with_block(
        snapshot,
        event,
        lambda block: block["blockId"] == event["blockId"],
        lambda block: {**block, "content": block["content"] + event["delta"]},
    )


def _block_end(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return _with_block(
        snapshot,
        event,
        lambda block: block["blockId"] == event["blockId"],
        lambda block: {
            **block,
            "content": event["content"],
            "html": event.get("html"),
            "input": event.get("input"),
            "done": True,
        },
    )


def _tool_update(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return _with_block(
        snapshot,
        event,
        lambda block: block["toolId"] == event["toolId"],
        lambda block: {
            **block,
            "toolName": event.get("toolName", block["toolName"]),
            "toolKind": event.get("toolKind", block["toolKind"]),
            "content": event.get("title", block["content"]),
            "input": event.get("input", block["input"]),
        },
    )


def _tool_result(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return _with_block(
        snapshot,
        event,
        lambda block: block["toolId"] == event["toolId"],
        lambda block: {**block, "status": event["status"], "result": event["content"]},
    )


def _message_end(snapshot: Snapshot, event: Envelope) -> Snapshot:
    current = _current(snapshot, event)
    if current is None:
        return snapshot
    return {**snapshot, "current": None, "messages": _insert(snapshot["messages"], current)}


def _permission_request(snapshot: Snapshot, event: Envelope) -> Snapshot:
    request: Permission = {
        "permId": event["permId"],
        "toolName": event["toolName"],
        "title": event["title"],
        "input": event["input"],
        "options": event["options"],
        "expiresAt": event["expiresAt"],
        "toolId": event.get("toolId"),
        "seq": event["seq"],
    }
    return {
        **snapshot,
        "permissions": [*snapshot["permissions"], request],
        "runState": RunState.REQUIRES_ACTION.value,
    }


def _permission_resolved(snapshot: Snapshot, event: Envelope) -> Snapshot:
    still_open = [p for p in snapshot["permissions"] if p["permId"] != event["permId"]]
    if still_open:
        run_state = RunState.REQUIRES_ACTION
    else:
        run_state = RunState.RUNNING if snapshot["turn"] else RunState.IDLE
    return {**snapshot, "permissions": still_open, "runState": run_state.value}


def _usage(snapshot: Snapshot, event: Envelope) -> Snapshot:
    after: Snapshot = {**snapshot, "usage": add_usage(snapshot["usage"], event)}
    if "turnId" not in event:
        return after
    messages = _with_prompt(
        snapshot["messages"],
        lambda prompt: prompt["turnId"] == event["turnId"],
        lambda prompt: {**prompt, "usage": add_usage(prompt["usage"], event)},
    )
    return {**after, "messages": messages}


def _turn_end(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return {
        **snapshot,
        "turn": None,
        "runState": RunState.IDLE.value,
        "permissions": [],
        "messages": _with_prompt(
            snapshot["messages"],
            lambda prompt: prompt["turnId"] == event["turnId"],
            lambda prompt: {
                **prompt,
                "promptState": prompt_state(event["stopReason"]),
                "stopReason": event["stopReason"],
                "error": event.get("error"),
            },
        ),
    }


def _agent_started(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return {**snapshot, "modes": event["modes"]}


def _mode_changed(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return {**snapshot, "mode": event["mode"]}


def _title_changed(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return {**snapshot, "title": event["title"]}


_STEPS: Final[dict[str, Callable[[Snapshot, Envelope], Snapshot]]] = {
    EventType.SESSION_CREATED: _session_created,
    EventType.SESSION_STATE_CHANGED: _session_state_changed,
    EventType.USER_MESSAGE: _user_message,
    EventType.TURN_START: _turn_start,
    EventType.MESSAGE_START: _message_start,
    EventType.BLOCK_START: _block_start,
    EventType.BLOCK_DELTA: _block_delta,
    EventType.BLOCK_END: _block_end,
    EventType.TOOL_UPDATE: _tool_update,
    EventType.TOOL_RESULT: _tool_result,
    EventType.MESSAGE_END: _message_end,
    EventType.PERMISSION_REQUEST: _permission_request,
    EventType.PERMISSION_RESOLVED: _permission_resolved,
    EventType.USAGE: _usage,
    EventType.TURN_END: _turn_end,
    EventType.ERROR: _notice,
    EventType.INTERRUPT_FAILED: _notice,
    EventType.AGENT_STARTED: _agent_started,
    EventType.MODE_CHANGED: _mode_changed,
    EventType.TITLE_CHANGED: _title_changed,
}
