"""The events: their types, the schema of each payload, and the envelope.

Pure. docs/reference/events.md leads. sessions.eventlog.drafts has one constructor for each type,
and transport.frames makes bytes of events.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, cast
from uuid import UUID

from pydantic_core import SchemaValidator, ValidationError
from pydantic_core import core_schema as cs

from sessions.core.clean import clean
from sessions.core.errors import InvalidRequest
from sessions.eventlog.shapes import Envelope, Header, Payload

VERSION = 1

# The actor of a change that the agent made by itself.
BY_AGENT: Final = "agent"
# The actor of a decision that the server made because no person did.
BY_SERVER: Final = "server"
# The decision on a permission request for which no option was chosen.
CANCELLED: Final = "cancelled"


class EventType(StrEnum):
    """The type of an event."""

    SESSION_CREATED = "session_created"
    SESSION_STATE_CHANGED = "session_state_changed"
    USER_MESSAGE = "user_message"
    PROMPT_WITHDRAWN = "prompt_withdrawn"
    PROMPT_EDITED = "prompt_edited"
    QUEUE_REORDERED = "queue_reordered"
    CHECKPOINT_MADE = "checkpoint_made"
    REWOUND = "rewound"
    RESTORED = "restored"
    TURN_START = "turn_start"
    MESSAGE_START = "message_start"
    BLOCK_START = "block_start"
    BLOCK_DELTA = "block_delta"
    BLOCK_END = "block_end"
    TOOL_UPDATE = "tool_update"
    TOOL_OUTPUT = "tool_output"
    TOOL_RESULT = "tool_result"
    MESSAGE_END = "message_end"
    PERMISSION_REQUEST = "permission_request"
    PERMISSION_RESOLVED = "permission_resolved"
    QUESTION_ASKED = "question_asked"
    QUESTION_ANSWERED = "question_answered"
    REQUEST_REMINDED = "request_reminded"
    USAGE = "usage"
    CONTEXT = "context"
    NOTICE = "notice"
    TURN_END = "turn_end"
    INTERRUPT_REQUESTED = "interrupt_requested"
    INTERRUPT_FAILED = "interrupt_failed"
    AGENT_STARTED = "agent_started"
    MODE_CHANGED = "mode_changed"
    OPTIONS_OFFERED = "options_offered"
    OPTION_CHANGED = "option_changed"
    COMMANDS_OFFERED = "commands_offered"
    LOG_IN_CHANGED = "log_in_changed"
    TITLE_CHANGED = "title_changed"
    ERROR = "error"


class StopReason(StrEnum):
    """The reason why a turn ended. An agent gives all but the last (sessions.agents.port)."""

    END_TURN = "end_turn"
    INTERRUPTED = "interrupted"
    MAX_TOKENS = "max_tokens"
    REFUSAL = "refusal"
    ERROR = "error"
    AGENT_CRASHED = "agent_crashed"
    SERVER_RESTART = "server_restart"


class Origin(StrEnum):
    """The side that began a turn: a person by a prompt, or the agent by itself."""

    PERSON = "person"
    AGENT = "agent"


class Action(StrEnum):
    """The answer to a question of the agent."""

    ACCEPT = "accept"
    DECLINE = "decline"
    CANCEL = "cancel"


class Resolution(StrEnum):
    """The way in which a permission request or a question was resolved."""

    ANSWERED = "answered"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"
    RESTART = "restart"


# Pieces that a later event has whole: they are rolled up, and may be pruned.
PIECES: Final = frozenset({EventType.BLOCK_DELTA, EventType.TOOL_OUTPUT})


class BlockType(StrEnum):
    """The kind of a block of an answer."""

    TEXT = "text"
    THINKING = "thinking"
    TOOL_USE = "tool_use"
    PLAN = "plan"


TEXT = cs.str_schema(strict=True)
COUNT = cs.int_schema(strict=True, ge=0)
# Bounded, so that every sum of them stays within the numbers of JSON.
NUMBER = cs.float_schema(ge=0, le=1e12, allow_inf_nan=False)
FLAG = cs.bool_schema(strict=True)
ANY = cs.any_schema()


def _one_of(words: type[StrEnum]) -> cs.CoreSchema:
    return cs.literal_schema([word.value for word in words])


def _shape(required: dict[str, Any], optional: dict[str, Any] | None = None) -> cs.CoreSchema:
    fields = {name: cs.typed_dict_field(kind) for name, kind in required.items()}
    for name, kind in (optional or {}).items():
        fields[name] = cs.typed_dict_field(kind, required=False)
    return cs.typed_dict_schema(fields, extra_behavior="forbid")


# Null: without an end.
_TIME = cs.nullable_schema(TEXT)
_OPTION = _shape({"id": TEXT, "kind": TEXT, "label": TEXT})
_MODE = _shape({"id": TEXT, "label": TEXT})
_DIFF = _shape({"path": TEXT, "oldText": cs.nullable_schema(TEXT), "newText": TEXT}, {"cut": COUNT})
_LOCATION = _shape({"path": TEXT}, {"line": COUNT})
_IMAGE = _shape({"blob": TEXT, "mime": TEXT})
_ATTACHMENT = _shape({"blob": TEXT, "name": TEXT, "mime": TEXT, "size": COUNT})
_RESOURCE = _shape({"uri": TEXT, "mime": TEXT}, {"text": TEXT, "blob": TEXT, "cut": COUNT})
# Shown by a tool call besides its text; all of it is optional wherever it stands.
# The source of a person's answer, and the digest of what the person was shown.
_ANSWERED = {"digest": TEXT, "credential": TEXT, "credentialName": TEXT, "connectionId": TEXT}
_SHOWN = {"diffs": cs.list_schema(_DIFF), "locations": cs.list_schema(_LOCATION)}
_ATTACHED = {"images": cs.list_schema(_IMAGE), "resources": cs.list_schema(_RESOURCE)}
_VALUE = cs.union_schema([TEXT, FLAG])
_CHOICE = _shape({"id": TEXT, "label": TEXT}, {"group": TEXT})
_CONFIG_OPTION = _shape(
    {
        "id": TEXT,
        "category": TEXT,
        "label": TEXT,
        "kind": cs.literal_schema(["select", "boolean"]),
        "value": _VALUE,
        "choices": cs.list_schema(_CHOICE),
    }
)
_COMMAND = _shape({"name": TEXT, "description": TEXT, "hint": TEXT})

PAYLOADS: Final[dict[EventType, cs.CoreSchema]] = {
    # forkOf, forkAt: the chat whose beginning this one has, and the place where they part.
    EventType.SESSION_CREATED: _shape(
        {"title": TEXT, "agent": TEXT, "mode": TEXT, "cwd": TEXT},
        {"forkOf": TEXT, "forkAt": COUNT},
    ),
    EventType.SESSION_STATE_CHANGED: _shape(
        {"from": TEXT, "state": TEXT, "runState": TEXT, "reason": TEXT}
    ),
    EventType.USER_MESSAGE: _shape(
        {"messageId": TEXT, "clientMsgId": TEXT, "text": TEXT},
        # imported: it was sent outside of Backstay, and waits for nothing.
        {
            "attachments": cs.list_schema(_ATTACHMENT),
            "mentions": cs.list_schema(TEXT),
            "imported": FLAG,
        },
    ),
    # The three changes of prompts that wait. version: 2 after the first edit.
    EventType.PROMPT_WITHDRAWN: _shape({"clientMsgId": TEXT, "by": TEXT}),
    EventType.PROMPT_EDITED: _shape(
        {"clientMsgId": TEXT, "text": TEXT, "version": COUNT, "by": TEXT}
    ),
    # All prompts that wait, in their new order.
    EventType.QUEUE_REORDERED: _shape({"clientMsgIds": cs.list_schema(TEXT), "by": TEXT}),
    # The folder before a prompt, or before a restore. leftOut: files that are too large to keep.
    EventType.CHECKPOINT_MADE: _shape(
        {"checkpointId": TEXT, "files": COUNT}, {"clientMsgId": TEXT, "leftOut": COUNT}
    ),
    # to: the seq of a prompt. since: of its turn's begin; clientMsgIds: the prompts before that
    # whose turns came after it. undoes: the seq of a rewound that counts no more.
    EventType.REWOUND: _shape(
        {"to": COUNT, "by": TEXT},
        {"since": COUNT, "clientMsgIds": cs.list_schema(TEXT), "undoes": COUNT},
    ),
    # kept: the checkpoint of the state before. files: so many were changed.
    EventType.RESTORED: _shape(
        {"to": COUNT, "checkpointId": TEXT, "kept": TEXT, "files": COUNT, "text": TEXT, "by": TEXT},
        {"leftOut": COUNT},
    ),
    # clientMsgId: of the prompt; the agent's own turns have none. Older events have no origin.
    EventType.TURN_START: _shape(
        {"turnId": TEXT},
        {
            "origin": _one_of(Origin),
            "clientMsgId": TEXT,
            "agent": TEXT,
            "model": TEXT,
            "effort": TEXT,
            "retold": FLAG,
        },
    ),
    EventType.MESSAGE_START: _shape(
        {"messageId": TEXT, "turnId": TEXT, "role": cs.literal_schema(["assistant"])},
        {"imported": FLAG},
    ),
    EventType.BLOCK_START: _shape(
        {"messageId": TEXT, "blockId": TEXT, "blockType": _one_of(BlockType)},
        {"toolName": TEXT, "toolId": TEXT, "toolKind": TEXT, "parentToolId": TEXT},
    ),
    EventType.BLOCK_DELTA: _shape({"messageId": TEXT, "blockId": TEXT, "delta": TEXT}),
    EventType.BLOCK_END: _shape(
        {"messageId": TEXT, "blockId": TEXT, "content": TEXT}, {"html": TEXT, "input": ANY}
    ),
    # A change of a tool call; a field that is left out is unchanged.
    EventType.TOOL_UPDATE: _shape(
        {"messageId": TEXT, "toolId": TEXT},
        {"toolName": TEXT, "toolKind": TEXT, "title": TEXT, "input": ANY},
    ),
    # A piece of a growing output; the result has all of it.
    EventType.TOOL_OUTPUT: _shape({"messageId": TEXT, "toolId": TEXT, "delta": TEXT}),
    EventType.TOOL_RESULT: _shape(
        {"messageId": TEXT, "toolId": TEXT, "status": TEXT, "content": TEXT},
        {"tookMs": COUNT, **_SHOWN, **_ATTACHED},
    ),
    EventType.MESSAGE_END: _shape({"messageId": TEXT}),
    EventType.PERMISSION_REQUEST: _shape(
        {
            "permId": TEXT,
            "toolName": TEXT,
            "title": TEXT,
            "input": ANY,
            "options": cs.list_schema(_OPTION),
            "expiresAt": _TIME,
        },
        # digest: names what a person is shown. See sessions.eventlog.shown. html: the plan of the
        # input, rendered.
        {"toolId": TEXT, "toolKind": TEXT, "digest": TEXT, "html": TEXT, **_SHOWN},
    ),
    # decision: the id of the chosen option, or "cancelled" where no person chose.
    EventType.PERMISSION_RESOLVED: _shape(
        {"permId": TEXT, "decision": TEXT, "by": TEXT, "reason": _one_of(Resolution)},
        {"message": TEXT, **_ANSWERED},
    ),
    # schema: of the values, JSON Schema of an object. url: a page to visit in place of a form.
    EventType.QUESTION_ASKED: _shape(
        {"questionId": TEXT, "title": TEXT, "schema": ANY, "expiresAt": _TIME},
        {"url": TEXT, "digest": TEXT},
    ),
    EventType.QUESTION_ANSWERED: _shape(
        {
            "questionId": TEXT,
            "action": _one_of(Action),
            "values": ANY,
            "by": TEXT,
            "reason": _one_of(Resolution),
        },
        _ANSWERED,
    ),
    # Half of the waiting time is over; requestId: of a permission request or a question.
    EventType.REQUEST_REMINDED: _shape({"requestId": TEXT, "title": TEXT, "expiresAt": TEXT}),
    # An increment since the turn's last usage event.
    EventType.USAGE: _shape(
        {"inputTokens": COUNT, "outputTokens": COUNT},
        {"turnId": TEXT, "costUsd": NUMBER, "contextWindow": COUNT},
    ),
    # How full the model's context is, in tokens.
    EventType.CONTEXT: _shape({"used": COUNT, "size": COUNT}),
    EventType.NOTICE: _shape({"kind": TEXT, "text": TEXT}),
    EventType.TURN_END: _shape(
        {"turnId": TEXT, "stopReason": _one_of(StopReason)}, {"error": TEXT}
    ),
    # stop: the agent's process is to end too. The ids name the turn that ran, or the prompt that
    # was to run next; neither is there when a stop met an idle agent.
    EventType.INTERRUPT_REQUESTED: _shape(
        {"by": TEXT, "stop": FLAG}, {"turnId": TEXT, "clientMsgId": TEXT}
    ),
    EventType.INTERRUPT_FAILED: _shape({"code": TEXT, "error": TEXT, "escalation": TEXT}),
    # The offer of an agent that has started.
    EventType.AGENT_STARTED: _shape(
        {"modes": cs.list_schema(_MODE), "resumed": FLAG}, {"forked": FLAG}
    ),
    EventType.MODE_CHANGED: _shape({"mode": TEXT, "by": TEXT}),
    # The whole set each time: a choice can add options and take others away.
    EventType.OPTIONS_OFFERED: _shape({"options": cs.list_schema(_CONFIG_OPTION)}),
    EventType.OPTION_CHANGED: _shape({"optionId": TEXT, "value": _VALUE, "by": TEXT}),
    EventType.COMMANDS_OFFERED: _shape({"commands": cs.list_schema(_COMMAND)}),
    # Whether the agent wants a log-in before it answers; ways: the names of those that it offers.
    EventType.LOG_IN_CHANGED: _shape({"needed": FLAG}, {"ways": cs.list_schema(TEXT)}),
    EventType.TITLE_CHANGED: _shape({"title": TEXT}),
    EventType.ERROR: _shape({"code": TEXT, "error": TEXT}),
}
_VALIDATORS: Final[dict[str, SchemaValidator]] = {
    name: SchemaValidator(schema) for name, schema in PAYLOADS.items()
}


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that is not in the log yet."""

    type: EventType
    payload: Payload
    # Whether type and payload are known to be good: each draft is looked at once.
    is_checked: bool = field(default=False, compare=False)

    def checked(self) -> Draft:
        """Return this draft with text that every database and client can hold.

        Raises InvalidRequest when type or payload are not of docs/reference/events.md.
        """
        if self.is_checked:
            return self
        validator = _VALIDATORS.get(self.type)
        if validator is None:
            raise InvalidRequest(f"Unknown event type {self.type!r}.")
        payload = clean(self.payload)
        try:
            validator.validate_python(payload)
        except ValidationError as exc:
            raise InvalidRequest(f"Malformed {self.type}: {exc.errors()[0]['msg']}") from exc
        return Draft(self.type, payload, is_checked=True)


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event of the log. It never changes."""

    session_id: UUID
    seq: int
    type: str
    ts: datetime
    payload: Payload

    def envelope(self) -> Envelope:
        """Return the JSON object of docs/reference/protocol.md#the-stream."""
        head: Header = {
            "v": VERSION,
            "type": self.type,
            "sessionId": str(self.session_id),
            "seq": self.seq,
            "ts": timestamp(self.ts),
        }
        return cast("Envelope", {**head, **self.payload})


def timestamp(moment: datetime) -> str:
    """Return an aware time as UTC with milliseconds, as in 2026-11-23T08:00:00.123Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
