"""Events → transcript and run state: ``fold(snapshot, envelope) → snapshot``.

Pure. Snapshots, the projection and the tests use it; static/sessions/log/fold.js is its twin, and
tests/golden/turns.json holds the two together. Neither argument is changed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar, cast

from sessions.core.states import RunState, SessionState
from sessions.eventlog.events import EventType
from sessions.eventlog.folding import options, parts, rewinding
from sessions.eventlog.folding.marks import grown, marked, size_of
from sessions.eventlog.shapes import (
    AssistantMessage,
    Block,
    Envelope,
    Message,
    Queued,
    Snapshot,
    UserMessage,
)

Item = TypeVar("Item")


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
        "questions": [],
        "turn": None,
        "queue": [],
        "rewinds": [],
        "usage": parts.NO_USAGE,
        "context": None,
        "options": [],
        "commands": [],
        "logIn": None,
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
    messages = _insert(snapshot["messages"], parts.new_prompt(event))
    if event.get("imported"):
        return {**snapshot, "messages": messages}
    queued: Queued = {"clientMsgId": event["clientMsgId"], "seq": event["seq"]}
    return {**snapshot, "queue": [*snapshot["queue"], queued], "messages": messages}


def _prompt_withdrawn(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return {
        **snapshot,
        "queue": _without(snapshot["queue"], event["clientMsgId"]),
        "messages": _with_prompt(
            snapshot["messages"],
            lambda prompt: prompt["clientMsgId"] == event["clientMsgId"],
            lambda prompt: {**prompt, "promptState": "withdrawn"},
        ),
    }


def _prompt_edited(snapshot: Snapshot, event: Envelope) -> Snapshot:
    messages = _with_prompt(
        snapshot["messages"],
        lambda prompt: prompt["clientMsgId"] == event["clientMsgId"],
        lambda prompt: parts.with_edit(prompt, event),
    )
    return {**snapshot, "messages": messages}


def _queue_reordered(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return {**snapshot, "queue": parts.reordered(snapshot["queue"], event["clientMsgIds"])}


def _checkpoint_made(snapshot: Snapshot, event: Envelope) -> Snapshot:
    if "clientMsgId" not in event:
        return snapshot
    messages = _with_prompt(
        snapshot["messages"],
        lambda prompt: prompt["clientMsgId"] == event["clientMsgId"],
        lambda prompt: {**prompt, "checkpointId": event["checkpointId"]},
    )
    return {**snapshot, "messages": messages}


def _rewound(snapshot: Snapshot, event: Envelope) -> Snapshot:
    rewinds = rewinding.after(snapshot["rewinds"], event)
    messages = [rewinding.marked(message, rewinds) for message in snapshot["messages"]]
    return {**snapshot, "rewinds": rewinds, "messages": messages}


def _restored(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return _with_notice(snapshot, event, code=event["type"], text=event["text"])


def _without(queue: list[Queued], client_msg_id: str) -> list[Queued]:
    return [each for each in queue if each["clientMsgId"] != client_msg_id]


def _error(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return _with_notice(snapshot, event, code=event["code"], text=event["error"])


def _notice(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return _with_notice(snapshot, event, code=event["kind"], text=event["text"])


def _with_notice(snapshot: Snapshot, event: Envelope, *, code: str, text: str) -> Snapshot:
    notice = parts.new_notice(event, code=code, text=text)
    return {**snapshot, "messages": _insert(snapshot["messages"], notice)}


def _turn_start(snapshot: Snapshot, event: Envelope) -> Snapshot:
    after: Snapshot = {
        **snapshot,
        "turn": parts.new_turn(event),
        "runState": RunState.RUNNING.value,
    }
    if "clientMsgId" not in event:
        return after
    messages = _with_prompt(
        snapshot["messages"],
        lambda prompt: prompt["clientMsgId"] == event["clientMsgId"],
        lambda prompt: {**prompt, "turnId": event["turnId"], "promptState": "dispatched"},
    )
    queue = _without(snapshot["queue"], event["clientMsgId"])
    return {**after, "queue": queue, "messages": messages}


def _message_start(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return {**snapshot, "current": parts.new_answer(event)}


def _block_start(snapshot: Snapshot, event: Envelope) -> Snapshot:
    current = _current(snapshot, event)
    if current is None:
        return snapshot
    blocks = [*current["blocks"], parts.new_block(event)]
    return {**snapshot, "current": {**current, "blocks": blocks}}


def _block_delta(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return _with_block(
        snapshot,
        event,
        lambda block: block["blockId"] == event["blockId"],
        lambda block: grown(block, event, "content"),
    )


def _block_end(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return _with_block(
        snapshot,
        event,
        lambda block: block["blockId"] == event["blockId"],
        lambda block: marked(
            {
                **block,
                "content": event["content"],
                "html": event.get("html"),
                "input": event.get("input"),
                "done": True,
            },
            {name: size_of(event, name) for name in ("content", "html", "input")},
        ),
    )


def _tool_update(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return _with_block(
        snapshot,
        event,
        lambda block: block["toolId"] == event["toolId"],
        lambda block: parts.with_update(block, event),
    )


def _tool_output(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return _with_block(
        snapshot,
        event,
        lambda block: block["toolId"] == event["toolId"],
        lambda block: grown(block, event, "result"),
    )


def _tool_result(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return _with_block(
        snapshot,
        event,
        lambda block: block["toolId"] == event["toolId"],
        lambda block: parts.with_result(block, event),
    )


def _message_end(snapshot: Snapshot, event: Envelope) -> Snapshot:
    current = _current(snapshot, event)
    if current is None:
        return snapshot
    return {**snapshot, "current": None, "messages": _insert(snapshot["messages"], current)}


def _permission_request(snapshot: Snapshot, event: Envelope) -> Snapshot:
    request = parts.new_permission(event)
    return _waiting({**snapshot, "permissions": [*snapshot["permissions"], request]})


def _permission_resolved(snapshot: Snapshot, event: Envelope) -> Snapshot:
    still_open = [p for p in snapshot["permissions"] if p["permId"] != event["permId"]]
    return _waiting({**snapshot, "permissions": still_open})


def _question_asked(snapshot: Snapshot, event: Envelope) -> Snapshot:
    question = parts.new_question(event)
    return _waiting({**snapshot, "questions": [*snapshot["questions"], question]})


def _question_answered(snapshot: Snapshot, event: Envelope) -> Snapshot:
    still_open = [q for q in snapshot["questions"] if q["questionId"] != event["questionId"]]
    return _waiting({**snapshot, "questions": still_open})


def _waiting(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with the run state of its open requests."""
    if snapshot["permissions"] or snapshot["questions"]:
        run_state = RunState.REQUIRES_ACTION
    else:
        run_state = RunState.RUNNING if snapshot["turn"] else RunState.IDLE
    return {**snapshot, "runState": run_state.value}


