"""Events → the objects of a snapshot. Pure."""

from __future__ import annotations

from typing import Any, Final, cast

from sessions.eventlog.events import StopReason
from sessions.eventlog.folding.marks import marked, size_of
from sessions.eventlog.shapes import (
    AssistantMessage,
    Block,
    Envelope,
    LogIn,
    NoticeMessage,
    Permission,
    PromptState,
    Question,
    Queued,
    Turn,
    Usage,
    UserMessage,
)

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

# Fields that a block or a request has when its event has them.
_OF_A_PROMPT: Final = ("attachments", "mentions", "imported", "cut")
_OF_AN_ANSWER: Final = ("imported",)
_OF_A_TURN: Final = ("origin", "model", "effort")
_OF_A_BLOCK: Final = ("parentToolId",)
_OF_A_REQUEST: Final = ("html", "diffs", "locations", "cut")
_OF_A_QUESTION: Final = ("digest", "cut")
_OF_A_RESULT: Final = ("tookMs", "diffs", "locations", "images", "resources")


def prompt_state(stop_reason: str) -> PromptState:
    """Return the state of a prompt whose turn ended so: answered, interrupted or failed."""
    return _PROMPT_STATES.get(stop_reason, "failed")


def new_prompt(event: Envelope) -> UserMessage:
    """Return the Message of a user_message."""
    prompt: UserMessage = {
        "messageId": event["messageId"],
        "role": "user",
        "seq": event["seq"],
        "ts": event["ts"],
        "turnId": None,
        "text": event["text"],
        "clientMsgId": event["clientMsgId"],
        "promptState": "answered" if event.get("imported") else "accepted",
        "stopReason": None,
        "error": None,
        "usage": None,
    }
    return cast("UserMessage", {**prompt, **_told(event, _OF_A_PROMPT)})


def with_edit(prompt: UserMessage, event: Envelope) -> UserMessage:
    """Return a waiting prompt with the text of a prompt_edited."""
    bare = {name: value for name, value in prompt.items() if name != "cut"}
    edited = {**bare, "text": event["text"], "version": event["version"]}
    return cast("UserMessage", {**edited, **_told(event, _OF_A_PROMPT)})


def new_log_in(event: Envelope) -> LogIn | None:
    """Return the log-in that the agent wants after a log_in_changed."""
    return {"since": event["ts"], "ways": event.get("ways", [])} if event["needed"] else None


def reordered(queue: list[Queued], names: list[str]) -> list[Queued]:
    """Return the waiting prompts in the order of names; those without a name come last."""
    place = {name: number for number, name in enumerate(names)}
    return sorted(queue, key=lambda each: place.get(each["clientMsgId"], len(names)))


def new_answer(event: Envelope) -> AssistantMessage:
    """Return the Message of a message_start."""
    answer: AssistantMessage = {
        "messageId": event["messageId"],
        "role": event["role"],
        "seq": event["seq"],
        "ts": event["ts"],
        "turnId": event["turnId"],
        "blocks": [],
    }
    return cast("AssistantMessage", {**answer, **_told(event, _OF_AN_ANSWER)})


def new_notice(event: Envelope, *, code: str, text: str) -> NoticeMessage:
    """Return the Message of something that a person must know: an error, a notice."""
    return {
        "messageId": f"n{event['seq']}",
        "role": "notice",
        "seq": event["seq"],
        "ts": event["ts"],
        "turnId": None,
        "code": code,
        "text": text,
    }


def new_block(event: Envelope) -> Block:
    """Return the Block of a block_start."""
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
    return cast("Block", {**block, **_told(event, _OF_A_BLOCK)})


def with_update(block: Block, event: Envelope) -> Block:
    """Return a tool's block with the fields of a tool_update."""
    after: Block = {
        **block,
        "toolName": event.get("toolName", block["toolName"]),
        "toolKind": event.get("toolKind", block["toolKind"]),
        "content": event.get("title", block["content"]),
        "input": event.get("input", block["input"]),
    }
    told = {"title": "content", "input": "input"}
    return marked(after, {told[name]: size_of(event, name) for name in told if name in event})


def with_result(block: Block, event: Envelope) -> Block:
    """Return a tool's block with the outcome of a tool_result."""
    ended: Block = {**block, "status": event["status"], "result": event["content"]}
    told = _told(event, _OF_A_RESULT)
    sizes = {"result": size_of(event, "content"), **{name: size_of(event, name) for name in told}}
    return marked(cast("Block", {**ended, **told}), sizes)


def new_permission(event: Envelope) -> Permission:
    """Return the Permission of a permission_request."""
    request: Permission = {
        "permId": event["permId"],
        "toolName": event["toolName"],
        "title": event["title"],
        "input": event["input"],
        "options": event["options"],
        "expiresAt": event["expiresAt"],
        "toolId": event.get("toolId"),
        "toolKind": event.get("toolKind"),
        "digest": event.get("digest"),
        "seq": event["seq"],
    }
    return cast("Permission", {**request, **_told(event, _OF_A_REQUEST)})


def new_question(event: Envelope) -> Question:
    """Return the Question of a question_asked."""
    question: Question = {
        "questionId": event["questionId"],
        "title": event["title"],
        "schema": event["schema"],
        "expiresAt": event["expiresAt"],
        "url": event.get("url"),
        "seq": event["seq"],
    }
    return cast("Question", {**question, **_told(event, _OF_A_QUESTION)})


def new_turn(event: Envelope) -> Turn:
    """Return the Turn of a turn_start."""
    turn: Turn = {"turnId": event["turnId"], "clientMsgId": event.get("clientMsgId")}
    return cast("Turn", {**turn, **_told(event, _OF_A_TURN)})


def add_usage(total: Usage | None, event: Envelope) -> Usage:
    """Return total plus the increment of one usage event."""
    before = total or NO_USAGE
    return {
        "inputTokens": before["inputTokens"] + event["inputTokens"],
        "outputTokens": before["outputTokens"] + event["outputTokens"],
        "costUsd": before["costUsd"] + event.get("costUsd", 0.0),
        "contextWindow": event.get("contextWindow", before["contextWindow"]),
    }


def _told(event: Envelope, names: tuple[str, ...]) -> dict[str, Any]:
    fields = cast("dict[str, Any]", event)
    return {name: fields[name] for name in names if name in fields}
