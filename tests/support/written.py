"""Turns written by hand: every kind of event that the recorded ones do not have."""

from __future__ import annotations

from typing import Any

from sessions.eventlog import drafts as make
from sessions.eventlog.events import Action, BlockType, Draft, Origin, Resolution, StopReason

SESSION = "00000000-0000-4000-8000-000000000000"
EXPIRES = "2026-11-23T08:10:00.000Z"
_MESSAGE, _TOOL = "m1", "x1"
_DIFF: Any = {"path": "a.py", "oldText": "one\n", "newText": "two\n"}
_NEW: Any = {"path": "b.py", "oldText": None, "newText": "new\n", "cut": 7}
_MODEL: Any = {
    "id": "model",
    "category": "model",
    "label": "Model",
    "kind": "select",
    "value": "small",
    "choices": [{"id": "small", "label": "Small", "group": "All"}, {"id": "big", "label": "Big"}],
}
_MODE: Any = {
    "id": "mode",
    "category": "mode",
    "label": "Mode",
    "kind": "select",
    "value": "ask",
    "choices": [{"id": "ask", "label": "Ask"}, {"id": "auto", "label": "Auto"}],
}
_FAST: Any = {
    "id": "fast",
    "category": "",
    "label": "Fast",
    "kind": "boolean",
    "value": False,
    "choices": [],
}


def turns() -> dict[str, list[Draft]]:
    """Return the drafts of each turn, by its name."""
    return {
        "a tool with everything that it can show": _tool(),
        "a turn of the agent's own, with a question": _question(),
        "settings and commands of the agent": _offers(),
        "a mode that is a setting, too": _modes(),
        "an agent that wants a log-in, and has it": _log_in(),
        "a plan to approve": _plan_to_approve(),
        "prompts that are edited, moved and withdrawn": _queue(),
        "messages that are taken back and shown again": _rewinds(),
        "a chat that was imported": _imported(),
    }


def envelopes(drafts: list[Draft]) -> list[dict[str, Any]]:
    """Return the drafts as envelopes of one session."""
    return [
        {
            "v": 1,
            "type": draft.type.value,
            "sessionId": SESSION,
            "seq": seq,
            "ts": "2026-11-23T08:00:00.000Z",
            **draft.checked().payload,
        }
        for seq, draft in enumerate(drafts, start=1)
    ]


def _rewinds() -> list[Draft]:
    """Return three prompts: the second was sent before the first one's answer began."""
    sent = [
        make.user_message(message_id=f"u{n}", client_msg_id=f"c{n}", text=f"prompt {n}")
        for n in (1, 2, 3)
    ]

    def turn(number: int) -> list[Draft]:
        turn_id, message = f"t{number}", f"m{number}"
        return [
            make.checkpoint_made(
                checkpoint_id=str(number) * 40, files=3, client_msg_id=f"c{number}"
            ),
            make.turn_start(turn_id=turn_id, client_msg_id=f"c{number}", origin=Origin.PERSON),
            make.message_start(message_id=message, turn_id=turn_id),
            make.message_end(message_id=message),
            make.turn_end(turn_id=turn_id, stop_reason=StopReason.END_TURN),
        ]

    return [
        make.session_created(
            title="", agent="demo", mode="", cwd="/workspace", fork_of=SESSION, fork_at=7
        ),
        *sent[:2],
        *turn(1),
        *turn(2),
        sent[2],
        *turn(3),
        make.rewound(to=14, by="owner", since=16, client_msg_ids=["c3"]),
        make.checkpoint_made(checkpoint_id="4" * 40, files=4, left_out=1),
        make.restored(
            to=3,
            checkpoint_id="2" * 40,
            kept="4" * 40,
            files=2,
            text="owner restored 2 files.",
            by="owner",
            left_out=1,
        ),
        make.rewound(to=3, by="owner", since=10, client_msg_ids=["c2"]),
        make.rewound(to=14, by="owner", undoes=20),
        make.rewound(to=3, by="owner", undoes=23),
        make.rewound(to=3, by="owner", since=10, client_msg_ids=["c2"]),
    ]


