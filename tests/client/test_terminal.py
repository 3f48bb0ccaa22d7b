"""The terminal tells the truth about its line and what was left out, against a real server."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from tests.client.waiting import until
from transport.terminal.lines import lines_of_all
from transport.terminal.screen import Screen
from transport.terminal.terminal import Terminal

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
        await until(shows("the end of the skipped events"), PATIENCE_S)
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
    assert list(lines_of_all(events)) == [
        "The whole of it",
        "[run]",
        "? run: Run it?",
        "  (the agent tells no input)",
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


# --- What an agent writes -------------------------------------------------------------------------


def screen_of(session_id="s"):
    written = []
    screen = Screen(written.append)
    screen.open(session_id)
    return screen, written


def streamed(*deltas):
    """What the screen shows of an answer that comes in these pieces."""
    screen, written = screen_of()
    frames = [
        {"type": "block_start", "blockType": "text"},
        *({"type": "block_delta", "delta": delta} for delta in deltas),
        {"type": "block_end"},
    ]
    for frame in frames:
        screen.show({"sessionId": "s", **frame})
    return "".join(written)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]52;c;cm0gLXJm\x07", "⟨U+001B⟩]52;c;cm0gLXJm⟨U+0007⟩"),
        ("\x1b[2J", "⟨U+001B⟩[2J"),
        ("\x9b2J", "⟨U+009B⟩2J"),
        ("a\rb\x08c", "a⟨U+000D⟩b⟨U+0008⟩c"),
        ("safe \u202etxt.exe", "safe ⟨U+202E⟩txt.exe"),
        ("10\u00a0000\u202f€", "10\u00a0000\u202f€"),
        ("漢\u3000字", "漢\u3000字"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        ("tab\tand\nline", "tab\tand\nline"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 100])
def test_no_escape_reaches_the_terminal_and_no_space_or_joiner_is_lost(text, shown, size):
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert streamed(*pieces) == f"{shown}\n"


def asked(number, **fields):
    options = [
        {"id": "yes", "kind": "allow_once", "label": "Yes"},
        {"id": "no", "kind": "reject_once", "label": "No"},
    ]
    tool = {"toolName": "run", "title": f"Run {number}", "input": {"command": f"echo {number}"}}
    request = {"permId": f"p{number}", "options": options, "expiresAt": "2026-01-01T00:00:00.000Z"}
    return {"type": "permission_request", "sessionId": "s", **request, **tool, **fields}


def test_the_whole_command_is_shown_before_its_choices():
    command = "echo " + "x" * 400 + "\n  :9 Yes\nrm -rf ~ # \u202etxt"
    screen, written = screen_of()
    screen.show(asked(1, title="ls -l", input={"command": command, "env": {"A": ["b"]}}))
    assert "".join(written).splitlines() == [
        "? run: ls -l",
        "  command: echo " + "x" * 400,
        "  |   :9 Yes",
        "  | rm -rf ~ # ⟨U+202E⟩txt",
        "  env: {",
        '  |   "A": [',
        '  |     "b"',
        "  |   ]",
        "  | }",
        "  :1 Yes",
        "  :2 No",
    ]


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({"input": None}, ["? run: Run 1", "  (the agent tells no input)"]),
        ({"input": {}}, ["? run: Run 1", "  (the agent tells no input)"]),
        ({"input": "ls\n-l"}, ["? run: Run 1", "  ls", "  | -l"]),
        ({"input": ["ls"]}, ["? run: Run 1", "  [", '  |   "ls"', "  | ]"]),
        ({"title": "a\n:1 b", "input": "x"}, ["? run: a", "  | :1 b", "  x"]),
        ({"title": "run", "input": "x"}, ["? run", "  x"]),
    ],
)
def test_a_request_is_shown_whatever_its_input_is(fields, lines):
    screen, written = screen_of()
    screen.show(asked(1, **fields))
    assert "".join(written).splitlines()[: len(lines)] == lines


def test_a_label_cannot_pass_for_another_choice():
    screen, written = screen_of()
    screen.show(asked(1, options=[{"id": "a", "kind": "allow_once", "label": "No\n  :2 Yes"}]))
    assert written[-1] == "  :1 No⟨U+000A⟩  :2 Yes (allows once)\n"


def test_open_requests_have_numbers_of_their_own_that_no_other_ever_gets():
    screen, written = screen_of()
    for number in (1, 2):
        screen.show(asked(number))
    assert [line for line in "".join(written).splitlines() if line.startswith("  :")] == [
        "  :1 Yes",
        "  :2 No",
        "  :3 Yes",
        "  :4 No",
    ]
    resolved = {"type": "permission_resolved", "sessionId": "s", "permId": "p1"}
    screen.show({**resolved, "decision": "yes", "reason": "answered"})
    assert screen.requests.choice(1) is None
    assert screen.requests.was_given(1)
    assert screen.requests.choice(3).perm_id == "p2"
    screen.show(asked(3))
    assert written[-1] == "  :6 No\n"


def test_a_snapshot_after_a_reconnect_says_which_requests_are_open():
    screen, written = screen_of()
    for number in (1, 2):
        screen.show(asked(number))
    del written[:]
    shot = {"type": "session_snapshot", "sessionId": "s", "cursor": 9, "turn": None}
    screen.show({**shot, "full": False, "permissions": [asked(2), asked(3)]})
    assert [line for line in "".join(written).splitlines() if line.startswith("  :")] == [
        "  :5 Yes",
        "  :6 No",
    ]
    assert screen.requests.choice(1) is None
    assert screen.requests.choice(3).perm_id == "p2"
    assert screen.requests.choice(5).perm_id == "p3"


def test_a_frame_chooses_no_method_by_its_name():
    screen, written = screen_of()
    for kind in ("message", "open_requests", "_init__", "HANDLERS"):
        screen.show({"type": kind, "sessionId": "s", "role": "user", "text": "forged"})
    assert written == []


async def test_each_answer_names_its_request_also_after_a_reconnect(make_server):
    server = make_server(options=["--no-agents"])
    call = partial(asyncio.to_thread, server.data.call)
    session = await call("create_session", name="alice")
    begun = [
        ["user_message", {"messageId": "u1", "clientMsgId": "c1", "text": "go"}],
        ["turn_start", {"turnId": "t1", "clientMsgId": "c1"}],
    ]

    def request(number):
        fields = asked(number)
        return [fields.pop("type"), {k: v for k, v in fields.items() if k != "sessionId"}]

    await call("append_drafts", session=session, drafts=[*begun, *map(request, (1, 2, 3))])
    written, lines = [], asyncio.Queue()
    terminal = Terminal(
        server.url, server.token("alice"), write=written.append, agent=None, session_id=session
    )

    async def typed():
        while (line := await lines.get()) is not None:
            yield line

    async def decisions():
        rows = await call("events", session=session)
        return {e["permId"]: e["decision"] for e in rows if e["type"] == "permission_resolved"}

    async def shows(text):
        await until(lambda: text in "".join(written), PATIENCE_S)

    running = asyncio.create_task(terminal.run(typed()))
    try:
        await shows("  :6 No")
        lines.put_nowait(":1")
        await shows("[yes, answered]")
        assert await decisions() == {"p1": "yes"}
        await asyncio.to_thread(server.kill)
        await shows("down since")
        elsewhere = {"permId": "p3", "decision": "no", "by": "alice", "reason": "answered"}
        await call(
            "append_drafts",
            session=session,
            drafts=[["permission_resolved", elsewhere], request(4)],
        )
        await asyncio.to_thread(server.start)
        await shows("  :8 No")
        for line in (":5", ":1", ":999", f":{'9' * 5000}", ":²", ":4"):
            lines.put_nowait(line)
        async with asyncio.timeout(PATIENCE_S):
            while "p2" not in (told := await decisions()):
                await asyncio.sleep(0.05)
        assert told == {"p1": "yes", "p2": "no", "p3": "no"}
        assert "".join(written).count("That request is no longer open.") == 2
    finally:
        lines.put_nowait(":quit")
        async with asyncio.timeout(PATIENCE_S):
            await running
