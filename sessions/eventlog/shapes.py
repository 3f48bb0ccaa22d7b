"""The JSON objects of docs/reference as types: events, messages, snapshots, rows of the list.

From typing_extensions, whose TypedDict pydantic can read before Python 3.12: the API's schemas are
made from these types.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

PromptState = Literal["accepted", "dispatched", "answered", "interrupted", "failed"]


class Mode(TypedDict):
    """A way of working that the agent offers."""

    id: str
    label: str


class Option(TypedDict):
    """One answer to a permission request; kind as in ACP."""

    id: str
    kind: str
    label: str


# `from` is a keyword of Python: a class cannot declare it.
_Move = TypedDict("_Move", {"from": str}, total=False)


class Payload(_Move, total=False):
    """The fields of all event types; a field of one name has one type wherever it stands.

    Which of them an event has is in events.PAYLOADS.
    """

    agent: str
    blockId: str
    blockType: str
    by: str
    clientMsgId: str
    code: str
    content: str
    contextWindow: int
    costUsd: float
    cwd: str
    decision: str
    delta: str
    error: str
    escalation: str
    expiresAt: str
    html: str
    input: Any
    inputTokens: int
    messageId: str
    mode: str
    modes: list[Mode]
    options: list[Option]
    outputTokens: int
    permId: str
    reason: str
    resumed: bool
    role: Literal["assistant"]
    runState: str
    state: str
    status: str
    stop: bool
    stopReason: str
    text: str
    title: str
    toolId: str
    toolKind: str
    toolName: str
    turnId: str


class Header(TypedDict):
    """The fields that every envelope has."""

    v: int
    type: str
    sessionId: str
    seq: int
    ts: str


class Envelope(Header, Payload):
    """An event as clients see it: docs/reference/protocol.md#the-stream."""


class Usage(TypedDict):
    """Tokens and costs, summed up."""

    inputTokens: int
    outputTokens: int
    costUsd: float
    contextWindow: int | None


class Block(TypedDict):
    """One block of an answer."""

    blockId: str
    blockType: str
    content: str
    html: str | None
    toolName: str | None
    toolId: str | None
    toolKind: str | None
    input: Any
    status: str | None
    result: str | None
    done: bool


class UserMessage(TypedDict):
    """A prompt, and how its turn came out."""

    messageId: str
    role: Literal["user"]
    seq: int
    ts: str
    turnId: str | None
    text: str
    clientMsgId: str
    promptState: PromptState
    stopReason: str | None
    error: str | None
    usage: Usage | None


class AssistantMessage(TypedDict):
    """An answer."""

    messageId: str
    role: Literal["assistant"]
    seq: int
    ts: str
    turnId: str
    blocks: list[Block]


class NoticeMessage(TypedDict):
    """An error or a failed interrupt, shown in the transcript."""

    messageId: str
    role: Literal["notice"]
    seq: int
    ts: str
    turnId: None
    code: str
    text: str


Message = UserMessage | AssistantMessage | NoticeMessage


class Permission(TypedDict):
    """An open permission request."""

    permId: str
    toolName: str
    title: str
    input: Any
    options: list[Option]
    expiresAt: str
    toolId: str | None
    seq: int


class Turn(TypedDict):
    """The turn that runs."""

    turnId: str
    clientMsgId: str


class Snapshot(TypedDict):
    """A session folded at cursor: docs/reference/events.md#the-snapshot.

    The last four fields belong to a snapshot that is sent; the fold leaves them alone.
    """

    sessionId: str
    cursor: int
    state: str
    runState: str
    title: str
    agent: str
    mode: str
    modes: list[Mode]
    messages: list[Message]
    current: AssistantMessage | None
    permissions: list[Permission]
    turn: Turn | None
    usage: Usage
    oldestSeq: NotRequired[int | None]
    hasMore: NotRequired[bool]
    full: NotRequired[bool]
    cursorInvalid: NotRequired[bool]


class SessionRow(TypedDict):
    """A session in the list: docs/reference/http-api.md#reading."""

    sessionId: str
    title: str
    agent: str
    mode: str
    cwd: str
    state: str
    runState: str
    head: int
    createdAt: str
    lastActivityAt: str
    archivedAt: str | None


class SessionPage(TypedDict):
    """A page of the list, the last active session first."""

    sessions: list[SessionRow]
    hasMore: bool
    nextBefore: str | None


class MessagePage(TypedDict):
    """Finished messages, oldest first."""

    messages: list[Message]
    hasMore: bool
    oldestSeq: int | None


class EventPage(TypedDict):
    """Envelopes, seq ascending."""

    events: list[Envelope]
    hasMore: bool
    head: int
    prunedTo: int
