"""One constructor for each event type: the only place where a payload is put together.

Pure. A test holds the constructors and events.PAYLOADS together.
"""

from __future__ import annotations

from typing import Any, Final

from sessions.eventlog.events import (
    BlockType,
    Draft,
    EventType,
    LoggedEvent,
    Origin,
    StopReason,
)
from sessions.eventlog.shapes import (
    AgentCommand,
    Attachment,
    ConfigOption,
    Diff,
    Image,
    Location,
    Mode,
    Payload,
    Resource,
)
from sessions.eventlog.shown import given
from sessions.eventlog.shown import permission_request as permission_request  # noqa: PLC0414
from sessions.eventlog.shown import permission_resolved as permission_resolved  # noqa: PLC0414
from sessions.eventlog.shown import question_answered as question_answered  # noqa: PLC0414
from sessions.eventlog.shown import question_asked as question_asked  # noqa: PLC0414
from sessions.eventlog.shown import request_reminded as request_reminded  # noqa: PLC0414

# Errors and notices may be an agent's own words, of any length.
MAX_SENTENCE_CHARS: Final = 4_000


def copied(event: LoggedEvent) -> Draft:
    """An event once more, for the log of another session."""
    return Draft(EventType(event.type), event.payload)


def session_created(
    *,
    title: str,
    agent: str,
    mode: str,
    cwd: str,
    fork_of: str | None = None,
    fork_at: int | None = None,
) -> Draft:
    """Return the first event of a session; fork_of, fork_at: its origin, and where they part."""
    payload: Payload = {"title": title, "agent": agent, "mode": mode, "cwd": cwd}
    return Draft(EventType.SESSION_CREATED, payload | given(forkOf=fork_of, forkAt=fork_at))


def session_state_changed(*, before: str, state: str, run_state: str, reason: str) -> Draft:
    """Return the event of a move between two states."""
    payload: Payload = {"from": before, "state": state, "runState": run_state, "reason": reason}
    return Draft(EventType.SESSION_STATE_CHANGED, payload)


def user_message(
    *,
    message_id: str,
    client_msg_id: str,
    text: str,
    attachments: list[Attachment] | None = None,
    mentions: list[str] | None = None,
    imported: bool = False,
) -> Draft:
    """Return the event of a prompt that was accepted; imported: one from outside, of the past."""
    payload: Payload = {"messageId": message_id, "clientMsgId": client_msg_id, "text": text}
    named = given(
        attachments=attachments or None, mentions=mentions or None, imported=imported or None
    )
    return Draft(EventType.USER_MESSAGE, payload | named)


def prompt_withdrawn(*, client_msg_id: str, by: str) -> Draft:
    """Return the event of a waiting prompt that a person takes back: it never runs."""
    return Draft(EventType.PROMPT_WITHDRAWN, {"clientMsgId": client_msg_id, "by": by})


def prompt_edited(*, client_msg_id: str, text: str, version: int, by: str) -> Draft:
    """Return the event of a waiting prompt with another text; version: of this text."""
    payload: Payload = {"clientMsgId": client_msg_id, "text": text, "version": version, "by": by}
    return Draft(EventType.PROMPT_EDITED, payload)


def queue_reordered(*, client_msg_ids: list[str], by: str) -> Draft:
    """Return the event of another order; client_msg_ids: all prompts that wait."""
    return Draft(EventType.QUEUE_REORDERED, {"clientMsgIds": client_msg_ids, "by": by})


def checkpoint_made(
    *,
    checkpoint_id: str,
    files: int,
    client_msg_id: str | None = None,
    left_out: int | None = None,
) -> Draft:
    """Return the event of a folder's state that is kept; client_msg_id: of the prompt behind it."""
    payload: Payload = {"checkpointId": checkpoint_id, "files": files}
    optional = given(clientMsgId=client_msg_id, leftOut=left_out or None)
    return Draft(EventType.CHECKPOINT_MADE, payload | optional)


