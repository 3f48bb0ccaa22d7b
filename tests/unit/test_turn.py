"""A turn's drafts are well formed whatever the agent sends, in whatever order."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.agents import port
from sessions.eventlog.events import Draft
from sessions.eventlog.fold import empty, fold_all
from sessions.runner.agent.permissions import OpenRequests
from sessions.runner.turns import turn as turns
from sessions.runner.turns.turn import OutputLimit, TurnBuilder
from sessions.text.rendering import Rendering

OPTIONS = (port.PermissionOption("yes", "allow_once", "Allow"),)


def builder(**kwargs: Any) -> TurnBuilder:
    return TurnBuilder("t1", rendering=Rendering(lambda text: f"<p>{text}</p>"), **kwargs)


def run(turn: TurnBuilder, *updates: port.Update) -> list[Draft]:
    return [draft for update in updates for draft in turn.apply(update)]


def types(drafts: list[Draft]) -> list[str]:
    return [draft.type for draft in drafts]


def folded(drafts: list[Draft]) -> Any:
    envelopes = [
        {"type": draft.type, "seq": seq, "ts": "", **draft.checked().payload}
        for seq, draft in enumerate(drafts, start=1)
    ]
    return fold_all(empty("s"), envelopes)


def blocks(drafts: list[Draft]) -> list[Any]:
    return folded(drafts)["messages"][-1]["blocks"]


def test_thinking_then_text_gives_one_message_with_two_ended_blocks():
    drafts = run(
        builder(),
        port.ThinkingDelta("hm"),
        port.TextDelta("Hello "),
        port.TextDelta("**you**"),
        port.TurnDone("end_turn"),
    )
    assert types(drafts) == [
        "message_start", "block_start", "block_delta", "block_end",
        "block_start", "block_delta", "block_delta", "block_end", "message_end", "turn_end",
    ]  # fmt: skip
    thinking, text = blocks(drafts)
    assert (thinking["blockType"], thinking["content"], thinking["html"]) == (
        "thinking",
        "hm",
        None,
    )
    assert (text["content"], text["html"]) == ("Hello **you**", "<p>Hello **you**</p>")


def test_a_turn_without_output_has_no_message():
    assert types(run(builder(), port.TextDelta(""), port.TurnDone("end_turn"))) == ["turn_end"]


def test_tool_block_ends_when_its_input_is_known_and_the_result_follows():
    drafts = run(
        builder(),
        port.ToolCall("c1", "execute", "execute", "ls"),
        port.ToolCall("c1", "execute", "execute", "ls -l", {"command": "ls -l"}),
        port.ToolDone("c1", "completed", "out"),
        port.TurnDone("end_turn"),
    )
    assert types(drafts) == [
        "message_start", "block_start", "block_end", "tool_result", "message_end", "turn_end",
    ]  # fmt: skip
    (tool,) = blocks(drafts)
    assert tool["content"] == "ls -l"
    assert tool["input"] == {"command": "ls -l"}
    assert (tool["status"], tool["result"]) == ("completed", "out")


def test_every_later_change_of_a_tool_call_is_logged_and_the_last_one_holds():
    drafts = run(
        builder(),
        port.ToolCall("c1", "execute", "execute", "ls", {"command": "l"}),
        port.ToolCall("c1", "execute", "execute", "ls", {"command": "l"}),
        port.ToolCall("c1", "Bash", "execute", "ls -l", {"command": "ls -l"}),
        port.ToolCall("c1", "Bash", "read", "", None),
        port.ToolDone("c1", "completed", "out"),
        port.ToolDone("c1", "completed", "out"),
        port.ToolDone("c1", "completed", "out with more lines around it"),
        port.TurnDone("end_turn"),
    )
    updates = [draft.payload for draft in drafts if draft.type == "tool_update"]
    assert [sorted(p.keys() - {"messageId", "toolId"}) for p in updates] == [
        ["input", "title", "toolName"],
        ["toolKind"],
    ]
    (tool,) = blocks(drafts)
    assert (tool["toolName"], tool["toolKind"], tool["content"]) == ("Bash", "read", "ls -l")
    assert tool["input"] == {"command": "ls -l"}
    assert types(drafts).count("tool_result") == 2
    assert tool["result"] == "out with more lines around it"


def test_a_notice_is_in_the_log_beside_the_answer():
    drafts = run(builder(), port.TextDelta("a"), port.Notice("odd", "So."), port.TextDelta("b"))
    assert types(drafts)[3:] == ["error", "block_delta"]


def test_a_text_that_cannot_be_rendered_is_kept_as_it_is():
    def fails(text: str) -> str:
        raise ZeroDivisionError(text)

    turn = TurnBuilder("t1", rendering=Rendering(fails))
    drafts = run(turn, port.TextDelta("**kept**"), port.TurnDone("end_turn"))
    (text,) = blocks(drafts)
    assert (text["content"], text["html"], text["done"]) == ("**kept**", None, True)


def test_rendering_is_charged_to_the_turn():
    now = 0.0

    def slow(text: str) -> str:
        nonlocal now
        now += 1.0
        return f"<p>{text}</p>"

    turn = TurnBuilder("t1", rendering=Rendering(slow, budget_s=2.5, clock=lambda: now))
    pieces = [port.TextDelta("a"), port.ThinkingDelta("b")] * 5
    drafts = run(turn, *pieces, port.TurnDone("end_turn"))
    texts = [block for block in blocks(drafts) if block["blockType"] == "text"]
    assert [block["html"] is not None for block in texts] == [True, True, True, False, False]
    assert {block["content"] for block in texts} == {"a"}


def test_permission_without_a_tool_call_before_it_makes_the_tool_block():
    asked = port.PermissionAsked("p1", "c9", "execute", "rm x", {"command": "rm x"}, OPTIONS)
    drafts = run(builder(), asked)
    assert types(drafts) == ["message_start", "block_start", "block_end"]
    assert drafts[1].payload["toolId"] == "c9"
    assert drafts[2].payload["input"] == {"command": "rm x"}


def test_interrupt_with_open_blocks_ends_them_and_cancels_the_tool():
    turn = builder()
    drafts = run(
        turn,
        port.ToolCall("c1", "read"),
        port.TextDelta("half a sen"),
        port.TurnDone("interrupted"),
    )
    tool, text = blocks(drafts)
    assert (tool["done"], tool["status"]) == (True, "cancelled")
    assert (text["done"], text["content"]) == (True, "half a sen")


def test_late_updates_of_a_closed_turn_are_dropped():
    turn = builder()
    run(turn, port.TextDelta("a"), port.TurnDone("interrupted"))
    late = [port.TextDelta("b"), port.ToolCall("c", "x"), port.TurnDone("end_turn")]
    assert run(turn, *late) == []
    assert turn.close("error") == []


def test_exit_of_the_agent_closes_the_turn_as_crashed_with_the_reason():
    drafts = run(builder(), port.TextDelta("a"), port.AgentExited(3, "exit code 3"))
    assert drafts[-1].payload == {
        "turnId": "t1", "stopReason": "agent_crashed", "error": "exit code 3",
    }  # fmt: skip


def test_plan_is_a_block_for_each_change_and_none_for_a_repeat():
    one = port.PlanUpdate((port.PlanEntry("a", "pending"), port.PlanEntry("b", "pending")))
    two = port.PlanUpdate((port.PlanEntry("a", "completed"), port.PlanEntry("b", "in_progress")))
    drafts = run(builder(), one, one, two, port.TurnDone("end_turn"))
    contents = [block["content"] for block in blocks(drafts)]
    assert contents == ["- [ ] a\n- [ ] b", "- [x] a\n- [~] b"]


def test_usage_names_its_turn_and_leaves_out_what_is_unknown():
    (draft,) = run(builder(), port.Usage(3, 4))
    assert draft.payload == {"turnId": "t1", "inputTokens": 3, "outputTokens": 4}


def test_output_over_the_limit_raises_and_what_was_in_it_stays_well_formed():
    turn = builder(max_output_bytes=1000)
    drafts = run(turn, port.TextDelta("ä" * 400))
    for _ in range(2):
        with pytest.raises(OutputLimit, match="1000 bytes"):
            turn.apply(port.TextDelta("ü" * 400))
    drafts += turn.close("error", "too long")
    assert blocks(drafts)[0]["content"] == "ä" * 400


LONG = "x" * 3000


@pytest.mark.parametrize(
    "update",
    [
        port.ToolCall(LONG, "x"),
        port.ToolCall("c", LONG),
        port.ToolCall("c", "x", LONG),
        port.ToolCall("c", "x", title=LONG),
        port.ToolCall("c", "x", input={LONG: 1}),
        port.ToolDone(LONG, "completed"),
        port.ToolDone("c", "completed", LONG),
        port.PermissionAsked("p", LONG, "x", "", None, ()),
        port.PermissionAsked("p", "c", LONG, "", None, ()),
        port.PermissionAsked("p", "c", "x", LONG, None, ()),
        port.PermissionAsked("p", "c", "x", "", [LONG], ()),
        port.PermissionAsked("p", "c", "x", "", None, (), LONG),
        port.PermissionAsked("p", "c", "x", "", None, (port.PermissionOption(LONG, "a", "b"),)),
        port.PermissionAsked("p", "c", "x", "", None, (port.PermissionOption("a", LONG, "b"),)),
        port.PermissionAsked("p", "c", "x", "", None, (port.PermissionOption("a", "b", LONG),)),
        port.PlanUpdate((port.PlanEntry(LONG),)),
        port.PlanUpdate(tuple(port.PlanEntry("") for _ in range(20))),
        port.ThinkingDelta(LONG),
    ],
)
def test_whatever_is_long_in_an_update_counts_for_the_limit(update):
    with pytest.raises(OutputLimit):
        builder(max_output_bytes=2500).apply(update)


@pytest.mark.parametrize("update", [port.ToolCall("c", "x"), port.ToolDone("c", "completed", "")])
def test_a_flood_of_empty_tool_updates_reaches_the_limit(update):
    turn = builder(max_output_bytes=2000)
    with pytest.raises(OutputLimit):
        run(turn, *[update] * 100)


def test_mode_and_title_belong_to_the_session_and_not_to_the_turn():
    assert run(builder(), port.ModeChanged("auto"), port.TitleChanged("T")) == []


TOOL_IDS = st.sampled_from(["c1", "c2", "c3"])
TEXT = st.text(max_size=8)
UPDATES = st.one_of(
    st.builds(port.TextDelta, TEXT),
    st.builds(port.ThinkingDelta, TEXT),
    st.builds(port.ToolCall, TOOL_IDS, TEXT, TEXT, TEXT, st.none() | st.just({"a": 1})),
    st.builds(port.ToolDone, TOOL_IDS, st.sampled_from(["completed", "failed", "cancelled"]), TEXT),
    st.builds(port.PlanUpdate, st.lists(st.builds(port.PlanEntry, TEXT), max_size=2).map(tuple)),
    st.builds(port.PermissionAsked, TEXT, TOOL_IDS, TEXT, TEXT, st.none(), st.just(OPTIONS)),
    st.builds(port.Usage, st.integers(0, 9), st.integers(0, 9)),
    st.builds(port.TurnDone, st.sampled_from(["end_turn", "interrupted", "error"])),
)


@given(updates=st.lists(UPDATES, max_size=30), limit=st.integers(300, 5000))
def test_any_updates_in_any_order_make_a_well_formed_turn(updates, limit):
    turn = builder(max_output_bytes=limit)
    drafts = []
    for update in updates:
        with suppress(OutputLimit):
            drafts += turn.apply(update)
    drafts += turn.close("interrupted")

    assert types(drafts).count("turn_end") == 1
    assert drafts[-1].type == "turn_end"
    assert types(drafts).count("message_start") == types(drafts).count("message_end") <= 1
    open_blocks: dict[str, str] = {}
    ended: set[str] = set()
    for draft in drafts:
        draft.checked()
        block = draft.payload.get("blockId", "")
        if draft.type == "block_start":
            assert block not in open_blocks.keys() | ended
            open_blocks[block] = ""
        elif draft.type == "block_delta":
            open_blocks[block] += draft.payload["delta"]
        elif draft.type == "block_end":
            streamed = open_blocks.pop(block)
            ended.add(block)
            assert not streamed or streamed == draft.payload["content"]
        elif draft.type == "message_end":
            assert not open_blocks


def test_text_that_no_database_holds_is_cleaned_by_the_draft_itself():
    drafts = run(builder(), port.TextDelta("a\x00\ud800b"), port.TurnDone("end_turn"))
    assert blocks(drafts)[0]["content"] == "a\ufffd\ufffdb"


def test_the_outcome_of_a_call_tells_how_long_it_took(monkeypatch):
    now = [10.0]
    monkeypatch.setattr(turns, "monotonic", lambda: now[0])
    turn = builder()
    run(turn, port.ToolCall("a", "Shell", "execute", "ls", {"command": "ls"}))
    now[0] = 11.25
    [result] = [
        draft
        for draft in run(turn, port.ToolDone("a", "completed", "out"))
        if draft.type == "tool_result"
    ]
    assert result.payload["tookMs"] == 1250
    stopped = builder()
    run(stopped, port.ToolCall("b", "Shell", "execute", "ls", {}))
    ended = [draft for draft in stopped.close("interrupted") if draft.type == "tool_result"]
    assert ["tookMs" in draft.payload for draft in ended] == [False]  # it had no outcome


async def test_the_failure_of_a_call_that_was_rejected_says_so():
    requests = OpenRequests(lambda perm_id, decision: None, lambda perm_id: None)
    options = (*OPTIONS, port.PermissionOption("no", "reject_once", "Reject"))
    failed = port.ToolDone("a", "failed", "Rejected.")

    async def decide(perm_id: str, decision: str) -> None:
        asked = port.PermissionAsked(perm_id, "a", "Shell", "ls", {"command": "ls"}, options)
        requests.open(asked, wait_s=60)
        await requests.pass_on(_Deaf(), perm_id, decision)

    await decide("p1", "yes")
    assert requests.outcome(failed).status == "failed"
    await decide("p2", "no")
    assert requests.outcome(failed).status == "rejected"
    assert requests.outcome(replace(failed, status="completed")).status == "completed"
    assert requests.outcome(replace(failed, tool_id="b")).status == "failed"
    await decide("p3", "yes")  # asked again for the same call, and allowed
    assert requests.outcome(failed).status == "failed"
    await decide("p4", "cancelled")  # nobody decided: the turn was stopped
    assert requests.outcome(failed).status == "failed"
    await decide("p5", "no")
    requests.forget_all()  # an agent uses an id again
    assert requests.outcome(failed).status == "failed"


class _Deaf(port.Agent):
    """An agent that takes every decision."""

    async def answer(self, perm_id: str, option_id: str | None, message: str = "") -> None:
        """Take it."""
