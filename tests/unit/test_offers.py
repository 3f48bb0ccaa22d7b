"""Offers of a hostile agent: what is in each snapshot is bounded in bytes, not in items."""

from __future__ import annotations

from pydantic_core import to_json

from sessions.agents.acp.asking import permissions, questions
from sessions.agents.acp.translation import labels, options, updates
from sessions.agents.port import CommandsOffered
from sessions.runner.agent import offers

# JSON takes six bytes for one of these characters.
LONG = "\x01" * 300


def setting(number: int, values: int) -> dict[str, object]:
    given = [{"value": f"v{n}", "name": LONG, "description": LONG} for n in range(values)]
    group = [{"group": "g", "name": LONG, "options": given}]
    return {"id": f"o{number}", "name": LONG, "type": "select", "currentValue": "v0"} | {
        "category": "model",
        "options": group,
    }


def test_settings_have_a_bound_in_bytes_and_the_first_values_stay():
    told = options.parse([setting(0, 3), *(setting(n, 200) for n in range(1, 50))])
    assert len(to_json(offers.shapes_of(told))) < options.MAX_BYTES
    assert [len(option.choices) for option in told[:1]] == [3]
    assert 0 < len(told[1].choices) < 200
    assert [choice.id for choice in told[1].choices[:2]] == ["v0", "v1"]


def test_the_settings_of_an_honest_agent_are_whole():
    models = [{"value": f"provider/model-{n}", "name": f"Model {n}"} for n in range(200)]
    said = {"id": "model", "name": "Model", "type": "select", "currentValue": "provider/model-1"}
    [told] = options.parse([said | {"options": models}])
    assert len(told.choices) == 200


def test_commands_have_a_bound_in_bytes():
    one = {"description": LONG, "input": {"hint": LONG}}
    told = [{"name": f"c{n}", **one} for n in range(200)]
    [offered] = updates.translate("available_commands_update", {"availableCommands": told})
    assert isinstance(offered, CommandsOffered)
    assert 10 < len(offered.commands) < 200
    assert len(to_json(offered.commands)) < updates.MAX_COMMANDS_BYTES
    honest = [{"name": f"c{n}", "description": "It does this. " * 10} for n in range(200)]
    [offered] = updates.translate("available_commands_update", {"availableCommands": honest})
    assert isinstance(offered, CommandsOffered)
    assert len(offered.commands) == 200


def test_a_request_has_few_options_with_short_ids_and_one_that_rejects():
    told = [{"optionId": f"{n}{LONG}", "name": LONG, "kind": "allow_once"} for n in range(500)]
    offered = permissions.choices(told)
    assert len(offered.options) == permissions.MAX_OPTIONS + 1
    assert offered.options[-1].kind == "reject_once"
    assert offered.own[offered.options[3].id] == f"3{LONG}"
    assert max(len(to_json(option.id)) for option in offered.options) <= labels.MAX_ID_CHARS + 2


def test_an_id_of_wide_characters_is_short_in_bytes_and_the_same_each_time():
    wide = "模" * 60
    assert labels.fits(wide)  # a mode of a session may have it
    assert labels.short_id(wide) == labels.short_id(wide) != labels.short_id(wide + "!")
    assert len(labels.short_id(wide).encode()) < 100
    for odd in ("a\u202eb", "a\x1bb", "a\nb", "half \ud83d"):
        assert not labels.fits(odd)
        assert labels.short_id(odd).isprintable()


def test_an_address_that_cannot_be_shown_whole_is_no_question():
    def asked(url: object) -> object:
        return questions.question("q", {"mode": "url", "message": "Log in", "url": url})

    assert asked("https://example.org/a?b=c") is not None
    for odd in ("https://example.org/\x01", "https://example.org/\u202e", "javascript:1", None):
        assert asked(odd) is None
    assert asked("https://" + "ä" * 1500) is None
