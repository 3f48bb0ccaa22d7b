"""The terminal tells the truth about its line and what was left out, against a real server."""

from __future__ import annotations

import asyncio

from tests.client.waiting import until
from transport.terminal.lines import lines_of
from transport.terminal.terminal import Screen, Terminal

PATIENCE_S = 30.0


def turn(number, *, deltas=20):
    """The drafts of one turn: a prompt, and an answer with a tool in it."""
    turn_id, message_id = f"t{number}", f"a{number}"
    text, tool = (
        {"messageId": message_id, "blockId": f"{message_id}{kind}"} for kind in ("text", "tool")
    )
    prompt = {"clientMsgId": f"c{number}", "text": f"question {number}"}
    piece = f"answer {number} "
    ran = {"toolName": "run", "toolId": f"x{number}"}
    return [
        ["user_message", {"messageId": f"u{number}", **prompt}],
        ["turn_start", {"turnId": turn_id, "clientMsgId": f"c{number}"}],
        ["message_start", {"messageId": message_id, "turnId": turn_id, "role": "assistant"}],
        ["block_start", {**text, "blockType": "text"}],
        *[["block_delta", {**text, "delta": piece}] for _ in range(deltas)],
        ["block_end", {**text, "content": piece * deltas}],
        ["block_start", {**tool, "blockType": "tool_use", **ran}],
        ["block_end", {**tool, "content": "{}"}],
        [
            "tool_result",
            {
                "messageId": message_id,
                "toolId": f"x{number}",
                "status": "completed",
                "content": f"did {number}",
            },
        ],
        ["message_end", {"messageId": message_id}],
        ["turn_end", {"turnId": turn_id, "stopReason": "end_turn"}],
    ]


async def test_a_terminal_tells_since_when_it_is_down_and_shows_what_was_skipped(make_server):
    server = make_server(environment={"CHAT_MAX_REPLAY_GAP": "20", "CHAT_SNAPSHOT_MESSAGES": "2"})
    session = await asyncio.to_thread(
        server.data.call, "create_session", name="alice", agent="demo"
    )
    written, lines = [], asyncio.Queue()
    terminal = Terminal(
        server.url, server.token("alice"), write=written.append, agent=None, session_id=session
    )

    def shows(text):
        return lambda: text in "".join(written)

    async def typed():
        while (line := await lines.get()) is not None:
            yield line

    running = asyncio.create_task(terminal.run(typed()))
    try:
        await until(shows("(demo) —"), PATIENCE_S)
        lines.put_nowait(":skipped")
        await until(shows("Nothing was skipped."), PATIENCE_S)
        await asyncio.to_thread(server.kill)
        await until(shows("[reconnecting, down since "), PATIENCE_S)
        for number in range(1, 4):
            drafts = turn(number)
            await asyncio.to_thread(
                server.data.call, "append_drafts", session=session, drafts=drafts
            )
        await asyncio.to_thread(server.start)
        await until(shows("[live again]"), 2 * PATIENCE_S)
        await until(shows("events were skipped"), PATIENCE_S)
        assert "".join(written).count("down since") == 1
        assert "did 1" not in "".join(written)
        del written[:]
        lines.put_nowait(":skipped")
        await until(shows("the end of what was skipped"), PATIENCE_S)
        told = "".join(written).splitlines()
        head = len(server.data.call("events", session=session))
        assert told[0] == f"— events 2 to {head}, which were skipped —"
        expected = [
            line
            for number in range(1, 4)
            for line in (
                f"> question {number}",
                (f"answer {number} " * 20),
                "[run]",
                f"[completed] did {number}",
            )
        ]
        assert told[1:-1] == expected
        del written[:]
        lines.put_nowait(":skipped")
        await until(shows("Nothing was skipped."), PATIENCE_S)
    finally:
        lines.put_nowait(":quit")
        await asyncio.wait_for(running, PATIENCE_S)


def test_what_was_skipped_is_told_whole_wherever_the_skip_begins():
    text = {"messageId": "a1", "blockId": "b1"}
    tool = {"messageId": "a1", "blockId": "b2"}
    asked = {"permId": "p1", "toolName": "run", "title": "Run it?", "options": [], "input": None}
    events = [
        {"type": "block_delta", **text, "delta": "of it"},  # its beginning was seen
        {"type": "block_end", **text, "content": "The whole of it"},
        {"type": "block_start", **tool, "blockType": "tool_use", "toolName": "run"},
        {"type": "permission_request", **asked},
        {"type": "permission_resolved", "permId": "p1", "decision": "yes", "reason": "answered"},
        {"type": "block_end", **tool, "content": "{}"},
        {"type": "error", "code": "odd", "error": "Something odd."},
        {"type": "turn_end", "turnId": "t1", "stopReason": "interrupted"},
        {"type": "turn_end", "turnId": "t2", "stopReason": "end_turn"},
    ]
    assert list(lines_of(events)) == [
        "The whole of it",
        "[run]",
        "? Run it?",
        "[yes, answered]",
        "! Something odd.",
        "[interrupted]",
    ]


def test_a_skip_names_the_command_that_shows_it_and_is_kept_for_its_session():
    written = []
    screen = Screen(written.append)
    screen.session_id = "s"
    for last in (9, 12):  # cut before its snapshot, it was announced again
        skip = {"type": "replay_skipped", "sessionId": "s", "from": 4, "to": last}
        screen.show({**skip, "reason": "max_replay_gap"})
    assert "9 events were skipped" in written[-1]
    assert ":skipped" in written[-1]
    assert screen.skips() == [(4, 12)]
    screen.session_id = "another"
    assert screen.skips() == []
