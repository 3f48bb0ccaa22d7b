"""The requests of Claude's CLI that a person answers: permissions, plans, questions."""

from __future__ import annotations

import uuid
from typing import Any, Final, Literal

import claude_agent_sdk as sdk

from sessions.agents.programs.claude_parts.messages import tool_of
from sessions.agents.programs.claude_parts.questions import answers_of, form_of
from sessions.agents.programs.stdio import Chat, Json

ALLOW_ONCE, ALLOW_ALWAYS, REJECT = "allow_once", "allow_always", "reject_once"
PLAN: Final = "ExitPlanMode"
QUESTIONS: Final = "AskUserQuestion"
# The modes that an approved plan leads to.
AFTER_PLAN: Final[dict[str, Literal["default", "acceptEdits"]]] = {
    ALLOW_ONCE: "default",
    ALLOW_ALWAYS: "acceptEdits",
}
PLAN_OPTIONS: Final = (
    {"optionId": ALLOW_ONCE, "name": "Approve, ask before edits", "kind": ALLOW_ONCE},
    {"optionId": ALLOW_ALWAYS, "name": "Approve and accept edits", "kind": ALLOW_ALWAYS},
    {"optionId": REJECT, "name": "Keep planning", "kind": REJECT},
)


class Requests:
    """The requests of one session."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    async def may_use(self, name: str, arguments: Json, context: Any) -> Any:
        """Ask the person; the CLI drops this call when it is interrupted."""
        tool = tool_of(context.tool_use_id or uuid.uuid4().hex, name, arguments)
        if name == QUESTIONS:
            return await self._questions(tool, arguments)
        if name == PLAN:
            return await self._plan(tool, arguments)
        return await self._permission(tool, arguments, context.suggestions)

    async def _permission(self, tool: Json, arguments: Json, suggestions: Any) -> Any:
        options = [{"optionId": ALLOW_ONCE, "name": "Allow once", "kind": ALLOW_ONCE}]
        if suggestions:
            always = {"optionId": ALLOW_ALWAYS, "name": "Always allow this", "kind": ALLOW_ALWAYS}
            options.append(always)
        options.append({"optionId": REJECT, "name": "Reject", "kind": REJECT})
        choice, message = await self._chat.decision(tool, options)
        if choice == ALLOW_ALWAYS:
            return sdk.PermissionResultAllow(
                updated_input=arguments, updated_permissions=suggestions
            )
        if choice == ALLOW_ONCE:
            return sdk.PermissionResultAllow(updated_input=arguments)
        return _denied(choice, message or "The person rejected this.")

    async def _plan(self, tool: Json, arguments: Json) -> Any:
        choice, message = await self._chat.decision(tool, list(PLAN_OPTIONS))
        mode = AFTER_PLAN.get(choice or "")
        if mode is None:
            return _denied(choice, message or "The person wants you to keep planning.")
        self._chat.mode = mode
        await self._chat.update("current_mode_update", currentModeId=mode)
        update = sdk.PermissionUpdate(type="setMode", mode=mode, destination="session")
        return sdk.PermissionResultAllow(updated_input=arguments, updated_permissions=[update])

    async def _questions(self, tool: Json, arguments: Json) -> Any:
        form = form_of(arguments)
        params = {
            "sessionId": self._chat.session_id,
            "toolCallId": tool["toolCallId"],
            "mode": "form",
            "message": form.title,
            "requestedSchema": form.schema,
        }
        answer = await self._chat.agent.request("elicitation/create", params)
        if answer.get("action") == "accept":
            answers = answers_of(arguments, answer.get("content") or {})
            return sdk.PermissionResultAllow(updated_input={**arguments, "answers": answers})
        return _denied(REJECT, "The person does not want to answer these questions.")


def _denied(choice: str | None, why: str) -> Any:
    return sdk.PermissionResultDeny(message=why, interrupt=choice is None)
