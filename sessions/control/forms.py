"""The values of a question's form, checked against its schema. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import jsonschema
from jsonschema.validators import extend
from pydantic_core import SchemaError, SchemaValidator, ValidationError
from pydantic_core import core_schema as cs

from sessions.core.clean import clean
from sessions.core.errors import InvalidRequest

MAX_TEXT_CHARS: Final = 100_000
MAX_ERROR_CHARS: Final = 300


def checked(schema: dict[str, Any], values: Any) -> dict[str, Any]:
    """Return the values of a form that fit its schema; a field that it does not have is refused.

    Raises InvalidRequest, with a sentence for each field that does not fit.
    """
    given = clean(values if values is not None else {})
    if not isinstance(given, dict):
        raise InvalidRequest("The values are not an object.", fields={"values": "not an object"})
    unknown = given.keys() - schema["properties"].keys()
    problems = dict.fromkeys(unknown, "The question has no such field.")
    for error in _Validator(schema, format_checker=_FORMATS).iter_errors(given):
        problems.setdefault(_field_of(error, given), error.message[:MAX_ERROR_CHARS])
    problems |= {n: "Too long." for n, v in given.items() if len(str(v)) > MAX_TEXT_CHARS}
    if problems:
        name, why = next(iter(problems.items()))
        raise InvalidRequest(f"{name}: {why}", fields=problems)
    return given


def _field_of(error: jsonschema.ValidationError, given: dict[str, Any]) -> str:
    if error.absolute_path:
        return str(error.absolute_path[0])
    missing = [name for name in error.schema.get("required", ()) if name not in given]
    return missing[0] if missing else "values"


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
        yield jsonschema.ValidationError(f"It does not match {pattern!r}.")


_Validator: Final = extend(jsonschema.Draft202012Validator, {"pattern": _pattern})
_FORMATS: Final = jsonschema.FormatChecker(("date", "email"))
