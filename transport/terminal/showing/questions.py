"""Open questions of the agent in one session, and the words by which a person answers them.

`:q1 colour=red count=3 tags=a,b` answers, `:q1 decline` and `:q1 cancel` do not. A value with
spaces stands in quotes, a choice may be named by its number: `colour=#2`. A form of one field takes
the words as they are. A moment without a zone is one of this machine's zone.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sessions.text.asking import inset, one_line
from transport.terminal.showing.tones import Toned

_YES: Final = frozenset({"yes", "true", "on", "1"})
_NO: Final = frozenset({"no", "false", "off", "0"})
_AGREES: Final = frozenset({"done", "accept"})
_LIMITS: Final = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("minLength", "maxLength", "minItems", "maxItems", "pattern"),
)
_EXAMPLES: Final = {"date": "2026-12-31", "date-time": "2026-12-31T23:59"}


class Questions:
    """The questions that are open, by their numbers; a number is never given twice."""

    def __init__(self) -> None:
        self._open: dict[int, Mapping[str, Any]] = {}
        self._last_number = 0

    def add(self, question: Mapping[str, Any]) -> list[str]:
        """Return the lines of a question; [] for one that has been shown."""
        if any(one["questionId"] == question["questionId"] for one in self._open.values()):
            return []
        self._last_number += 1
        self._open[self._last_number] = question
        return list(_lines(question, self._last_number))

    def close(self, question_id: str) -> None:
        """Forget a question that is answered."""
        self.keep([o["questionId"] for o in self._open.values() if o["questionId"] != question_id])

    def keep(self, question_ids: Collection[str]) -> None:
        """Forget every question but these."""
        self._open = {n: one for n, one in self._open.items() if one["questionId"] in question_ids}

    def reply(self, number: int, words: str) -> dict[str, Any]:
        """Return the answer that words are to a question, as the command `answer` takes it.

        Raises ValueError, with a sentence, for a question that is not open and for odd words.
        """
        question = self._open.get(number)
        if question is None:
            raise ValueError("There is no such question.")
        answer = {"questionId": question["questionId"], "action": words.strip()}
        if "digest" in question:
            answer["digest"] = question["digest"]
        if words.strip() in ("decline", "cancel"):
            return answer
        fields = question["schema"].get("properties", {})
        try:
            values = _values(fields, words)
        except ValueError as exc:
            raise ValueError(f"That is no answer: {exc}.") from exc
        return answer | {"action": "accept", "values": values}


def _values(fields: Mapping[str, Any], words: str) -> dict[str, Any]:
    """Return the values of a form; a field that is left out has its default."""
    values = {name: field["default"] for name, field in fields.items() if "default" in field}
    told: dict[str, list[str]] = {}
    if not words.strip() or (words.strip() in _AGREES and not fields):
        return values
    if len(fields) == 1 and not words.lstrip().startswith(tuple(f"{name}=" for name in fields)):
        # The form has one field: the words are its value.
        told = {name: [words.strip()] for name in fields}
    else:
        for word in shlex.split(words):
            name, sign, text = word.partition("=")
            if not sign:
                raise ValueError(f"{name} has no value")
            told.setdefault(name, []).append(text)
    return values | {name: _value(fields.get(name, {}), texts) for name, texts in told.items()}


def _lines(question: Mapping[str, Any], number: int) -> Iterator[str]:
    yield Toned("asks", f"? [asks] {inset(question['title'])}")
    if question.get("url"):
        yield f"  {one_line(question['url'])}"
    schema = question["schema"]
    if question.get("cut"):
        yield "  The form is too long for a terminal: answer it on the page, or decline."
    for name, field in schema.get("properties", {}).items():
        mark = "*" if name in schema.get("required", ()) else ""
        title = one_line(field.get("title") or name)
        default = f", else {_shown(field['default'])}" if "default" in field else ""
        yield f"  {one_line(name)}{mark} ({_kind(field)}{default}): {title}"
        if field.get("description"):
            yield f"    {inset(field['description'])}"
        yield from _choice_lines(field)
    values = "NAME=VALUE …" if schema.get("properties") else "done"
    yield f"  :q{number} {values}   :q{number} decline   :q{number} cancel"


def _shown(default: Any) -> str:
    """Return a default in the words by which a person would give it."""
    words = {True: "yes", False: "no"}[default] if isinstance(default, bool) else default
    return one_line(",".join(words) if isinstance(words, list) else str(words)) or "nothing"


def _choices(field: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """Return the choices of a field, each with its const and perhaps a title."""
    source = field.get("items", {}) if field["type"] == "array" else field
    plain = [{"const": one} for one in source.get("enum") or ()]
    return list(source.get("oneOf") or source.get("anyOf") or plain)


def _kind(field: Mapping[str, Any]) -> str:
    choices = _choices(field)
    kind = "several of" if field["type"] == "array" else "one of"
    if not choices:
        form = str(field.get("format") or field["type"])
        named = f"{form} as {_EXAMPLES[form]}" if form in _EXAMPLES else form
        limits = [f"{name} {one_line(str(field[name]))}" for name in _LIMITS if name in field]
        return ", ".join(["several" if form == "array" else named, *limits])
    if any(map(_is_explained, choices)):
        return f"{kind} {len(choices)}"
    return f"{kind} {', '.join(one_line(one['const']) for one in choices)}"


def _is_explained(choice: Mapping[str, str]) -> bool:
    """Return whether a choice says more than its own word, or is hard to type."""
    const, title = choice["const"], choice.get("title", "")
    has_spaces = const.split() != [const] or "," in const
    return has_spaces or bool(choice.get("description")) or title.lower() not in ("", const.lower())


def _choice_lines(field: Mapping[str, Any]) -> Iterator[str]:
    choices = _choices(field)
    if any(map(_is_explained, choices)):
        for number, one in enumerate(choices, 1):
            words = [one.get("title") or one["const"], one.get("description", "")]
            yield f"    #{number} {one_line(': '.join(filter(None, words)))}"


def _value(field: Mapping[str, Any], texts: list[str]) -> Any:
    last = texts[-1]
    match field.get("type"):
        case "integer":
            return _number(int, last, "whole number")
        case "number":
            return _number(float, last, "number")
        case "boolean":
            if last.lower() not in _YES | _NO:
                raise ValueError(f"{last} is neither yes nor no")
            return last.lower() in _YES
        case "array":
            consts = {one["const"] for one in _choices(field)}
            parts = [[text] if text in consts else text.split(",") for text in texts]
            return [_chosen(field, one) for part in parts for one in part if one]
    if field.get("format") == "date-time":
        return _moment(last)
    return _chosen(field, last) if field else last


def _number(kind: type[int | float], text: str, name: str) -> int | float:
    try:
        number = kind(text)
        if not math.isfinite(number):
            raise ValueError
    except (ValueError, OverflowError) as exc:
        raise ValueError(f"{text[:100]} is no {name}") from exc
    return number


def _moment(text: str) -> str:
    """Return a moment of RFC 3339; the server says what is wrong with another text."""
    try:
        told = datetime.fromisoformat(text)
        moment = told if told.tzinfo else told.astimezone()
    except (ValueError, OverflowError, OSError):
        return text
    offset = moment.utcoffset() or timedelta()
    return (moment.astimezone(UTC) if offset.seconds % 60 else moment).isoformat()


def _chosen(field: Mapping[str, Any], text: str) -> str:
    """Return a choice by its number behind #, else the text itself."""
    choices = _choices(field)
    number = text.removeprefix("#")
    if text != number and number.isdecimal() and 1 <= int(number[:6]) <= len(choices):
        return choices[int(number[:6]) - 1]["const"]
    return text