def rewound(
    *,
    to: int,
    by: str,
    since: int | None = None,
    client_msg_ids: list[str] | None = None,
    undoes: int | None = None,
) -> Draft:
    """Return the event that takes messages back; undoes: that shows those of an earlier one."""
    optional = given(since=since, clientMsgIds=client_msg_ids or None, undoes=undoes)
    return Draft(EventType.REWOUND, {"to": to, "by": by, **optional})


def restored(
    *,
    to: int,
    checkpoint_id: str,
    kept: str,
    files: int,
    text: str,
    by: str,
    left_out: int | None = None,
) -> Draft:
    """Return the event of a folder that has an earlier state again; text: a sentence."""
    payload: Payload = {
        "to": to,
        "checkpointId": checkpoint_id,
        "kept": kept,
        "files": files,
        "text": _sentence(text),
        "by": by,
    }
    return Draft(EventType.RESTORED, payload | given(leftOut=left_out or None))


def turn_start(
    *,
    turn_id: str,
    client_msg_id: str | None = None,
    origin: Origin | None = None,
    agent: str | None = None,
    model: str | None = None,
    effort: str | None = None,
    retold: bool | None = None,
) -> Draft:
    """Return the event of a prompt that is handed to the agent, or of a turn that it begins.

    agent: its name. model, effort: those that it answers with. retold: the agent gets the earlier
    conversation, too.
    """
    payload: Payload = {"turnId": turn_id}
    optional = given(
        origin=origin,
        clientMsgId=client_msg_id,
        agent=agent or None,
        model=model or None,
        effort=effort or None,
        retold=retold or None,
    )
    return Draft(EventType.TURN_START, payload | optional)


def message_start(*, message_id: str, turn_id: str, imported: bool = False) -> Draft:
    """Return the begin of an answer; imported: one from outside, of the past."""
    payload: Payload = {"messageId": message_id, "turnId": turn_id, "role": "assistant"}
    return Draft(EventType.MESSAGE_START, payload | given(imported=imported or None))


def block_start(
    *,
    message_id: str,
    block_id: str,
    block_type: BlockType,
    tool_name: str | None = None,
    tool_id: str | None = None,
    tool_kind: str | None = None,
    parent_tool_id: str | None = None,
) -> Draft:
    """Return the begin of a block; parent_tool_id: the call of the subagent that it belongs to."""
    payload: Payload = {"messageId": message_id, "blockId": block_id, "blockType": block_type}
    tool = given(
        toolName=tool_name, toolId=tool_id, toolKind=tool_kind, parentToolId=parent_tool_id or None
    )
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
    return Draft(EventType.BLOCK_END, payload | given(html=html, input=tool_input))


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
    changed = given(toolName=tool_name, toolKind=tool_kind, title=title, input=tool_input)
    return Draft(EventType.TOOL_UPDATE, payload | changed)


def tool_output(*, message_id: str, tool_id: str, delta: str) -> Draft:
    """Return a piece of a tool's growing output."""
    payload: Payload = {"messageId": message_id, "toolId": tool_id, "delta": delta}
    return Draft(EventType.TOOL_OUTPUT, payload)


def tool_result(
    *,
    message_id: str,
    tool_id: str,
    status: str,
    content: str,
    took_ms: int | None = None,
    diffs: list[Diff] | None = None,
    locations: list[Location] | None = None,
    images: list[Image] | None = None,
    resources: list[Resource] | None = None,
) -> Draft:
    """Return the outcome of a tool call; lists without an item are left out.

    took_ms: from the first word of the call to its outcome.
    """
    payload: Payload = {
        "messageId": message_id,
        "toolId": tool_id,
        "status": status,
        "content": content,
    }
    shown = given(
        tookMs=took_ms,
        diffs=diffs or None,
        locations=locations or None,
        images=images or None,
        resources=resources or None,
    )
    return Draft(EventType.TOOL_RESULT, payload | shown)


