"""A permission request in words: the table that the page is held to, and the terminal's lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sessions.agents.port import PermissionAsked, PermissionOption
from sessions.eventlog import drafts
from sessions.eventlog.shown import digest_of
from sessions.runner.agent.offer import offered
from sessions.text.asking import Alarm, deed, effect, is_clear, is_known, lines_of_request

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "requests.json").read_text())
ONCE = PermissionOption("yes", "allow_once", "Allow once")
ALWAYS = PermissionOption("ever", "allow_always", "Reject")
NO = PermissionOption("no", "reject_once", "Allow always")
NEVER = PermissionOption("never", "reject_always", "Never")
ODD = PermissionOption("odd", "other", "Proceed")


@pytest.mark.parametrize("row", GOLDEN["actions"], ids=lambda row: str(row["input"]))
def test_an_action_is_known_as_the_page_knows_it(row):
    assert (is_known(row["input"]), is_clear(row["input"])) == (row["isKnown"], row["isClear"])


@pytest.mark.parametrize("row", GOLDEN["options"], ids=lambda row: f"{row['kind']} {row['label']}")
def test_an_option_has_the_effect_of_its_kind(row):
    assert effect(row["kind"], row["label"]) == row["effect"]


@pytest.mark.parametrize("row", GOLDEN["kinds"], ids=lambda row: row["kind"])
def test_a_kind_of_tool_has_words_of_the_program(row):
    assert deed(row["kind"]) == row["deed"]


def lines(details, *, kind="execute"):
    return list(lines_of_request(tool="run", kind=kind, title="List files", details=details))


def test_a_request_begins_with_words_of_the_program():
    assert lines({"command": "ls"}) == ["? [runs a command] run: List files", "  command: ls"]
    assert lines("ls", kind="x")[0] == "? [of an unknown kind] run: List files"


@pytest.mark.parametrize("details", [row["input"] for row in GOLDEN["actions"]])
def test_an_action_that_is_not_known_whole_raises_an_alarm(details):
    alarms = [line for line in lines(details) if isinstance(line, Alarm)]
    assert len(alarms) == (not is_clear(details))


# --- The options -------------------------------------------------------------------------------


def asked(details, *options):
    return PermissionAsked("p", "t", "run", "List files", details, options)


def test_all_options_are_offered_for_an_action_that_is_known():
    options = (ONCE, ALWAYS, NO, NEVER, ODD)
    assert offered(asked({"command": "ls"}, *options)) == options


@pytest.mark.parametrize("details", [None, {}, {"title": "ls"}, {"truncated": "{"}])
def test_kinds_and_not_labels_decide_what_an_unknown_action_offers(details):
    assert offered(asked(details, ONCE, ALWAYS, NO, NEVER, ODD)) == (ONCE, NO)


@pytest.mark.parametrize("options", [(), (ONCE,), (ONCE, NEVER), (ALWAYS, ODD)])
def test_a_request_can_always_be_rejected(options):
    chosen = offered(asked(None, *options))
    assert [option.kind for option in chosen].count("reject_once") == 1
    assert len({option.id for option in chosen}) == len(chosen)


def test_an_id_of_two_options_is_not_offered():
    twice = PermissionOption("no", "allow_always", "No")
    chosen = offered(asked({"command": "ls"}, ONCE, NO, twice))
    assert [option.id for option in chosen] == ["yes", "reject"]
    taken = PermissionOption("reject", "allow_once", "Reject")
    chosen = offered(asked({"command": "ls"}, taken, taken))
    assert [option.id for option in chosen] == ["reject~2"]


# --- The digest --------------------------------------------------------------------------------


def request(**other):
    options = [{"id": "yes", "kind": "allow_once", "label": "Yes"}]
    facts = {"tool_name": "run", "tool_kind": "execute", "title": "", "options": options}
    facts |= {"perm_id": "p1", "tool_input": {"command": "ls", "cwd": "/a"}, "expires_at": "x"}
    return drafts.permission_request(**facts | other).checked().payload


@pytest.mark.parametrize(
    "other",
    [
        {"perm_id": "p2"},
        {"tool_name": "read"},
        {"tool_kind": "read"},
        {"title": "ls"},
        {"tool_input": {"command": "ls ", "cwd": "/a"}},
        {"tool_input": {"command": "ls"}},
        {"tool_input": None},
        {"options": [{"id": "yes", "kind": "allow_always", "label": "Yes"}]},
        {"options": [{"id": "yes", "kind": "allow_once", "label": "No"}]},
        {"options": []},
        {"diffs": [{"path": "a", "oldText": None, "newText": "b"}]},
        {"locations": [{"path": "/etc/passwd"}]},
    ],
)
def test_a_digest_changes_with_everything_that_is_shown(other):
    assert digest_of(request(**other)) != digest_of(request())


def test_a_digest_is_that_of_the_event_in_the_log():
    before = request(tool_input={"cwd": "/a", "command": "ls"}, expires_at="y")
    assert digest_of(before) == digest_of(request())
    odd = request(tool_input={"command": "a\x00b\ud83d"})
    assert digest_of(json.loads(json.dumps(odd))) == digest_of(odd)
