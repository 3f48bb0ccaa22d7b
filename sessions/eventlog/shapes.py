"""The JSON objects of docs/reference as types: events, messages, snapshots, rows of the list.

From typing_extensions, whose TypedDict pydantic can read before Python 3.12: the API's schemas are
made from these types.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

PromptState = Literal["accepted", "dispatched", "answered", "interrupted", "failed", "withdrawn"]


class Mode(TypedDict):
    """A way of working that the agent offers."""

    id: str
    label: str


class Option(TypedDict):
    """One answer to a permission request; kind as in ACP."""

    id: str
    kind: str
    label: str


class Diff(TypedDict):
    """A change of a file; oldText null: a new one. cut: characters that are left out."""

    path: str
    oldText: str | None
    newText: str
    cut: NotRequired[int]


class Location(TypedDict):
    """A place that a tool call names."""

    path: str
    line: NotRequired[int]


class Image(TypedDict):
    """An image of a result; blob: the sha256 of its bytes."""

    blob: str
    mime: str


class Attachment(TypedDict):
    """A file of a prompt; mime: by its content."""

    blob: str
    name: str
    mime: str
    size: int


class Resource(TypedDict):
    """A file of a result: text, or bytes as a blob. cut: characters that are left out."""

    uri: str
    mime: str
    text: NotRequired[str]
    blob: NotRequired[str]
    cut: NotRequired[int]


class Choice(TypedDict):
    """A value of an option."""

    id: str
    label: str
    group: NotRequired[str]


class ConfigOption(TypedDict):
    """A setting of the agent, such as its model; a boolean has no choices."""

    id: str
    category: str
    label: str
    kind: Literal["select", "boolean"]
    value: str | bool
    choices: list[Choice]


class AgentCommand(TypedDict):
    """A command of the agent: a prompt that begins with its name."""

    name: str
    description: str
    hint: str


# `from` is a keyword of Python: a class cannot declare it.
_Move = TypedDict("_Move", {"from": str}, total=False)


class Cut(TypedDict, total=False):
    """The whole sizes, in bytes, of the texts that are not sent whole: events.md#cut-texts."""

    text: int
    delta: int
    content: int
    title: int
    error: int
    html: int
    input: int
    result: int
    diffs: int
    locations: int
    images: int
    resources: int
    schema: int
    toolName: int
    options: int


class Payload(_Move, total=False):
    """The fields of all event types; a field of one name has one type wherever it stands.

    Which of them an event has is in events.PAYLOADS.
    """

    action: str
    agent: str
    attachments: list[Attachment]
    blockId: str
    blockType: str
    by: str
    checkpointId: str
    clientMsgId: str
    clientMsgIds: list[str]
    code: str
    commands: list[AgentCommand]
    content: str
    contextWindow: int
    connectionId: str
    costUsd: float
    credential: str
    message: str
    credentialName: str
    cwd: str
    decision: str
    delta: str
    diffs: list[Diff]
    digest: str
    error: str
    escalation: str
    expiresAt: str | None
    files: int
    forkAt: int
    forkOf: str
    forked: bool
    html: str
    images: list[Image]
    imported: bool
    input: Any
    inputTokens: int
    kept: str
    kind: str
    leftOut: int
    locations: list[Location]
    mentions: list[str]
    messageId: str
    mode: str
    model: str
    effort: str
    modes: list[Mode]
    needed: bool
    optionId: str
    # Of a request list[Option], of the agent list[ConfigOption].
    options: Any
    origin: str
    outputTokens: int
    parentToolId: str
    permId: str
    questionId: str
    requestId: str
    reason: str
    resources: list[Resource]
    resumed: bool
    retold: bool
    role: Literal["assistant"]
    runState: str
    schema: Any
    since: int
    size: int
    state: str
    status: str
    stop: bool
    stopReason: str
    text: str
    title: str
    to: int
    tookMs: int
    toolId: str
    toolKind: str
    toolName: str
    turnId: str
    undoes: int
    url: str
    used: int
    value: str | bool
    values: Any
    version: int
    ways: list[str]


class Header(TypedDict):
    """The fields that every envelope has."""

    v: int
    type: str
    sessionId: str
    seq: int
    ts: str


class Envelope(Header, Payload):
    """An event as clients see it: docs/reference/protocol.md#the-stream.

    cut: only where a text of it is not sent whole.
    """

    cut: NotRequired[Cut]


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
    # There when the agent told them.
    parentToolId: NotRequired[str]
    tookMs: NotRequired[int]
    diffs: NotRequired[list[Diff]]
    locations: NotRequired[list[Location]]
    images: NotRequired[list[Image]]
    resources: NotRequired[list[Resource]]
    cut: NotRequired[Cut]


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
    # Of an edited prompt; 1 where there is none.
    version: NotRequired[int]
    # True: it was sent outside of Backstay.
    imported: NotRequired[bool]
    attachments: NotRequired[list[Attachment]]
    mentions: NotRequired[list[str]]
    cut: NotRequired[Cut]
    # Where the folder's state before the prompt is kept.
    checkpointId: NotRequired[str]
    rewound: NotRequired[bool]


class AssistantMessage(TypedDict):
    """An answer."""

    messageId: str
    role: Literal["assistant"]
    seq: int
    ts: str
    turnId: str
    blocks: list[Block]
    imported: NotRequired[bool]
    earlierBlocks: NotRequired[int]
    rewound: NotRequired[bool]


class NoticeMessage(TypedDict):
    """An error, a failed interrupt or a notice of the agent, shown in the transcript."""

    messageId: str
    role: Literal["notice"]
    seq: int
    ts: str
    turnId: None
    code: str
    text: str
    rewound: NotRequired[bool]


Message = UserMessage | AssistantMessage | NoticeMessage


class Permission(TypedDict):
    """An open permission request."""

    permId: str
    toolName: str
    title: str
    input: Any
    options: list[Option]
    expiresAt: str | None
    toolId: str | None
    toolKind: str | None
    digest: str | None
    seq: int
    html: NotRequired[str | None]
    diffs: NotRequired[list[Diff]]
    locations: NotRequired[list[Location]]
    cut: NotRequired[Cut]


class Question(TypedDict):
    """An open question of the agent."""

    questionId: str
    title: str
    schema: Any
    expiresAt: str | None
    url: str | None
    seq: int
    digest: NotRequired[str]
    cut: NotRequired[Cut]


class Context(TypedDict):
    """How full the model's context is, in tokens."""

    used: int
    size: int


class LogIn(TypedDict):
    """A log-in that the agent wants before it answers. ways: the names of those that it offers."""

    since: str
    ways: list[str]


class Queued(TypedDict):
    """A prompt that waits; seq: of its message."""

    clientMsgId: str
    seq: int


class Rewind(TypedDict):
    """Messages that were taken back, by the seq of the event that did so.

    Those from since to seq, and the prompts of clientMsgIds.
    """

    seq: int
    to: int
    since: int
    clientMsgIds: list[str]


class Turn(TypedDict):
    """The turn that runs; clientMsgId null: the agent began it."""

    turnId: str
    clientMsgId: str | None
    origin: NotRequired[str]
    model: NotRequired[str]
    effort: NotRequired[str]


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
    questions: list[Question]
    turn: Turn | None
    queue: list[Queued]
    rewinds: list[Rewind]
    usage: Usage
    context: Context | None
    options: list[ConfigOption]
    commands: list[AgentCommand]
    logIn: LogIn | None
    oldestSeq: NotRequired[int | None]
    hasMore: NotRequired[bool]
    full: NotRequired[bool]
    cursorInvalid: NotRequired[bool]
