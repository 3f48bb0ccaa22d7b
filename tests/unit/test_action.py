"""The action of a permission request holds all that runs, wherever an agent tells it."""

from __future__ import annotations

import pytest

from sessions.agents.acp.translation.tools.action import action_of, bounded_input, with_title
from sessions.agents.acp.translation.tools.shown import MAX_ITEMS


def test_changes_behind_the_drawn_ones_come_with_the_input() -> None:
    changes = [{"path": f"{number}.py", "newText": "a"} for number in range(MAX_ITEMS + 2)]
    told = action_of({"input": "a patch of many files"}, changes=changes, paths=[], text="")
    assert told["changes"] == changes[MAX_ITEMS:]


@pytest.mark.parametrize("change", [{"oldText": "x", "newText": ""}, {"oldText": "x"}, {}])
def test_a_deletion_comes_with_the_input(change: dict[str, str]) -> None:
    deleted = {"path": "/etc/fstab", **change}
    told = action_of({"reason": "tidy up"}, changes=[deleted], paths=[], text="")
    assert told == {"reason": "tidy up", "changes": [deleted]}


@pytest.mark.parametrize(("path", "is_told"), [("/a/b:12", False), ("/a/b", False), ("b:c", True)])
def test_a_path_is_left_out_only_where_the_input_names_it(path: str, is_told: bool) -> None:
    told = action_of({"file": "/a/b"}, changes=[], paths=[path], text="")
    assert told.get("paths", []) == [path] * is_told


@pytest.mark.parametrize(
    "raw",
    [
        {"source": "~/.ssh/id_rsa", "destination": "/srv/www"},
        {"process_id": 1},
        {"call_id": "all", "turn_id": 2, "command": "hang up"},
        {"call_id": "all", "turn_id": "last"},
    ],
)
def test_no_argument_of_a_tool_is_taken_for_a_note(raw: dict[str, object]) -> None:
    assert bounded_input(raw) == raw


def test_the_notes_of_codex_are_left_out() -> None:
    notes = {"call_id": "c", "turn_id": "t", "source": "agent", "parsed_cmd": [], "process_id": "7"}
    assert bounded_input({"command": ["ls"], "cwd": "/w", **notes}) == {
        "command": ["ls"],
        "cwd": "/w",
    }
    assert bounded_input({"changes": {"a": {}}, **notes}) == {"changes": {"a": {}}}


LONG = "echo " + "x" * 400 + "; rm -rf ~"


@pytest.mark.parametrize(
    ("tool_input", "expected"),
    [
        (None, {"title": LONG}),
        ({"note": "safe"}, {"note": "safe", "title": LONG}),
        ("safe", {"input": "safe", "title": LONG}),
        ({"title": "safe"}, {"title": "safe", "title (told beside the input)": LONG}),
        ({"command": LONG}, {"command": LONG}),
    ],
)
def test_a_title_that_is_cut_comes_with_the_input(tool_input: object, expected: object) -> None:
    assert with_title(tool_input, LONG) == expected


def test_a_long_command_in_the_marks_of_a_title_is_told_once() -> None:
    assert with_title({"command": LONG}, f"`{LONG}`") == {"command": LONG}
