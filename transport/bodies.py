"""The bodies of the commands: strict, in camelCase, with the protocol's fields alone."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool
from pydantic.alias_generators import to_camel

from sessions.control.admission.sent import Sent
from sessions.control.worktrees.beginning import Wanted
from sessions.core.clean import clean_text

# JavaScript's largest exact integer.
MAX_CURSOR = 2**53 - 1
MAX_SESSIONS = 200
MAX_PROMPTS = 1000
MAX_ATTACHED = 100
MAX_OPTIONS = 50
# The largest number that a row holds.
MAX_VERSION = 2**31 - 2


def _parse_uuid(value: Any) -> Any:
    if isinstance(value, str) and len(value) == 36:
        try:
            return UUID(value)
        except ValueError:
            pass
    raise ValueError("must be an id")


def _refuse_nul(value: str) -> str:
    # PostgreSQL's text cannot hold it, and no name or path has it.
    if "\x00" in value:
        raise ValueError("must not contain NUL")
    return value


def _cleaned(value: Any) -> Any:
    # A quote may end with half an emoji, which is no text to a length either.
    return clean_text(value) if isinstance(value, str) else value


SessionId = Annotated[UUID, BeforeValidator(_parse_uuid)]
ProjectId = Annotated[UUID, BeforeValidator(_parse_uuid)]
Cursor = Annotated[int, Field(ge=0, le=MAX_CURSOR)]
Word = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_refuse_nul)]
MessageId = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_refuse_nul)]
Sentence = Annotated[str, Field(max_length=2_000), AfterValidator(_refuse_nul)]
Path = Annotated[str, Field(max_length=4096), AfterValidator(_refuse_nul)]


class Body(BaseModel):
    """A JSON object of known fields; a string is never taken for a number."""

    model_config = ConfigDict(
        extra="forbid", strict=True, alias_generator=to_camel, validate_by_name=False
    )


class Attachment(Body):
    """A file that was uploaded, with the name that a person gave it."""

    blob: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    name: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_refuse_nul)]


class NewBranch(Body):
    """A worktree with a new branch, from another branch or a commit; without one, from HEAD."""

    branch: Word
    start: Annotated[Word | None, Field(alias="from")] = None

    @property
    def wanted(self) -> Wanted:
        """The worktree to make."""
        return Wanted(self.branch, self.start or "")


class OldBranch(Body):
    """A worktree with a branch that exists."""

    existing: Word

    @property
    def wanted(self) -> Wanted:
        """The worktree to make."""
        return Wanted(self.existing, None)


class Send(Body):
    """A prompt. session_id null begins a session."""

    client_msg_id: MessageId
    session_id: SessionId | None
    text: str
    agent: Word | None = None
    mode: Word | None = None
    cwd: Path | None = None
    project_id: ProjectId | None = None
    worktree: NewBranch | OldBranch | None = None
    options: Annotated[dict[Word, Word | StrictBool], Field(max_length=MAX_OPTIONS)] = {}
    attachments: Annotated[list[Attachment], Field(max_length=MAX_ATTACHED)] = []
    mentions: Annotated[list[Path], Field(max_length=MAX_ATTACHED)] = []

    def sent_by(self, user: AbstractBaseUser) -> Sent:
        """Return the prompt of a user."""
        return Sent(
            user=user,
            client_msg_id=self.client_msg_id,
            session_id=self.session_id,
            text=self.text,
            agent=self.agent,
            mode=self.mode,
            cwd=self.cwd,
            project_id=self.project_id,
            options=self.options,
            worktree=self.worktree.wanted if self.worktree else None,
            files=tuple((each.blob, each.name) for each in self.attachments),
            mentions=tuple(self.mentions),
        )


class Draft(Body):
    """The text that a person is writing. version: of the draft that the writer has seen."""

    text: str
    version: Annotated[int, Field(ge=0, le=MAX_CURSOR)] | None = None


class LineComment(Body):
    """A comment on a line of a file: the line as it was shown, and the words of the person."""

    path: Path
    line: Annotated[int, Field(ge=1, le=MAX_VERSION)]
    is_old: StrictBool = False
    quote: Annotated[str, BeforeValidator(_cleaned), Field(max_length=500)] = ""
    text: Annotated[str, BeforeValidator(_cleaned), Field(max_length=4_000)]


class Read(Body):
    """The last seq that a person has seen."""

    seq: Cursor


class Pin(Body):
    """Whether the chat stands before the others."""

    pinned: bool = True


class Interrupt(Body):
    """Stop the running turn, or none but turn_id; text is a prompt to go on with.

    client_msg_id without a text: a waiting prompt to go on with.
    """

    session_id: SessionId
    turn_id: Word | None = None
    text: str | None = None
    client_msg_id: MessageId | None = None


class OnePrompt(Body):
    """A command about one prompt that waits."""

    session_id: SessionId
    client_msg_id: MessageId


class Edit(OnePrompt):
    """Another text; version: of the text that was edited."""

    text: str
    version: Annotated[int, Field(ge=1, le=MAX_VERSION)]


class Reorder(Body):
    """Another order of waiting prompts."""

    session_id: SessionId
    client_msg_ids: Annotated[list[MessageId], Field(min_length=1, max_length=MAX_PROMPTS)]


class Rewind(Body):
    """A return to a prompt; to: its seq, or that of a return to undo."""

    session_id: SessionId
    to: Annotated[int, Field(ge=1, le=MAX_CURSOR)]
    files: bool = False
    chat: bool = False


class Fork(Body):
    """A chat with the beginning of a session, up to seq at; client_msg_id: names the request."""

    session_id: SessionId
    at: Annotated[int, Field(ge=1, le=MAX_CURSOR)]
    client_msg_id: MessageId | None = None
    worktree: NewBranch | OldBranch | None = None


class OneSession(Body):
    """A command about one session."""

    session_id: SessionId


class Permission(Body):
    """The answer to a permission request; digest: that of the request which was shown.

    message: a sentence to the agent, beside a denial.
    """

    session_id: SessionId
    perm_id: Word
    option_id: Word
    digest: Word | None = None
    message: Sentence | None = None


class Answer(Body):
    """The answer to a question of the agent; digest: that of the question which was shown."""

    session_id: SessionId
    question_id: Word
    action: Literal["accept", "decline", "cancel"]
    values: dict[str, Any] | None = None
    digest: Word | None = None


class Option(Body):
    """Another value of a setting of the agent."""

    session_id: SessionId
    option_id: Word
    value: Word | bool


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
