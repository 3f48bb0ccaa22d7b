"""Claude's words as ACP's: questions become a form and its values answers, edits become changes."""

import pytest

from sessions.agents.acp.translation.tools.output import raw_text
from sessions.agents.programs.claude_parts.messages import result_content, servers_of, tool_of
from sessions.agents.programs.claude_parts.questions import answers_of, form_of

COLOUR = {
    "question": "Which colour?",
    "header": "Colour",
    "options": [{"label": "Red", "description": "warm"}, {"label": "Blue"}],
}
SIZES = {"question": "Which sizes?", "multiSelect": True, "options": [{"label": "S"}]}


def test_one_question_is_the_title_of_its_form():
    form = form_of({"questions": [COLOUR]})
    field = form.schema["properties"]["question_0"]
    assert (form.title, field["title"]) == ("Which colour?", "Colour")
    assert [choice["const"] for choice in field["oneOf"]] == ["Red", "Blue"]
    assert "question_0_custom" in form.schema["properties"]


def test_each_of_several_questions_is_told_at_its_field():
    fields = form_of({"questions": [COLOUR, SIZES]}).schema["properties"]
    assert fields["question_0"]["description"] == "Which colour?"
    assert fields["question_1"]["items"] == {
        "anyOf": [{"const": "S", "title": "S", "description": ""}]
    }


@pytest.mark.parametrize(
    ("values", "answers"),
    [
        ({"question_0": "Red"}, {"Which colour?": "Red"}),
        ({"question_0": "Red", "question_0_custom": "dark"}, {"Which colour?": "Red, dark"}),
        ({"question_1": ["S", "M"]}, {"Which sizes?": "S, M"}),
        ({"question_0_custom": "  ", "question_1": []}, {}),
        ({"question_9": "x"}, {}),
    ],
)
def test_values_are_answers_by_the_text_of_their_question(values, answers):
    assert answers_of({"questions": [COLOUR, SIZES]}, values) == answers


@pytest.mark.parametrize("odd", [None, "x", [], [None, {"question": 7}], [{"options": "x"}]])
def test_questions_that_are_none_make_an_empty_form(odd):
    assert form_of({"questions": odd}).schema["properties"] == {}
    assert answers_of({"questions": odd}, {"question_0": "x"}) == {}


@pytest.mark.parametrize(
    ("name", "fields", "changes"),
    [
        ("Write", {"content": "a\n"}, [(None, "a\n")]),
        ("Edit", {"old_string": "a", "new_string": "b"}, [("a", "b")]),
        ("MultiEdit", {"edits": [{"old_string": "a", "new_string": ""}, 7]}, [("a", "")]),
        ("Read", {"content": "a"}, None),
    ],
)
def test_an_edit_shows_its_change_before_the_decision(name, fields, changes):
    tool = tool_of("t", name, {"file_path": "/w/a.txt", **fields})
    told = [(one["oldText"], one["newText"]) for one in tool.get("content", [])]
    assert (told or None) == changes
    assert ("locations" in tool) is (changes is not None)


def test_a_step_of_a_subagent_names_its_call():
    assert tool_of("t", "Bash", {}, "p")["_meta"]["claudeCode"]["parentToolUseId"] == "p"
    assert "parentToolUseId" not in tool_of("t", "Bash", {})["_meta"]["claudeCode"]


def test_an_image_of_a_result_is_an_image():
    source = {"type": "base64", "data": "QQ==", "media_type": "image/png"}
    (item,) = result_content([{"type": "image", "source": source}])
    assert item["content"] == {"type": "image", "data": "QQ==", "mimeType": "image/png"}


def test_bytes_in_a_raw_output_are_no_text():
    blocks = [{"type": "text", "text": "seen"}, {"type": "image", "source": {"data": "QQ=="}}]
    assert raw_text(blocks) == "seen\n[image]"
    assert "QQ==" in raw_text([*blocks, {"other": 1}])


def test_mcp_servers_are_told_in_claudes_words():
    pipe = {"name": "a", "command": "/bin/a", "args": ["-x"], "env": [{"name": "K", "value": "v"}]}
    headers = [{"name": "X-Key", "value": "v"}]
    address = {"type": "http", "name": "b", "url": "https://example.org/", "headers": headers}
    assert servers_of([pipe, address]) == {
        "a": {"command": "/bin/a", "args": ["-x"], "env": {"K": "v"}},
        "b": {"type": "http", "url": "https://example.org/", "headers": {"X-Key": "v"}},
    }
