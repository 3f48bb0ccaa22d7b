"""One constructor for each event type: the only place where a payload is put together.

Pure. A test holds the constructors and events.PAYLOADS together.
"""

from __future__ import annotations

from typing import Any, cast

from sessions.eventlog.events import BlockType, Draft, EventType, Resolution, StopReason
from sessions.eventlog.shapes import Mode, Option, Payload


def session_created(*, title: str, agent: str, mode: str, cwd: str) -> Draft:
    """Return the first event of a session."""
    payload: Payload = {"title": title, "agent": agent, "mode": mode, "cwd": cwd}
    return Draft(EventType.SESSION_CREATED, payload)


def session_state_changed(*, before: str, state: str, run_state: str, reason: str) -> Draft:
    """Return the event of a move between two states."""
    payload: Payload = {"from": before, "state": state, "runState": run_state, "reason": reason}
    return Draft(EventType.SESSION_STATE_CHANGED, payload)


def user_message(*, message_id: str, client_msg_id: str, text: str) -> Draft:
    """Return the event of a prompt that was accepted."""
    payload: Payload = {"messageId": message_id, "clientMsgId": client_msg_id, "text": text}
    return Draft(EventType.USER_MESSAGE, payload)


def turn_start(*, turn_id: str, client_msg_id: str) -> Draft:
    """Return the event of a prompt that is handed to the agent."""
    return Draft(EventType.TURN_START, {"turnId": turn_id, "clientMsgId": client_msg_id})


def message_start(*, message_id: str, turn_id: str) -> Draft:
    """Return the begin of an answer."""
    payload: Payload = {"messageId": message_id, "turnId": turn_id, "role": "assistant"}
    return Draft(EventType.MESSAGE_START, payload)


def block_start(
    *,
    message_id: str,
    block_id: str,
    block_type: BlockType,
    tool_name: str | None = None,
    tool_id: str | None = None,
    tool_kind: str | None = None,
) -> Draft:
    """Return the begin of a block."""
    payload: Payload = {"messageId": message_id, "blockId": block_id, "blockType": block_type}
    tool = _given(toolName=tool_name, toolId=tool_id, toolKind=tool_kind)
    return Draft(EventType.BLOCK_START, payload | tool)


def block_delta(*, message_id: str, block_id: str, delta: str) -> Draft:
    """Return a piece of a block's content."""
    payload: Payload = {"messageId": message_id, "blockId": block_id, "delta": delta}
    return Draft(EventType.BLOCK_DELTA, payload)


def block_end(
    *,
    message_id: str,
    block_id: str,
    content: str,
    html: str | None = None,
    tool_input: Any = None,
) -> Draft:
    """Return the end of a block with its whole content; tool_input: the block's data as JSON."""
    payload: Payload = {"messageId": message_id, "blockId": block_id, "content": content}
    return Draft(EventType.BLOCK_END, payload | _given(html=html, input=tool_input))


def tool_update(
    *,
    message_id: str,
    tool_id: str,
    tool_name: str | None = None,
    tool_kind: str | None = None,
    title: str | None = None,
    tool_input: Any = None,
) -> Draft:
    """Return a change of a tool call; None: unchanged."""
    payload: Payload = {"messageId": message_id, "toolId": tool_id}
    changed = _given(toolName=tool_name, toolKind=tool_kind, title=title, input=tool_input)
    return Draft(EventType.TOOL_UPDATE, payload | changed)


def tool_result(*, message_id: str, tool_id: str, status: str, content: str) -> Draft:
    """Return the outcome of a tool call."""
    payload: Payload = {
        "messageId": message_id,
        "toolId": tool_id,
        "status": status,
        "content": content,
    }
    return Draft(EventType.TOOL_RESULT, payload)


def message_end(*, message_id: str) -> Draft:
    """Return the end of an answer."""
    return Draft(EventType.MESSAGE_END, {"messageId": message_id})


def permission_request(
    *,
    perm_id: str,
    tool_name: str,
    title: str,
    tool_input: Any,
    options: list[Option],
    expires_at: str,
    tool_id: str | None = None,
) -> Draft:
    """Return the event of an agent that asks for permission; expires_at: a timestamp."""
    payload: Payload = {
        "permId": perm_id,
        "toolName": tool_name,
        "title": title,
        "input": tool_input,
        "options": options,
        "expiresAt": expires_at,
    }
    return Draft(EventType.PERMISSION_REQUEST, payload | _given(toolId=tool_id))


def permission_resolved(*, perm_id: str, decision: str, by: str, reason: Resolution) -> Draft:
    """Return the end of a permission request; decision: the id of an option, or CANCELLED."""
    payload: Payload = {"permId": perm_id, "decision": decision, "by": by, "reason": reason}
    return Draft(EventType.PERMISSION_RESOLVED, payload)


def usage(
    *,
    input_tokens: int,
    output_tokens: int,
    turn_id: str | None = None,
    cost_usd: float | None = None,
    context_window: int | None = None,
) -> Draft:
    """Return an increment of tokens and costs."""
    payload: Payload = {"inputTokens": input_tokens, "outputTokens": output_tokens}
    optional = _given(turnId=turn_id, costUsd=cost_usd, contextWindow=context_window)
    return Draft(EventType.USAGE, payload | optional)


def turn_end(*, turn_id: str, stop_reason: StopReason, error: str | None = None) -> Draft:
    """Return the end of a turn; error: a sentence for a person."""
    payload: Payload = {"turnId": turn_id, "stopReason": stop_reason}
    return Draft(EventType.TURN_END, payload | _given(error=error or None))


def interrupt_requested(
    *, by: str, stop: bool, turn_id: str | None = None, client_msg_id: str | None = None
) -> Draft:
    """Return a request to end a turn or a waiting prompt; stop: the agent's process ends too."""
    payload: Payload = {"by": by, "stop": stop}
    target = _given(turnId=turn_id, clientMsgId=client_msg_id)
    return Draft(EventType.INTERRUPT_REQUESTED, payload | target)


def interrupt_failed(*, code: str, error: str, escalation: str) -> Draft:
    """Return a step of an interrupt that did not succeed; escalation: the step that follows."""
    payload: Payload = {"code": code, "error": error, "escalation": escalation}
    return Draft(EventType.INTERRUPT_FAILED, payload)


def agent_started(*, modes: list[Mode], resumed: bool) -> Draft:
    """Return the event of an agent that is up; resumed: with its earlier session."""
    return Draft(EventType.AGENT_STARTED, {"modes": modes, "resumed": resumed})


def mode_changed(*, mode: str, by: str) -> Draft:
    """Return a change of the mode; by: a user's name or BY_AGENT."""
    return Draft(EventType.MODE_CHANGED, {"mode": mode, "by": by})


def title_changed(*, title: str) -> Draft:
    """Return a change of the title."""
    return Draft(EventType.TITLE_CHANGED, {"title": title})


def error(*, code: str, error: str) -> Draft:
    """Return a notice for a person; error: a sentence."""
    return Draft(EventType.ERROR, {"code": code, "error": error})


def _given(**optional: Any) -> Payload:
    """Return the fields that have a value."""
    return cast("Payload", {name: value for name, value in optional.items() if value is not None})
