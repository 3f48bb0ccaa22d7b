"""Random but well-formed turns, as drafts: what a log can hold."""

from __future__ import annotations

from hypothesis import strategies as st

from sessions.eventlog.events import Draft, StopReason

texts = st.text(max_size=12)


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
    drafts.append(Draft("turn_start", {"turnId": turn_id, "clientMsgId": client_msg_id}))
    if draw(st.booleans()):
        drafts += draw(answers(f"a{number}", turn_id))
    for _ in range(draw(st.integers(0, 2))):
        drafts.append(draw(usages(turn_id)))
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
        result = {"toolId": f"x{block_id}", "status": "completed", "content": draw(texts)}
        drafts.append(Draft("tool_result", {"messageId": message_id} | result))
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
