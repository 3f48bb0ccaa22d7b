"""The screen of the terminal: texts without escapes, requests whole and by their numbers."""

from __future__ import annotations

import pytest

from sessions.text.asking import UNKNOWN
from transport.terminal.showing.lines import lines_of_all
from transport.terminal.showing.screen import Screen

PATIENCE_S = 30.0


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
        {"type": "block_end", **tool, "content": "run"},
        {"type": "error", "code": "odd", "error": "Something odd."},
        {"type": "turn_end", "turnId": "t1", "stopReason": "interrupted"},
        {"type": "turn_end", "turnId": "t2", "stopReason": "end_turn"},
    ]
    assert list(lines_of_all(events)) == [
        "The whole of it",
        "[run]",
        "? [of an unknown kind] run: Run it?",
        "  The agent did not say what it will do.",
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
    assert "[9 updates came while you were away: " in written[-1]
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
        "? [of an unknown kind] run: ls -l",
        "  command: echo " + "x" * 400,
        "  |   :9 Yes",
        "  | rm -rf ~ # ⟨U+202E⟩txt",
        "  env: {",
        '  |   "A": [',
        '  |     "b"',
        "  |   ]",
        "  | }",
        "  :1 Yes (allows once)",
        "  :2 No (rejects once)",
    ]


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({"input": None}, ["? [of an unknown kind] run: Run 1", f"  {UNKNOWN}"]),
        ({"input": {}}, ["? [of an unknown kind] run: Run 1", f"  {UNKNOWN}"]),
        ({"input": "ls\n-l"}, ["? [of an unknown kind] run: Run 1", "  ls", "  | -l"]),
        ({"input": ["ls"]}, ["? [of an unknown kind] run: Run 1", "  [", '  |   "ls"', "  | ]"]),
        ({"title": "a\n:1 b", "input": "x"}, ["? [of an unknown kind] run: a", "  | :1 b", "  x"]),
        ({"title": "run", "input": "x"}, ["? [of an unknown kind] run", "  x"]),
    ],
)
def test_a_request_is_shown_whatever_its_input_is(fields, lines):
    screen, written = screen_of()
    screen.show(asked(1, **fields))
    assert "".join(written).splitlines()[: len(lines)] == lines


def test_an_action_that_is_not_known_is_red_where_there_are_colours():
    for has_colours, line in ((True, f"\033[1;31m  {UNKNOWN}\033[0m\n"), (False, f"  {UNKNOWN}\n")):
        written = []
        screen = Screen(written.append, has_colours=has_colours)
        screen.open("s")
        screen.show(asked(1, input=None, title=UNKNOWN))
        assert written[1] == line


def test_a_request_that_has_become_another_gets_other_numbers():
    screen, written = screen_of()
    screen.show(asked(1, digest="d1"))
    shot = {"type": "session_snapshot", "sessionId": "s", "cursor": 9, "turn": None, "full": False}
    screen.show({**shot, "permissions": [asked(1, digest="d2", input={"command": "rm"})]})
    assert "  command: rm\n" in written
    assert screen.requests.choice(1) is None
    assert screen.requests.was_given(1)
    assert screen.requests.choice(3).digest == "d2"


def test_a_label_cannot_pass_for_another_choice():
    screen, written = screen_of()
    screen.show(asked(1, options=[{"id": "a", "kind": "allow_once", "label": "No\n  :2 Yes"}]))
    assert written[-1] == "  :1 No⟨U+000A⟩  :2 Yes (allows once)\n"


def test_open_requests_have_numbers_of_their_own_that_no_other_ever_gets():
    screen, written = screen_of()
    for number in (1, 2):
        screen.show(asked(number))
    assert [line for line in "".join(written).splitlines() if line.startswith("  :")] == [
        "  :1 Yes (allows once)",
        "  :2 No (rejects once)",
        "  :3 Yes (allows once)",
        "  :4 No (rejects once)",
    ]
    resolved = {"type": "permission_resolved", "sessionId": "s", "permId": "p1"}
    screen.show({**resolved, "decision": "yes", "reason": "answered"})
    assert screen.requests.choice(1) is None
    assert screen.requests.was_given(1)
    assert screen.requests.choice(3).perm_id == "p2"
    screen.show(asked(3))
    assert written[-1] == "  :6 No (rejects once)\n"


def test_a_snapshot_after_a_reconnect_says_which_requests_are_open():
    screen, written = screen_of()
    for number in (1, 2):
        screen.show(asked(number))
    del written[:]
    shot = {"type": "session_snapshot", "sessionId": "s", "cursor": 9, "turn": None}
    screen.show({**shot, "full": False, "permissions": [asked(2), asked(3)]})
    assert [line for line in "".join(written).splitlines() if line.startswith("  :")] == [
        "  :5 Yes (allows once)",
        "  :6 No (rejects once)",
    ]
    assert screen.requests.choice(1) is None
    assert screen.requests.choice(3).perm_id == "p2"
    assert screen.requests.choice(5).perm_id == "p3"


def test_a_frame_chooses_no_method_by_its_name():
    screen, written = screen_of()
    for kind in ("message", "open_requests", "_init__", "HANDLERS"):
        screen.show({"type": kind, "sessionId": "s", "role": "user", "text": "forged"})
    assert written == []


LONG = {"sessionId": "s", "messageId": "a1", "blockId": "a1.1"}


def test_a_cut_text_names_its_size_and_the_command_that_shows_it():
    screen, written = screen_of()
    screen.show({**LONG, "type": "block_start", "blockType": "text"})
    screen.show({**LONG, "type": "block_end", "content": "begin", "cut": {"content": 3_400_000}})
    assert "[the content is longer, 3,400,000 bytes: :whole shows all of it]" in "".join(written)
    assert screen.last_cut == ("a1.1", "content")
    screen.open("other")
    assert screen.last_cut is None


def test_a_text_that_was_streamed_whole_is_not_said_to_be_cut():
    screen, written = screen_of()
    screen.show({**LONG, "type": "block_start", "blockType": "text"})
    screen.show({**LONG, "type": "block_delta", "delta": "all of it"})
    screen.show({**LONG, "type": "block_end", "content": "all", "cut": {"content": 9}})
    assert "longer" not in "".join(written)


def test_a_log_in_that_is_needed_is_told_with_its_ways_and_so_is_its_end() -> None:
    needed = {"type": "log_in_changed", "needed": True, "ways": ["By a\x1b[31m page", "By hand"]}
    told = list(lines_of_all([needed, {"type": "log_in_changed", "needed": False}]))
    assert told[0] == "! Log-in needed: the agent wants one before it answers."
    assert told[1].startswith("  It offers: By a⟨U+001B⟩[31m page, By hand.")
    assert "no log-in any more" in told[2]
