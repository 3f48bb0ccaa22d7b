"""Random but well-formed turns, as drafts: what a log can hold."""

from __future__ import annotations

from hypothesis import strategies as st

from sessions.eventlog.events import Draft, StopReason

texts = st.text(max_size=12)
# What a result may show besides its text.
shown = st.fixed_dictionaries(
    {},
    optional={
        "diffs": st.just([{"path": "a", "oldText": None, "newText": "x"}]),
        "locations": st.just([{"path": "a", "line": 3}]),
        "images": st.just([{"blob": "0" * 64, "mime": "image/png"}]),
    },
)


@st.composite
def turns(draw: st.DrawFn, number: int) -> list[Draft]:
    """One prompt, its turn and perhaps an answer, a tool with a permission, usage and a notice."""
    turn_id, client_msg_id = f"t{number}", f"c{number}"
    drafts = [
        Draft(
            "user_message",
            {"messageId": f"u{number}", "clientMsgId": client_msg_id, "text": draw(texts)},
        )
    ]
    if draw(st.booleans()):
        drafts.append(Draft("title_changed", {"title": draw(texts)}))
    if not draw(st.integers(0, 3)):
        return drafts  # a prompt that still waits
    begin = {"turnId": turn_id, "clientMsgId": client_msg_id, "origin": "person"}
    drafts.append(Draft("turn_start", begin | ({"model": "m"} if draw(st.booleans()) else {})))
    if draw(st.booleans()):
        drafts += draw(answers(f"a{number}", turn_id))
    for _ in range(draw(st.integers(0, 2))):
        drafts.append(draw(usages(turn_id)))
    if draw(st.booleans()):
        drafts += question(f"q{number}")
    drafts += draw(st.lists(st.sampled_from(offers), max_size=3))
    if not draw(st.integers(0, 3)):
        drafts.append(Draft("error", {"code": "odd", "error": draw(texts)}))
    end = {
        "turnId": turn_id,
        "stopReason": draw(st.sampled_from([reason.value for reason in StopReason])),
    }
    drafts.append(Draft("turn_end", end))
    return drafts


@st.composite
def answers(draw: st.DrawFn, message_id: str, turn_id: str) -> list[Draft]:
    """One answer with blocks."""
    drafts = [
        Draft("message_start", {"messageId": message_id, "turnId": turn_id, "role": "assistant"})
    ]
    for number in range(draw(st.integers(0, 3))):
        drafts += draw(blocks(message_id, f"{message_id}b{number}"))
    return [*drafts, Draft("message_end", {"messageId": message_id})]


@st.composite
def blocks(draw: st.DrawFn, message_id: str, block_id: str) -> list[Draft]:
    """One block; a tool's may come with a permission request and a result."""
    kind = draw(st.sampled_from(["text", "thinking", "tool_use", "plan"]))
    ids = {"messageId": message_id, "blockId": block_id}
    start = ids | {"blockType": kind}
    if kind == "tool_use":
        start |= {"toolName": "run", "toolId": f"x{block_id}", "toolKind": "execute"}
    deltas = draw(st.lists(texts, max_size=4))
    drafts = [Draft("block_start", start)]
    drafts += [Draft("block_delta", ids | {"delta": delta}) for delta in deltas]
    if kind == "tool_use" and draw(st.booleans()):
        drafts += permission(f"p{block_id}")
    drafts.append(Draft("block_end", ids | {"content": "".join(deltas)}))
    if kind == "tool_use":
        tool = {"messageId": message_id, "toolId": f"x{block_id}"}
        pieces = draw(st.lists(texts, max_size=4))
        drafts += [Draft("tool_output", tool | {"delta": piece}) for piece in pieces]
        result = {"status": "completed", "content": "".join(pieces), **draw(shown)}
        drafts.append(Draft("tool_result", tool | result))
    return drafts


def permission(perm_id: str) -> list[Draft]:
    """A request and its answer."""
    request = {
        "permId": perm_id,
        "toolName": "run",
        "title": "Run it?",
        "input": {"command": "true"},
        "options": [{"id": "yes", "kind": "allow_once", "label": "Yes"}],
        "expiresAt": "2026-11-23T08:00:00.000Z",
    }
    answer = {"permId": perm_id, "decision": "yes", "by": "owner", "reason": "answered"}
    return [Draft("permission_request", request), Draft("permission_resolved", answer)]


def question(question_id: str) -> list[Draft]:
    """A question and its answer."""
    asked = {
        "questionId": question_id,
        "title": "Which?",
        "schema": {"type": "object", "properties": {"colour": {"type": "string"}}},
        "expiresAt": "2026-11-23T08:00:00.000Z",
    }
    answer = {"action": "accept", "values": {"colour": "red"}, "by": "owner", "reason": "answered"}
    answered = {"questionId": question_id, **answer}
    return [Draft("question_asked", asked), Draft("question_answered", answered)]


_MODEL = {
    "id": "model",
    "category": "model",
    "label": "Model",
    "kind": "select",
    "value": "small",
    "choices": [{"id": "small", "label": "Small"}, {"id": "large", "label": "Large"}],
}
# Facts of the agent that come at any time.
offers = [
    Draft("options_offered", {"options": [_MODEL]}),
    Draft("option_changed", {"optionId": "model", "value": "large", "by": "owner"}),
    Draft("log_in_changed", {"needed": True, "ways": ["By a page"]}),
    Draft("log_in_changed", {"needed": False}),
    Draft("commands_offered", {"commands": [{"name": "help", "description": "", "hint": ""}]}),
    Draft("context", {"used": 10, "size": 100}),
    Draft("notice", {"kind": "compaction", "text": "The context was compacted."}),
]


@st.composite
def usages(draw: st.DrawFn, turn_id: str) -> Draft:
    """One increment of what a turn used."""
    counts = st.integers(0, 10_000)
    usage = {"turnId": turn_id, "inputTokens": draw(counts), "outputTokens": draw(counts)}
    if draw(st.booleans()):
        usage |= {"costUsd": draw(st.sampled_from([0.25, 0.5, 1.125])), "contextWindow": 1000}
    return Draft("usage", usage)


@st.composite
def logs(draw: st.DrawFn, most_turns: int = 5) -> list[Draft]:
    """The drafts of a whole session."""
    created = {"title": "A chat", "agent": "demo", "mode": "ask", "cwd": "/"}
    drafts = [Draft("session_created", created)]
    for number in range(draw(st.integers(0, most_turns))):
        drafts += draw(turns(number))
    return drafts
