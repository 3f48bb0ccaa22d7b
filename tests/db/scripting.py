"""A script that reads the API, and sessions for it to read."""

import uuid

from django.contrib.auth.models import User
from django.test import Client

from sessions.access import tokens
from sessions.control.send import create_session
from sessions.eventlog import store
from sessions.eventlog.events import Draft
from sessions.models import Session


class Script:
    """A script's requests: JSON in, JSON out, no redirects."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.headers = {"Authorization": f"Bearer {tokens.create_token(user)}"}
        self.client = Client()

    def get(self, path: str, **query: object):
        return self.client.get(path, query, headers=self.headers)

    def json(self, path: str, **query: object):
        response = self.get(path, **query)
        assert response.status_code == 200, response.content
        return response.json()

    def patch(self, path: str, body: object):
        return self.client.patch(path, body, headers=self.headers, content_type="application/json")

    def put(self, path: str, body: object = None):
        return self.client.put(
            path, body or "", headers=self.headers, content_type="application/json"
        )

    def delete(self, path: str):
        return self.client.delete(path, headers=self.headers)


def new_session(owner: Script, title: str = "") -> Session:
    return create_session(owner=owner.user, agent="demo", title=title)


def prompt(session: Session, text: str) -> None:
    key = uuid.uuid4().hex
    payload = {"messageId": f"u-{key}", "clientMsgId": key, "text": text}
    store.append(session.pk, [Draft("user_message", payload)])


def answer(session: Session, text: str, *, tool: bool = False) -> None:
    """Append a whole turn: a message of one text block, and a tool call if asked for."""
    turn, message = uuid.uuid4().hex, uuid.uuid4().hex
    block = {"messageId": message, "blockId": "b1"}
    drafts = [
        Draft("message_start", {"messageId": message, "turnId": turn, "role": "assistant"}),
        Draft("block_start", {**block, "blockType": "text"}),
        *(Draft("block_delta", {**block, "delta": word}) for word in text.split()),
        Draft("block_end", {**block, "content": text}),
    ]
    if tool:
        call = {"messageId": message, "blockId": "b2"}
        start = {**call, "blockType": "tool_use", "toolName": "Run", "toolId": "t1"}
        drafts += [
            Draft("block_start", start),
            Draft("block_end", {**call, "content": "ls", "input": {"command": "ls"}}),
            Draft(
                "tool_result",
                {"messageId": message, "toolId": "t1", "status": "completed", "content": "a ``` b"},
            ),
        ]
    store.append(session.pk, [*drafts, Draft("message_end", {"messageId": message})])


def path_of(session: Session, part: str = "") -> str:
    return f"/api/sessions/{session.pk}{part}"
