"""/api/docs: each operation has a schema for each of its answers, and real answers keep to them."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pydantic import TypeAdapter

from chatproject.api import api
from sessions.access import tokens
from sessions.control.send import create_session
from sessions.core import errors
from sessions.eventlog import store
from sessions.eventlog.events import Draft
from sessions.reading import shapes as listed
from sessions.web import answers, folders_api, projects_api
from sessions.web.agents import agents_api, mcp_api

pytestmark = pytest.mark.django_db(transaction=True)

# Files and empty answers have no JSON.
WITHOUT_JSON = {
    "/api/sessions/{session_id}/export",
    "/api/blobs/{sha256}",
    "/api/chat/suspend",
    "/api/chat/ack",
}


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    paths = api.get_openapi_schema()["paths"]
    return [
        (path, method, operation)
        for path, methods in paths.items()
        for method, operation in methods.items()
    ]


def schema_of(answer: dict[str, Any]) -> dict[str, Any]:
    return dict(answer["content"]["application/json"]["schema"])


@pytest.mark.parametrize(
    ("path", "operation"),
    [(path, op) for path, _, op in operations()],
    ids=lambda value: str(value)[:60],
)
def test_each_operation_has_schemas_for_success_and_errors(
    path: str, operation: dict[str, Any]
) -> None:
    by_status = operation["responses"]
    fine = [answer for status, answer in by_status.items() if int(status) < 300]
    # An answer of several statuses has one form.
    assert fine
    if path not in WITHOUT_JSON:
        [schema] = {schema_of(answer)["$ref"] for answer in fine}
        assert schema.startswith("#/components/schemas/")
        assert {"400", "401", "404", "500"} <= {str(status) for status in by_status}
    for status, answer in by_status.items():
        if int(status) >= 400:
            assert schema_of(answer)["$ref"] == "#/components/schemas/ErrorAnswer"


def test_the_schema_of_an_error_has_every_field_that_errors_have() -> None:
    error = errors.InvalidRequest("limit: too large.", fields={"limit": "too large"})
    check(answers.ErrorAnswer, error.body())
    limited = errors.RateLimited(retryAfter=3, clientMsgId="m1").body()
    check(answers.ErrorAnswer, limited)


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/api/sessions", listed.SessionPage),
        ("/api/agents", agents_api.AgentList),
        ("/api/agents/offer?agent=demo", agents_api.Offer),
        ("/api/mcp-servers", mcp_api.ServerList),
        ("/api/folders", folders_api.FolderPage),
        ("/api/projects", projects_api.ProjectList),
        ("/api/sessions/{id}", listed.SessionDetail),
        ("/api/sessions/{id}/snapshot", listed.PersonalSnapshot),
        ("/api/sessions/{id}/messages", listed.MessagePage),
        ("/api/sessions/{id}/events", listed.EventPage),
        ("/api/sessions/{id}/nothing", answers.ErrorAnswer),
        ("/api/sessions?limit=x", answers.ErrorAnswer),
        ("/api/sessions?before=x", answers.ErrorAnswer),
    ],
)
def test_an_answer_keeps_to_its_schema(path: str, shape: Any) -> None:
    user = User.objects.create_user("ada")
    session = create_session(owner=user, agent="demo", title="A chat")
    ids = {"messageId": "a1", "blockId": "b1"}
    drafts = [
        Draft("user_message", {"messageId": "u1", "clientMsgId": "c1", "text": "hello"}),
        Draft("turn_start", {"turnId": "t1", "clientMsgId": "c1"}),
        Draft("message_start", {"messageId": "a1", "turnId": "t1", "role": "assistant"}),
        Draft("block_start", {**ids, "blockType": "text"}),
        Draft("block_end", {**ids, "content": "yes", "html": "<p>yes</p>"}),
        Draft("message_end", {"messageId": "a1"}),
        Draft("usage", {"turnId": "t1", "inputTokens": 1, "outputTokens": 2, "costUsd": 0.5}),
        Draft("error", {"code": "odd", "error": "An odd thing."}),
        Draft("turn_end", {"turnId": "t1", "stopReason": "end_turn"}),
    ]
    store.append(session.pk, drafts)
    headers = {"Authorization": f"Bearer {tokens.create_token(user)}"}
    check(shape, Client().get(path.replace("{id}", str(session.pk)), headers=headers).json())


def test_a_field_that_no_schema_knows_is_noticed() -> None:
    row = {"ok": True, "surprise": 1}
    with pytest.raises(AssertionError):
        check(answers.Done, row)


def check(shape: Any, data: Any) -> None:
    """Fail where data lacks a field of shape, has one too many, or a value of another type."""
    kept = TypeAdapter(shape).validate_json(json.dumps(data), strict=True)
    # The validation leaves out what the shape does not know.
    assert kept == data