def _tool() -> list[Draft]:
    prompt, turn = "c1", "t1"
    block: dict[str, Any] = {"message_id": _MESSAGE, "block_id": "b1"}
    child: dict[str, Any] = {"message_id": _MESSAGE, "block_id": "b2"}
    return [
        make.session_created(title="", agent="demo", mode="", cwd="/workspace"),
        make.user_message(
            message_id="u1",
            client_msg_id=prompt,
            text="Edit it",
            attachments=[{"blob": "0" * 64, "name": "a.png", "mime": "image/png", "size": 7}],
        ),
        make.turn_start(turn_id=turn, client_msg_id=prompt, model="big"),
        make.message_start(message_id=_MESSAGE, turn_id=turn),
        make.block_start(**block, block_type=BlockType.TOOL_USE, tool_name="Edit", tool_id=_TOOL),
        make.block_end(**block, content="Edit a.py", tool_input={"path": "a.py"}),
        make.permission_request(
            perm_id="p1",
            tool_name="Edit",
            title="Edit a.py",
            tool_input={"path": "a.py"},
            options=[{"id": "yes", "kind": "allow_once", "label": "Yes"}],
            expires_at=EXPIRES,
            tool_id=_TOOL,
            diffs=[_DIFF, _NEW],
            locations=[{"path": "a.py", "line": 1}],
        ),
        make.request_reminded(request_id="p1", title="Edit a.py", expires_at=EXPIRES),
        make.permission_resolved(
            perm_id="p1", decision="yes", by="alice", reason=Resolution.ANSWERED
        ),
        make.tool_output(message_id=_MESSAGE, tool_id=_TOOL, delta="on"),
        make.tool_output(message_id=_MESSAGE, tool_id=_TOOL, delta="e"),
        make.block_start(**child, block_type=BlockType.TEXT, parent_tool_id=_TOOL),
        make.block_delta(**child, delta="child"),
        make.block_end(**child, content="child", html="<p>child</p>"),
        make.tool_result(
            message_id=_MESSAGE,
            tool_id=_TOOL,
            status="completed",
            content="one",
            took_ms=1200,
            diffs=[_DIFF, _NEW],
            locations=[{"path": "a.py", "line": 1}, {"path": "b.py"}],
            images=[{"blob": "0" * 64, "mime": "image/png"}],
            resources=[{"uri": "file:///a", "mime": "text/plain", "text": "a", "cut": 3}],
        ),
        # What a later result leaves out is unchanged.
        make.tool_result(message_id=_MESSAGE, tool_id=_TOOL, status="failed", content="two"),
        make.context(used=10, size=100),
        make.notice(kind="compaction", text="The context was compacted."),
        make.message_end(message_id=_MESSAGE),
        make.turn_end(turn_id=turn, stop_reason=StopReason.END_TURN),
    ]


def _question() -> list[Draft]:
    schema = {"type": "object", "properties": {"colour": {"type": "string", "enum": ["red"]}}}
    asked: dict[str, Any] = {"title": "Which?", "schema": schema, "expires_at": EXPIRES}
    return [
        make.session_created(title="", agent="demo", mode="", cwd="/workspace"),
        make.turn_start(turn_id="t1", origin=Origin.AGENT),
        make.question_asked(question_id="q1", **asked),
        make.question_asked(question_id="q2", **asked, url="https://example.org/"),
        make.question_asked(question_id="q3", **asked),
        make.question_answered(
            question_id="q1",
            action=Action.ACCEPT,
            values={"colour": "red"},
            by="alice",
            reason=Resolution.ANSWERED,
        ),
        make.question_answered(
            question_id="q2",
            action=Action.CANCEL,
            values={},
            by="server",
            reason=Resolution.TIMEOUT,
        ),
        make.turn_end(turn_id="t1", stop_reason=StopReason.INTERRUPTED),
    ]