def _usage(snapshot: Snapshot, event: Envelope) -> Snapshot:
    after: Snapshot = {**snapshot, "usage": parts.add_usage(snapshot["usage"], event)}
    if "turnId" not in event:
        return after
    messages = _with_prompt(
        snapshot["messages"],
        lambda prompt: prompt["turnId"] == event["turnId"],
        lambda prompt: {**prompt, "usage": parts.add_usage(prompt["usage"], event)},
    )
    return {**after, "messages": messages}


def _turn_end(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return {
        **snapshot,
        "turn": None,
        "runState": RunState.IDLE.value,
        "permissions": [],
        "questions": [],
        "messages": _with_prompt(
            snapshot["messages"],
            lambda prompt: prompt["turnId"] == event["turnId"],
            lambda prompt: {
                **prompt,
                "promptState": parts.prompt_state(event["stopReason"]),
                "stopReason": event["stopReason"],
                "error": event.get("error"),
            },
        ),
    }


def _agent_started(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return {**snapshot, "modes": event["modes"]}


def _mode_changed(snapshot: Snapshot, event: Envelope) -> Snapshot:
    mode = event["mode"]
    return {**snapshot, "mode": mode, "options": options.in_mode(snapshot["options"], mode)}


def _context(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return {**snapshot, "context": {"used": event["used"], "size": event["size"]}}


def _options_offered(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return {**snapshot, "options": event["options"]}


def _option_changed(snapshot: Snapshot, event: Envelope) -> Snapshot:
    own, value = event["optionId"], event["value"]
    after: Snapshot = {**snapshot, "options": options.with_value(snapshot["options"], own, value)}
    holds_mode = any(o["id"] == own and options.is_mode(o, value) for o in after["options"])
    return {**after, "mode": str(value)} if holds_mode else after


def _commands_offered(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return {**snapshot, "commands": event["commands"]}


def _log_in_changed(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return {**snapshot, "logIn": parts.new_log_in(event)}


def _title_changed(snapshot: Snapshot, event: Envelope) -> Snapshot:
    return {**snapshot, "title": event["title"]}


_STEPS: Final[dict[str, Callable[[Snapshot, Envelope], Snapshot]]] = {
    EventType.SESSION_CREATED: _session_created,
    EventType.SESSION_STATE_CHANGED: _session_state_changed,
    EventType.USER_MESSAGE: _user_message,
    EventType.PROMPT_WITHDRAWN: _prompt_withdrawn,
    EventType.PROMPT_EDITED: _prompt_edited,
    EventType.QUEUE_REORDERED: _queue_reordered,
    EventType.CHECKPOINT_MADE: _checkpoint_made,
    EventType.REWOUND: _rewound,
    EventType.RESTORED: _restored,
    EventType.TURN_START: _turn_start,
    EventType.MESSAGE_START: _message_start,
    EventType.BLOCK_START: _block_start,
    EventType.BLOCK_DELTA: _block_delta,
    EventType.BLOCK_END: _block_end,
    EventType.TOOL_UPDATE: _tool_update,
    EventType.TOOL_OUTPUT: _tool_output,
    EventType.TOOL_RESULT: _tool_result,
    EventType.MESSAGE_END: _message_end,
    EventType.PERMISSION_REQUEST: _permission_request,
    EventType.PERMISSION_RESOLVED: _permission_resolved,
    EventType.QUESTION_ASKED: _question_asked,
    EventType.QUESTION_ANSWERED: _question_answered,
    EventType.USAGE: _usage,
    EventType.CONTEXT: _context,
    EventType.NOTICE: _notice,
    EventType.TURN_END: _turn_end,
    EventType.ERROR: _error,
    EventType.INTERRUPT_FAILED: _error,
    EventType.AGENT_STARTED: _agent_started,
    EventType.MODE_CHANGED: _mode_changed,
    EventType.OPTIONS_OFFERED: _options_offered,
    EventType.OPTION_CHANGED: _option_changed,
    EventType.COMMANDS_OFFERED: _commands_offered,
    EventType.LOG_IN_CHANGED: _log_in_changed,
    EventType.TITLE_CHANGED: _title_changed,
}