def message_end(*, message_id: str) -> Draft:
    """Return the end of an answer."""
    return Draft(EventType.MESSAGE_END, {"messageId": message_id})


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
    optional = given(turnId=turn_id, costUsd=cost_usd, contextWindow=context_window)
    return Draft(EventType.USAGE, payload | optional)


def context(*, used: int, size: int) -> Draft:
    """Return how full the model's context is, in tokens."""
    return Draft(EventType.CONTEXT, {"used": used, "size": size})


def notice(*, kind: str, text: str) -> Draft:
    """Return a word of the agent about itself, such as that it compacted its context."""
    return Draft(EventType.NOTICE, {"kind": kind, "text": _sentence(text)})


def turn_end(*, turn_id: str, stop_reason: StopReason, error: str | None = None) -> Draft:
    """Return the end of a turn; error: a sentence for a person."""
    payload: Payload = {"turnId": turn_id, "stopReason": stop_reason}
    return Draft(EventType.TURN_END, payload | given(error=_sentence(error or "") or None))


def interrupt_requested(
    *, by: str, stop: bool, turn_id: str | None = None, client_msg_id: str | None = None
) -> Draft:
    """Return a request to end a turn or a waiting prompt; stop: the agent's process ends too."""
    payload: Payload = {"by": by, "stop": stop}
    target = given(turnId=turn_id, clientMsgId=client_msg_id)
    return Draft(EventType.INTERRUPT_REQUESTED, payload | target)


def interrupt_failed(*, code: str, error: str, escalation: str) -> Draft:
    """Return a step of an interrupt that did not succeed; escalation: the step that follows."""
    payload: Payload = {"code": code, "error": _sentence(error), "escalation": escalation}
    return Draft(EventType.INTERRUPT_FAILED, payload)


def agent_started(*, modes: list[Mode], resumed: bool, forked: bool = False) -> Draft:
    """Return the event of an agent that is up; resumed: with its earlier session.

    forked: with a copy of the session of the chat that this one is a fork of.
    """
    payload: Payload = {"modes": modes, "resumed": resumed}
    return Draft(EventType.AGENT_STARTED, payload | given(forked=forked or None))


def mode_changed(*, mode: str, by: str) -> Draft:
    """Return a change of the mode; by: a user's name or BY_AGENT."""
    return Draft(EventType.MODE_CHANGED, {"mode": mode, "by": by})


def options_offered(*, options: list[ConfigOption]) -> Draft:
    """Return the settings of the agent, all of them."""
    return Draft(EventType.OPTIONS_OFFERED, {"options": options})


def option_changed(*, option_id: str, value: str | bool, by: str) -> Draft:
    """Return a change of a setting; by: a user's name or BY_AGENT."""
    payload: Payload = {"optionId": option_id, "value": value, "by": by}
    return Draft(EventType.OPTION_CHANGED, payload)


def commands_offered(*, commands: list[AgentCommand]) -> Draft:
    """Return the commands of the agent, all of them."""
    return Draft(EventType.COMMANDS_OFFERED, {"commands": commands})


def log_in_changed(*, needed: bool, ways: list[str] | None = None) -> Draft:
    """Return whether the agent wants a log-in before it answers; ways: names of those it offers."""
    payload: Payload = {"needed": needed}
    return Draft(EventType.LOG_IN_CHANGED, payload | given(ways=ways))


def title_changed(*, title: str) -> Draft:
    """Return a change of the title."""
    return Draft(EventType.TITLE_CHANGED, {"title": title})


def error(*, code: str, error: str) -> Draft:
    """Return a notice for a person; error: a sentence."""
    return Draft(EventType.ERROR, {"code": code, "error": _sentence(error)})


def _sentence(text: str) -> str:
    """Return a text that a person reads in a line or two: of a longer one the beginning."""
    return text if len(text) <= MAX_SENTENCE_CHARS else f"{text[: MAX_SENTENCE_CHARS - 1]}…"
