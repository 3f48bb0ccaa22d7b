"""The values of a question's form, checked against its schema. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

import jsonschema
from jsonschema.validators import extend
from pydantic_core import SchemaError, SchemaValidator, ValidationError
from pydantic_core import core_schema as cs

from sessions.core.clean import clean
from sessions.core.errors import InvalidRequest
from sessions.text import formats

MAX_TEXT_CHARS: Final = 100_000
MAX_ERROR_CHARS: Final = 300
# Of the faults of one answer.
MAX_NAMED: Final = 10
# Beyond it JavaScript has no exact whole numbers.
MAX_INTEGER: Final = 2**53 - 1


def checked(schema: dict[str, Any], values: Any) -> dict[str, Any]:
    """Return the values of a form that fit its schema; a field that it does not have is refused.

    Raises InvalidRequest, with a sentence for each field that does not fit.
    """
    given = clean(values if values is not None else {})
    if not isinstance(given, dict):
        raise InvalidRequest("The values are not an object.", fields={"values": "not an object"})
    fields = schema["properties"]
    problems = dict.fromkeys(given.keys() - fields.keys(), "The question has no such field.")
    known = {name: value for name, value in given.items() if name not in problems}
    problems |= {name: why for name in known if (why := _excess(fields[name], known[name]))}
    known = {name: value for name, value in known.items() if name not in problems}
    for error in _Validator(schema, format_checker=_FORMATS).iter_errors(known):
        for name in _fields_of(error, known):
            problems.setdefault(name, _sentence(error)[:MAX_ERROR_CHARS])
    if problems:
        raise _refused(problems)
    return {name: _whole(fields[name], value) for name, value in given.items()}


def _refused(problems: Mapping[str, str]) -> InvalidRequest:
    """Return the error of some fields, which names the first of them."""
    name, why = next(iter(problems.items()))
    named = dict(islice(problems.items(), MAX_NAMED))
    return InvalidRequest(f"{name}: {why}", fields=named)


def _whole(field: Mapping[str, Any], value: Any) -> Any:
    """Return a value of a whole number as one: JSON's 3.0 is 3 for agents that count."""
    return int(value) if field.get("type") == "integer" else value


def _excess(field: Mapping[str, Any], value: Any) -> str:
    """Return the reason why a value is too much for its field; empty for one that is not."""
    is_whole = field.get("type") == "integer"
    if isinstance(value, int) or (is_whole and isinstance(value, float)):
        return "Too large." if abs(value) > MAX_INTEGER else ""
    return "Too long." if len(str(value)) > MAX_TEXT_CHARS else ""


def _fields_of(error: jsonschema.ValidationError, given: dict[str, Any]) -> list[str]:
    if error.absolute_path:
        return [str(error.absolute_path[0])]
    return [name for name in error.validator_value if name not in given]  # of `required`


def _sentence(error: jsonschema.ValidationError) -> str:
    """Return the reason for a person, without the value."""
    say = _SENTENCES.get(str(error.validator))
    return say(error.validator_value) if say else error.message


def _length(limit: int) -> str:
    return "1 character" if limit == 1 else f"{limit} characters"


_KINDS: Final[Mapping[str, str]] = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
}
_FORMS: Final[Mapping[str, str]] = {
    "email": "an e-mail address",
    "uri": "a whole address, such as https://example.org/",
    "date": "a day, such as 2026-12-31",
    "date-time": "a moment with its zone, such as 2026-12-31T23:59:00+01:00",
}
_NO_CHOICE: Final = "It must be one of the choices."
# By the keyword that a value does not satisfy.
_SENTENCES: Final[Mapping[str, Callable[[Any], str]]] = {
    "required": lambda _names: "A value is needed.",
    "type": lambda kind: f"It must be {_KINDS[kind]}.",
    "format": lambda form: f"It must be {_FORMS[form]}.",
    "pattern": lambda pattern: f"It does not match {pattern!r}.",
    "enum": lambda _choices: _NO_CHOICE,
    "oneOf": lambda _choices: _NO_CHOICE,
    "anyOf": lambda _choices: _NO_CHOICE,
    "minLength": lambda limit: f"It must have at least {_length(limit)}.",
    "maxLength": lambda limit: f"It must have at most {_length(limit)}.",
    "minimum": lambda limit: f"It must be at least {limit}.",
    "maximum": lambda limit: f"It must be at most {limit}.",
    "exclusiveMinimum": lambda limit: f"It must be more than {limit}.",
    "exclusiveMaximum": lambda limit: f"It must be less than {limit}.",
    "minItems": lambda limit: f"Choose at least {limit}.",
    "maxItems": lambda limit: f"Choose at most {limit}.",
}


def _pattern(
    _validator: Any, pattern: str, instance: Any, _schema: Any
) -> Iterator[jsonschema.ValidationError]:
    """Match in time that grows with the text alone: an agent's pattern could take for ever.

    A pattern that this engine does not know allows everything.
    """
    if not isinstance(instance, str):
        return
    try:
        matcher = SchemaValidator(cs.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError:
        return
    try:
        matcher.validate_python(instance)
    except ValidationError:
        yield jsonschema.ValidationError("It does not match.")


def _format_checker() -> jsonschema.FormatChecker:
    checker = jsonschema.FormatChecker(())
    for name, is_fit in formats.CHECKS.items():
        checker.checks(name)(_of_text(is_fit))
    return checker


def _of_text(is_fit: Callable[[str], bool]) -> Callable[[object], bool]:
    """Return a check of a format, which is about texts alone."""
    return lambda value: not isinstance(value, str) or is_fit(value)


_Validator: Final = extend(jsonschema.Draft202012Validator, {"pattern": _pattern})
_FORMATS: Final = _format_checker()
