"""What goes over the wire: event types and their payloads, the envelope, the SSE frame.

Pure. docs/reference/events.md leads, and docs/reference/protocol.md#the-stream for the frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from pydantic_core import SchemaValidator, ValidationError, to_json
from pydantic_core import core_schema as cs

from sessions.core.clean import clean
from sessions.core.errors import InvalidRequest

VERSION = 1
Json = dict[str, Any]

# Who made a change that the agent made by itself.
BY_AGENT: Final = "agent"

TEXT = cs.str_schema(strict=True)
COUNT = cs.int_schema(strict=True, ge=0)
# Bounded, so that no sum of them ever leaves what JSON can hold.
NUMBER = cs.float_schema(ge=0, le=1e12, allow_inf_nan=False)
FLAG = cs.bool_schema(strict=True)
ANY = cs.any_schema()


def _one_of(*words: str) -> cs.CoreSchema:
    return cs.literal_schema(list(words))


def _shape(required: dict[str, Any], optional: dict[str, Any] | None = None) -> cs.CoreSchema:
    fields = {name: cs.typed_dict_field(kind) for name, kind in required.items()}
    for name, kind in (optional or {}).items():
        fields[name] = cs.typed_dict_field(kind, required=False)
    return cs.typed_dict_schema(fields, extra_behavior="forbid")


BLOCK_TYPES = ("text", "thinking", "tool_use", "plan")
STOP_REASONS = (
    "end_turn",
    "interrupted",
    "max_tokens",
    "refusal",
    "error",
    "agent_crashed",
    "server_restart",
)
RESOLUTIONS = ("answered", "timeout", "interrupted", "restart")

_OPTION = _shape({"id": TEXT, "kind": TEXT, "label": TEXT})
_MODE = _shape({"id": TEXT, "label": TEXT})

PAYLOADS: dict[str, cs.CoreSchema] = {
    "session_created": _shape({"title": TEXT, "agent": TEXT, "mode": TEXT, "cwd": TEXT}),
    "session_state_changed": _shape(
        {"from": TEXT, "state": TEXT, "runState": TEXT, "reason": TEXT}
    ),
    "user_message": _shape({"messageId": TEXT, "clientMsgId": TEXT, "text": TEXT}),
    "turn_start": _shape({"turnId": TEXT, "clientMsgId": TEXT}),
    "message_start": _shape({"messageId": TEXT, "turnId": TEXT, "role": _one_of("assistant")}),
    "block_start": _shape(
        {"messageId": TEXT, "blockId": TEXT, "blockType": _one_of(*BLOCK_TYPES)},
        {"toolName": TEXT, "toolId": TEXT, "toolKind": TEXT},
    ),
    "block_delta": _shape({"messageId": TEXT, "blockId": TEXT, "delta": TEXT}),
    "block_end": _shape(
        {"messageId": TEXT, "blockId": TEXT, "content": TEXT}, {"html": TEXT, "input": ANY}
    ),
    "tool_result": _shape({"messageId": TEXT, "toolId": TEXT, "status": TEXT, "content": TEXT}),
    "message_end": _shape({"messageId": TEXT}),
    "permission_request": _shape(
        {
            "permId": TEXT,
            "toolName": TEXT,
            "title": TEXT,
            "input": ANY,
            "options": cs.list_schema(_OPTION),
            "expiresAt": TEXT,
        },
        {"toolId": TEXT},
    ),
    # decision: the id of the chosen option, or "cancelled" where nobody chose.
    "permission_resolved": _shape(
        {"permId": TEXT, "decision": TEXT, "by": TEXT, "reason": _one_of(*RESOLUTIONS)}
    ),
    # An increment: what was used since the turn's last usage event.
    "usage": _shape(
        {"inputTokens": COUNT, "outputTokens": COUNT},
        {"turnId": TEXT, "costUsd": NUMBER, "contextWindow": COUNT},
    ),
    "turn_end": _shape({"turnId": TEXT, "stopReason": _one_of(*STOP_REASONS)}, {"error": TEXT}),
    # stop: the agent's process is to end too. What is meant: the turn that ran, or the prompt
    # that was to run next; neither where a stop met an idle agent.
    "interrupt_requested": _shape(
        {"by": TEXT, "stop": FLAG}, {"turnId": TEXT, "clientMsgId": TEXT}
    ),
    "interrupt_failed": _shape({"code": TEXT, "error": TEXT, "escalation": TEXT}),
    # What the agent offers once it runs.
    "agent_started": _shape({"modes": cs.list_schema(_MODE), "resumed": FLAG}),
    "mode_changed": _shape({"mode": TEXT, "by": TEXT}),
    "title_changed": _shape({"title": TEXT}),
    "error": _shape({"code": TEXT, "error": TEXT}),
}
_VALIDATORS = {name: SchemaValidator(schema) for name, schema in PAYLOADS.items()}


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that is not in the log yet."""

    type: str
    payload: Json

    def checked(self) -> Draft:
        """Return this draft with text that every database and client can hold.

        Raises InvalidRequest when type or payload are not of docs/reference/events.md.
        """
        validator = _VALIDATORS.get(self.type)
        if validator is None:
            raise InvalidRequest(f"Unknown event type {self.type!r}.")
        payload = clean(self.payload)
        try:
            validator.validate_python(payload)
        except ValidationError as exc:
            raise InvalidRequest(f"Malformed {self.type}: {exc.errors()[0]['msg']}") from exc
        return Draft(self.type, payload)


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event of the log. It never changes."""

    session_id: UUID
    seq: int
    type: str
    ts: datetime
    payload: Json

    def envelope(self) -> Json:
        """Return the JSON object of docs/reference/protocol.md#the-stream."""
        return {
            "v": VERSION,
            "type": self.type,
            "sessionId": str(self.session_id),
            "seq": self.seq,
            "ts": timestamp(self.ts),
            **self.payload,
        }


def timestamp(moment: datetime) -> str:
    """Return an aware time as UTC with milliseconds, as in 2026-11-23T08:00:00.123Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode(event: LoggedEvent) -> bytes:
    """Return the SSE frame of an event; its id lets a native EventSource resume."""
    return b"id: %s:%d\ndata: %s\n\n" % (
        str(event.session_id).encode(),
        event.seq,
        to_json(event.envelope()),
    )


def encode_frame(data: Json, *, event: str | None = None, retry_ms: int | None = None) -> bytes:
    """Return an SSE frame without id: welcome, ping, snapshots and other unlogged frames."""
    head = b"" if retry_ms is None else b"retry: %d\n" % retry_ms
    if event is not None:
        head += b"event: %s\n" % event.encode()
    return head + b"data: %s\n\n" % to_json(data)
