"""The chunks of an OpenAI-compatible stream, parsed: endpoints leave fields out or null."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ValidationError, ValidatorFunctionWrapHandler
from pydantic.functional_validators import WrapValidator

MAX_ERROR_CHARS = 500


class OtherForm(Exception):
    """A chunk that is none of the API's; the text names the place."""


class EndpointError(Exception):
    """An error that the endpoint tells inside its stream; the text is the endpoint's."""


def _text(value: Any) -> Any:
    """Return a text: "" for null, the texts of a list of parts."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(part, dict) for part in value):
        return "".join(part["text"] for part in value if isinstance(part.get("text"), str))
    return value


def _object(value: Any) -> Any:
    return {} if value is None else value


def _list(value: Any) -> Any:
    """Return a list without nulls; [] for null."""
    found = [] if value is None else value
    return [item for item in found if item is not None] if isinstance(found, list) else found


def _word(value: Any) -> str | None:
    return None if value is None else str(value)


def _or_none(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Return a field that is not worth an answer's failure, None where it has another form."""
    try:
        return validate(value)
    except ValidationError:
        return None


Text = Annotated[str, BeforeValidator(_text)]
Count = Annotated[int | None, WrapValidator(_or_none)]


class Usage(BaseModel):
    """Tokens, as far as they are told."""

    prompt_tokens: Count = None
    completion_tokens: Count = None


class Delta(BaseModel):
    """A piece of an answer. reasoning: no part of the standard, so under the names in use."""

    content: Text = ""
    reasoning_content: Annotated[str | None, WrapValidator(_or_none)] = None
    reasoning: Annotated[str | None, WrapValidator(_or_none)] = None

    @property
    def thought(self) -> str:
        """The piece of reasoning, "" without one."""
        return self.reasoning_content or self.reasoning or ""


class Choice(BaseModel):
    """One answer of those that were asked for; here it is the only one."""

    delta: Annotated[Delta, BeforeValidator(_object)] = Delta()
    finish_reason: Annotated[str | None, BeforeValidator(_word)] = None


class Chunk(BaseModel):
    """One event of the stream; the last one may have no choices but the usage."""

    choices: Annotated[list[Choice], BeforeValidator(_list)] = []
    usage: Annotated[Usage | None, WrapValidator(_or_none)] = None


def parsed(data: Any) -> Chunk:
    """Return the chunk that an event holds. Raises EndpointError, OtherForm."""
    if isinstance(data, dict) and (data.get("error") or data.get("object") == "error"):
        raise EndpointError(error_text(data))
    try:
        return Chunk.model_validate(data, strict=True)
    except ValidationError as exc:
        place = ".".join(map(str, exc.errors()[0]["loc"])) or "the whole event"
        raise OtherForm(place[:MAX_ERROR_CHARS]) from exc


def error_text(body: Any) -> str:
    """Return the words of an error object, wherever the endpoint puts them."""
    error = body.get("error", body) if isinstance(body, dict) else body
    message = error.get("message") if isinstance(error, dict) else error
    return message[:MAX_ERROR_CHARS] if isinstance(message, str) and message else "no reason given"
