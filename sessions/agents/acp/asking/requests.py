"""The requests of an agent that a person answers: permissions and questions, open and closed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from sessions.agents import port
from sessions.agents.acp.asking import permissions, questions
from sessions.agents.acp.asking.permissions import Permissions
from sessions.agents.acp.asking.questions import Questions
from sessions.agents.acp.translation.labels import label
from sessions.agents.acp.turn import Turn

Json = dict[str, Any]
Reply = Callable[[Json], None]


class Requests:
    """The open requests of one agent."""

    def __init__(self) -> None:
        self.permissions = Permissions()
        self.questions = Questions()

    @property
    def is_any_open(self) -> bool:
        """Whether a request waits for a person."""
        return self.permissions.is_any_open or self.questions.is_any_open

    def ask(self, turn: Turn, request_id: Any, params: Json, reply: Reply) -> list[port.Update]:
        """Open a permission request; return its updates and those of its call."""
        call = params.get("toolCall")
        told, tool = turn.tools.ask(call if isinstance(call, dict) else {})
        offered = permissions.choices(params.get("options"))
        perm_id = uuid.uuid4().hex
        self.permissions.open(perm_id, request_id, offered, reply)
        asked = port.PermissionAsked(
            perm_id=perm_id,
            tool_id=tool.tool_id,
            tool_name=tool.name,
            title=label(tool.title),
            input=tool.action(),
            options=offered.options,
            tool_kind=tool.kind,
            shown=tool.shown,
            parent=tool.parent,
        )
        return [*told, asked]

    def question(self, request_id: Any, params: Json, reply: Reply) -> list[port.Update]:
        """Open a question; return its update, [] for one that cannot be shown."""
        asked = questions.question(uuid.uuid4().hex, params)
        if asked is None:
            return []
        self.questions.open(asked.question_id, request_id, reply)
        return [asked]

    def withdrawn(self, request_id: Any) -> list[port.Update]:
        """Close the request that the agent takes back; return its end."""
        if (perm_id := self.permissions.withdrawn(request_id)) is not None:
            return [port.PermissionClosed(perm_id)]
        if (question_id := self.questions.withdrawn(request_id)) is not None:
            return [port.QuestionClosed(question_id)]
        return []

    def void(self) -> None:
        """Answer every open request as cancelled."""
        self.permissions.void()
        self.questions.void()
