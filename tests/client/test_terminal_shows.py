"""The terminal shows changes of files and questions, and turns words into answers."""

from typing import Any

import pytest

from sessions.text.diff import counts, difference
from transport.terminal.showing.screen import Screen

SCHEMA = {
    "type": "object",
    "properties": {
        "colour": {"type": "string", "oneOf": [{"const": "red", "title": "Red"}]},
        "count": {"type": "integer"},
        "share": {"type": "number"},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
        "sure": {"type": "boolean"},
    },
    "required": ["colour"],
}


@pytest.fixture
def shown() -> list[str]:
    return []


@pytest.fixture
def screen(shown: list[str]) -> Screen:
    screen = Screen(shown.append)
    screen.open("s")
    return screen


def show(screen: Screen, kind: str, **fields: Any) -> None:
    screen.show({"type": kind, "sessionId": "s", **fields})


def ask(screen: Screen, question_id: str = "q") -> None:
    question = {"questionId": question_id, "title": "Which?\n:1 Yes", "schema": SCHEMA}
    show(screen, "question_asked", **question)


def test_a_question_is_shown_with_its_fields_and_cannot_pass_for_a_line_of_the_program(
    screen: Screen, shown: list[str]
) -> None:
    ask(screen)
    assert "".join(shown).splitlines() == [
        "? [asks] Which?",
        "  | :1 Yes",
        "  colour* (one of red): colour",
        "  count (integer): count",
        "  share (number): share",
        "  tags (several of a, b): tags",
        "  sure (boolean): sure",
        "  :q1 NAME=VALUE …   :q1 decline   :q1 cancel",
    ]


@pytest.mark.parametrize(
    ("has_colours", "line"),
    [(True, "[completed] \x1b[32mPASS\x1b[0m 100 %\n"), (False, "[completed] PASS 100 %\n")],
)
def test_an_output_has_its_colours_and_moves_nothing(
    shown: list[str], line: str, *, has_colours: bool
) -> None:
    screen = Screen(shown.append, has_colours=has_colours)
    screen.open("s")
    text = "10 %\r\x1b[32mPASS\x1b[0m 100 %\x1b[2J\x1b]0;title\x07"
    show(screen, "tool_result", toolId="t", status="completed", content=text)
    assert "".join(shown) == line


def test_words_are_values_of_the_types_of_the_form(screen: Screen) -> None:
    ask(screen)
    words = "colour='dark red' count=3 share=0.5 tags=a,b sure=yes"
    values = {"colour": "dark red", "count": 3, "share": 0.5, "tags": ["a", "b"], "sure": True}
    accepted = {"questionId": "q", "action": "accept", "values": values}
    assert screen.questions.reply(1, words) == accepted
    assert screen.questions.reply(1, "decline") == {"questionId": "q", "action": "decline"}
    for odd in ("count=many", "colour='"):
        with pytest.raises(ValueError, match="no answer"):
            screen.questions.reply(1, odd)


def test_an_answer_names_the_digest_of_the_question_that_was_shown(screen: Screen) -> None:
    show(screen, "question_asked", questionId="q", title="Which?", schema=SCHEMA, digest="d1")
    assert screen.questions.reply(1, "cancel")["digest"] == "d1"
    assert screen.questions.reply(1, "count=3")["digest"] == "d1"


@pytest.mark.parametrize("end", ["question_answered", "turn_end"])
def test_a_number_is_never_given_to_another_question(screen: Screen, end: str) -> None:
    ask(screen)
    answered = {"questionId": "q", "action": "cancel", "reason": "interrupted"}
    show(screen, end, **answered, turnId="t", stopReason="end_turn")
    ask(screen, "q2")
    with pytest.raises(ValueError, match="no such question"):
        screen.questions.reply(1, "decline")
    assert screen.questions.reply(2, "decline")["questionId"] == "q2"


def test_a_change_is_shown_with_signs_before_the_decision(screen: Screen, shown: list[str]) -> None:
    show(
        screen,
        "permission_request",
        permId="p",
        toolName="Edit",
        toolKind="edit",
        title="Edit",
        input={"path": "a"},
        options=[{"id": "y", "kind": "allow_once", "label": "Yes"}],
        diffs=[{"path": "a", "oldText": "one\ntwo\n", "newText": "one\nzwei\x1b[2J\n", "cut": 7}],
    )
    text = "".join(shown)
    assert "  a +1 -1\n" in text
    assert "  | -two\n" in text
    assert "  | +zwei" in text
    assert "\x1b" not in text
    assert "7 characters are left out" in text
    assert text.index("-two") < text.index(":1 Yes")


def test_a_plan_is_drawn_as_markdown_before_the_decision(screen: Screen, shown: list[str]) -> None:
    show(
        screen,
        "permission_request",
        permId="p",
        toolName="ExitPlanMode",
        toolKind="switch_mode",
        title="Approve the plan?",
        input={"plan": "# Steps\n\n1. **Mend** it\n2. Test\x1b[2J it"},
        options=[{"id": "y", "kind": "allow_once", "label": "Yes"}],
    )
    text = "".join(shown)
    assert "plan:" not in text
    assert "did not say" not in text
    assert "\x1b" not in text
    assert text.index("Steps") < text.index("Mend") < text.index(":1 Yes")


def test_a_large_change_is_told_as_replaced_and_takes_no_time() -> None:
    old = "\n".join(str(number) for number in range(50_000))
    lines = difference(old, old.replace("1", "2"))
    assert counts(lines) == "+50000 -50000"
    assert counts(difference(None, "a\nb\n")) == "+2 -0"
