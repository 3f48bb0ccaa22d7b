"""The bodies of requests, and their faults as the sender gets them: few, and each one short."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, WrapValidator
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

from sessions.core.errors import InvalidRequest

MAX_NAMED: Final = 10
MAX_NAME_CHARS: Final = 60
MAX_FAULT_CHARS: Final = 200
UUID_CHARS: Final = 36
# Before the words of a check of our own.
_OURS: Final = "Value error, "
# Where a fault of a key, not of its value, ends.
_OF_KEY: Final = "[key]"


def _parse_id(value: Any) -> Any:
    if isinstance(value, str) and len(value) == UUID_CHARS:
        try:
            return UUID(value)
        except ValueError:
            pass
    raise ValueError("must be an id")


Uuid = Annotated[UUID, BeforeValidator(_parse_id)]


class Body(BaseModel):
    """A JSON object of known fields; a value of another type is refused, not converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


def one_of(kinds: str) -> WrapValidator:
    """Return the rule of a field of several kinds: one fault under its own name, not one of each.

    kinds: a text about the values that fit, such as "a text, or true or false".
    """

    def checked(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
        try:
            return check(value)
        except ValidationError as exc:
            raise ValueError(f"must be {kinds}") from exc

    return WrapValidator(checked)


def invalid_request(faults: Iterable[Mapping[str, Any]]) -> InvalidRequest:
    """Return the error that names the first faults by their fields.

    faults: with `loc` and `msg`, as pydantic gives them.
    """
    fields: dict[str, str] = {}
    more = 0
    for fault in faults:
        name = _cut(_field(fault["loc"]), MAX_NAME_CHARS)
        if len(fields) < MAX_NAMED or name in fields:
            fields[name] = _cut(str(fault["msg"]).removeprefix(_OURS), MAX_FAULT_CHARS)
        else:
            more += 1
    sentence = "; ".join(f"{name}: {problem}" for name, problem in fields.items())
    return InvalidRequest(f"{sentence}{f'; and {more} more' if more else ''}.", fields=fields)


def _field(loc: Iterable[int | str]) -> str:
    """Return the last name of a fault's place."""
    names = [part for part in loc if isinstance(part, str) and part not in ("", _OF_KEY)]
    return names[-1] if names else "body"


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else f"{text[: chars - 1]}…"
