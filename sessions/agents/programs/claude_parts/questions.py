"""The questions of Claude's tool → a form, and its values → answers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sessions.agents.programs.stdio import Json

OWN_WORDS: Final = "Other"
TITLE: Final = "Claude has questions."


@dataclass(frozen=True, slots=True)
class Form:
    """A question: its title and the schema of its values."""

    title: str
    schema: Json


def form_of(arguments: Json) -> Form:
    """Return the form of a call: for each question its choices, and a field for other words."""
    asked = questions_of(arguments)
    fields: Json = {}
    for number, question in enumerate(asked):
        fields[f"question_{number}"] = _field(question, is_alone=len(asked) == 1)
        fields[f"question_{number}_custom"] = {"type": "string", "title": OWN_WORDS}
    title = _text(asked[0], "question") if len(asked) == 1 else ""
    return Form(title or TITLE, {"type": "object", "properties": fields})


def answers_of(arguments: Json, values: Json) -> dict[str, str]:
    """Return the answers by the text of their question; one without an answer is left out."""
    answers = {}
    for number, question in enumerate(questions_of(arguments)):
        chosen, own = values.get(f"question_{number}"), values.get(f"question_{number}_custom")
        labels = chosen if isinstance(chosen, list) else [chosen]
        words = [word for word in (*labels, own) if isinstance(word, str) and word.strip()]
        if words:
            answers[_text(question, "question")] = ", ".join(words)
    return answers


def questions_of(arguments: Json) -> list[Json]:
    """Return the questions of a call that are some."""
    told = arguments.get("questions")
    found = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    return [one for one in found if _text(one, "question")]


def _field(question: Json, *, is_alone: bool) -> Json:
    told = question.get("options")
    options = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    choices = [_choice(one) for one in options if _text(one, "label")]
    heading = _text(question, "header")
    words = {"title": heading or _text(question, "question")}
    if not is_alone and heading:
        words["description"] = _text(question, "question")
    if question.get("multiSelect") is True:
        return {"type": "array", "items": {"anyOf": choices}, **words}
    return {"type": "string", "oneOf": choices, **words}


def _choice(option: Json) -> Json:
    name = _text(option, "label")
    return {"const": name, "title": name, "description": _text(option, "description")}


def _text(fields: Json, name: str) -> str:
    value: Any = fields.get(name)
    return value if isinstance(value, str) else ""
