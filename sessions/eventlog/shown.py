"""Requests of permission and questions: their events, and the digest of what a person was shown.

Pure. A client holds the digest of the request that it drew and sends it back with the answer, so an
answer to another one is refused.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final, cast

from sessions.core.clean import clean
from sessions.eventlog.events import Action, Draft, EventType, Resolution
from sessions.eventlog.shapes import Diff, Location, Option, Payload

# Everything that a client draws, and the name of the request.
FIELDS: Final = (
    "permId",
    "toolName",
    "toolKind",
    "title",
    "input",
    "options",
    "diffs",
    "locations",
)
QUESTION_FIELDS: Final = ("questionId", "title", "schema", "url")


def digest_of(request: Payload, fields: tuple[str, ...] = FIELDS) -> str:
    """Return the SHA-256 of the canonical JSON of a request's fields, in hex.

    Sorted keys, no spaces, ASCII: one request has one digest, however its fields are ordered.
    """
    shown = clean({name: request.get(name) for name in fields})
    text = json.dumps(shown, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def permission_request(
    *,
    perm_id: str,
    tool_name: str,
    title: str,
    tool_input: Any,
    options: list[Option],
    expires_at: str | None,
    tool_id: str | None = None,
    tool_kind: str | None = None,
    digest: str | None = None,
    diffs: list[Diff] | None = None,
    locations: list[Location] | None = None,
    html: str | None = None,
) -> Draft:
    """Return the event of an agent that asks for permission; expires_at: None without an end.

    html: the plan of the input, rendered.
    """
    payload: Payload = {
        "permId": perm_id,
        "toolName": tool_name,
        "title": title,
        "input": tool_input,
        "options": options,
        "expiresAt": expires_at,
    }
    shown = {"diffs": diffs or None, "locations": locations or None, "html": html}
    optional = given(toolId=tool_id, toolKind=tool_kind, digest=digest, **shown)
    return Draft(EventType.PERMISSION_REQUEST, payload | optional)


def permission_resolved(
    *,
    perm_id: str,
    decision: str,
    by: str,
    reason: Resolution,
    message: str | None = None,
    digest: str | None = None,
    credential: str | None = None,
    credential_name: str | None = None,
    connection_id: str | None = None,
) -> Draft:
    """Return the end of a permission request; decision: the id of an option, or CANCELLED.

    A person's answer has the digest of the request and the source of the answer. message: a
    sentence of the person beside a denial.
    """
    payload: Payload = {"permId": perm_id, "decision": decision, "by": by, "reason": reason}
    answered = given(
        message=message,
        digest=digest,
        credential=credential,
        credentialName=credential_name,
        connectionId=connection_id,
    )
    return Draft(EventType.PERMISSION_RESOLVED, payload | answered)


def question_asked(
    *,
    question_id: str,
    title: str,
    schema: Any,
    expires_at: str | None,
    url: str | None = None,
    digest: str | None = None,
) -> Draft:
    """Return the event of an agent that asks; schema: of the values. url: a page to visit."""
    payload: Payload = {
        "questionId": question_id,
        "title": title,
        "schema": schema,
        "expiresAt": expires_at,
    }
    return Draft(EventType.QUESTION_ASKED, payload | given(url=url, digest=digest))


def question_answered(
    *,
    question_id: str,
    action: Action,
    values: Any,
    by: str,
    reason: Resolution,
    digest: str | None = None,
    credential: str | None = None,
    credential_name: str | None = None,
    connection_id: str | None = None,
) -> Draft:
    """Return the end of a question; values: {} where it was not accepted.

    A person's answer has its source, and the digest of the question where the client named it.
    """
    payload: Payload = {
        "questionId": question_id,
        "action": action,
        "values": values,
        "by": by,
        "reason": reason,
    }
    answered = given(
        digest=digest,
        credential=credential,
        credentialName=credential_name,
        connectionId=connection_id,
    )
    return Draft(EventType.QUESTION_ANSWERED, payload | answered)


def request_reminded(*, request_id: str, title: str, expires_at: str) -> Draft:
    """Return the event of a request that has waited for half of its time."""
    payload: Payload = {"requestId": request_id, "title": title, "expiresAt": expires_at}
    return Draft(EventType.REQUEST_REMINDED, payload)


def given(**optional: Any) -> Payload:
    """Return the fields that have a value."""
    return cast("Payload", {name: value for name, value in optional.items() if value is not None})