def _queue() -> list[Draft]:
    waiting = [
        make.user_message(message_id=f"u{n}", client_msg_id=f"c{n}", text=f"Prompt {n}")
        for n in range(1, 6)
    ]
    return [
        make.session_created(title="", agent="demo", mode="", cwd="/workspace"),
        waiting[0],
        make.turn_start(turn_id="t1", client_msg_id="c1"),
        *waiting[1:],
        make.prompt_edited(client_msg_id="c2", text="Prompt two", version=2, by="alice"),
        make.queue_reordered(client_msg_ids=["c5", "c4", "c3", "c2"], by="alice"),
        make.user_message(message_id="u6", client_msg_id="c6", text="Prompt 6"),
        make.prompt_withdrawn(client_msg_id="c4", by="bob"),
        make.prompt_edited(client_msg_id="c2", text="Prompt two again", version=3, by="bob"),
        make.prompt_withdrawn(client_msg_id="gone", by="bob"),
        # A name that does not wait any more changes nothing; those without a name stay behind.
        make.queue_reordered(client_msg_ids=["c1", "c2", "c5"], by="alice"),
        make.turn_end(turn_id="t1", stop_reason=StopReason.INTERRUPTED),
        make.turn_start(turn_id="t2", client_msg_id="c2"),
        make.turn_end(turn_id="t2", stop_reason=StopReason.END_TURN),
    ]


def _imported() -> list[Draft]:
    block: dict[str, Any] = {"message_id": _MESSAGE, "block_id": "b1"}
    return [
        make.session_created(title="The roof", agent="demo", mode="", cwd="/workspace"),
        make.user_message(message_id="i-1", client_msg_id="i-1", text="Mend it", imported=True),
        make.message_start(message_id=_MESSAGE, turn_id="i-1", imported=True),
        make.block_start(**block, block_type=BlockType.TEXT),
        make.block_end(**block, content="Done."),
        make.message_end(message_id=_MESSAGE),
        make.notice(kind="imported", text="The messages above are imported."),
        make.user_message(message_id="u1", client_msg_id="c1", text="And now?"),
        make.turn_start(turn_id="t1", client_msg_id="c1", origin=Origin.PERSON),
        make.turn_end(turn_id="t1", stop_reason=StopReason.END_TURN),
    ]


def _plan_to_approve() -> list[Draft]:
    return [
        make.session_created(title="", agent="demo", mode="plan", cwd="/workspace"),
        make.turn_start(turn_id="t1", origin=Origin.AGENT),
        make.permission_request(
            perm_id="p1",
            tool_name="ExitPlanMode",
            title="Approve the plan?",
            tool_input={"plan": "# Steps"},
            options=[{"id": "no", "kind": "reject_once", "label": "Keep planning"}],
            expires_at=None,
            tool_kind="switch_mode",
            html="<h1>Steps</h1>",
        ),
    ]


def _modes() -> list[Draft]:
    return [
        make.session_created(title="", agent="demo", mode="ask", cwd="/workspace"),
        make.options_offered(options=[_MODEL, _MODE]),
        make.mode_changed(mode="auto", by="alice"),
        make.option_changed(option_id="model", value="big", by="alice"),
        make.option_changed(option_id="mode", value="ask", by="alice"),
        make.mode_changed(mode="auto", by="agent"),
        make.mode_changed(mode="no choice of the setting", by="agent"),
    ]


def _offers() -> list[Draft]:
    return [
        make.session_created(title="", agent="demo", mode="", cwd="/workspace"),
        make.options_offered(options=[_MODEL, _FAST]),
        make.commands_offered(commands=[{"name": "help", "description": "Help", "hint": ""}]),
        make.option_changed(option_id="fast", value=True, by="alice"),
        make.option_changed(option_id="model", value="big", by="agent"),
        make.option_changed(option_id="gone", value="x", by="alice"),
        make.options_offered(options=[_FAST]),
    ]


def _log_in() -> list[Draft]:
    return [
        make.session_created(title="", agent="codex", mode="", cwd="/workspace"),
        make.log_in_changed(needed=True),
        make.log_in_changed(needed=True, ways=["By a page", "By a key"]),
        make.title_changed(title="The roof"),
        make.log_in_changed(needed=False),
    ]
