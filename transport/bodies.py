"""The bodies of the commands: strict, in camelCase, with the protocol's fields alone."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

# JavaScript's largest exact integer.
MAX_CURSOR = 2**53 - 1
MAX_SESSIONS = 200


def _parse_uuid(value: Any) -> Any:
    if isinstance(value, str) and len(value) == 36:
        try:
            return UUID(value)
        except ValueError:
            pass
    raise ValueError("must be a session id")


def _refuse_nul(value: str) -> str:
    # PostgreSQL's text cannot hold it, and no name or path has it.
    if "\x00" in value:
        raise ValueError("must not contain NUL")
    return value


SessionId = Annotated[UUID, BeforeValidator(_parse_uuid)]
Cursor = Annotated[int, Field(ge=0, le=MAX_CURSOR)]
Word = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_refuse_nul)]
MessageId = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_refuse_nul)]
Path = Annotated[str, Field(max_length=4096), AfterValidator(_refuse_nul)]


class Body(BaseModel):
    """A JSON object of known fields; a string is never taken for a number."""

    model_config = ConfigDict(
        extra="forbid", strict=True, alias_generator=to_camel, validate_by_name=False
    )


class Send(Body):
    """A prompt. session_id null begins a session."""

    client_msg_id: MessageId
    session_id: SessionId | None
    text: str
    agent: Word | None = None
    mode: Word | None = None
    cwd: Path | None = None


class Interrupt(Body):
    """Stop the running turn, or none but turn_id; text is a prompt to go on with."""

    session_id: SessionId
    turn_id: Word | None = None
    text: str | None = None
    client_msg_id: MessageId | None = None


class OneSession(Body):
    """A command about one session."""

    session_id: SessionId


class Permission(Body):
    """The answer to a permission request."""

    session_id: SessionId
    perm_id: Word
    option_id: Word


class Mode(Body):
    """Another mode of the agent."""

    session_id: SessionId
    mode: Word


class Switch(Body):
    """Show another session; null shows none."""

    session_id: SessionId | None


class Place(Body):
    """A client's place in one session; without a cursor, it has nothing yet."""

    session_id: SessionId
    cursor: Cursor | None = None


class Places(Body):
    """Where a client is in several sessions."""

    sessions: Annotated[list[Place], Field(max_length=MAX_SESSIONS)]

    def cursors(self) -> dict[UUID, int | None]:
        """Return the cursor of each session; of one that is named twice, the last."""
        return {place.session_id: place.cursor for place in self.sessions}


class Beacon(Places):
    """A suspend; a beacon cannot carry headers, so it may name its connection here."""

    connection_id: str | None = Field(default=None, max_length=100)


class Probe(Body):
    """A nonce that comes back over the stream."""

    nonce: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_refuse_nul)]
