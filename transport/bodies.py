"""The bodies of the commands: strict, in camelCase, with the protocol's fields alone."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictBool
from pydantic.alias_generators import to_camel

from sessions.control.admission.sent import Sent
from sessions.control.worktrees.beginning import Wanted
from sessions.core.clean import clean_text
from sessions.web import validation
from sessions.web.validation import Uuid, one_of

# JavaScript's largest exact integer.
MAX_CURSOR = 2**53 - 1
MAX_SESSIONS = 200
MAX_PROMPTS = 1000
MAX_ATTACHED = 100
MAX_OPTIONS = 50
# The largest number that a row holds.
MAX_VERSION = 2**31 - 2


def _refuse_nul(value: str) -> str:
    # PostgreSQL's text cannot hold it, and no name or path has it.
    if "\x00" in value:
        raise ValueError("must not contain NUL")
    return value


def _cleaned(value: Any) -> Any:
    # A quote may end with half an emoji, which is no text to a length either.
    return clean_text(value) if isinstance(value, str) else value


Cursor = Annotated[int, Field(ge=0, le=MAX_CURSOR)]
Word = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_refuse_nul)]
MessageId = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_refuse_nul)]
Sentence = Annotated[str, Field(max_length=2_000), AfterValidator(_refuse_nul)]
Path = Annotated[str, Field(max_length=4096), AfterValidator(_refuse_nul)]
# A value of a setting of the agent.
Chosen = Annotated[
    Word | StrictBool, one_of("a text of 1 to 200 characters without NUL, or true or false")
]


class Body(validation.Body):
    """A JSON object of known fields, in camelCase."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=False)


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


Branch = Annotated[NewBranch | OldBranch, one_of("{branch, from} or {existing}")]


class Send(Body):
    """A prompt. session_id null begins a session."""

    client_msg_id: MessageId
    session_id: Uuid | None
    text: str
    agent: Word | None = None
    mode: Word | None = None
    cwd: Path | None = None
    project_id: Uuid | None = None
    worktree: Branch | None = None
    options: Annotated[dict[Word, Chosen], Field(max_length=MAX_OPTIONS)] = {}
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

    session_id: Uuid
    turn_id: Word | None = None
    text: str | None = None
    client_msg_id: MessageId | None = None


class OnePrompt(Body):
    """A command about one prompt that waits."""

    session_id: Uuid
    client_msg_id: MessageId


class Edit(OnePrompt):
    """Another text; version: of the text that was edited."""

    text: str
    version: Annotated[int, Field(ge=1, le=MAX_VERSION)]


class Reorder(Body):
    """Another order of waiting prompts."""

    session_id: Uuid
    client_msg_ids: Annotated[list[MessageId], Field(min_length=1, max_length=MAX_PROMPTS)]


class Rewind(Body):
    """A return to a prompt; to: its seq, or that of a return to undo."""

    session_id: Uuid
    to: Annotated[int, Field(ge=1, le=MAX_CURSOR)]
    files: bool = False
    chat: bool = False


class Fork(Body):
    """A chat with the beginning of a session, up to seq at; client_msg_id: names the request."""

    session_id: Uuid
    at: Annotated[int, Field(ge=1, le=MAX_CURSOR)]
    client_msg_id: MessageId | None = None
    worktree: Branch | None = None


class OneSession(Body):
    """A command about one session."""

    session_id: Uuid


class Permission(Body):
    """The answer to a permission request; digest: that of the request which was shown.

    message: a sentence to the agent, beside a denial.
    """

    session_id: Uuid
    perm_id: Word
    option_id: Word
    digest: Word | None = None
    message: Sentence | None = None


class Answer(Body):
    """The answer to a question of the agent; digest: that of the question which was shown."""

    session_id: Uuid
    question_id: Word
    action: Literal["accept", "decline", "cancel"]
    values: dict[str, Any] | None = None
    digest: Word | None = None


class Option(Body):
    """Another value of a setting of the agent."""

    session_id: Uuid
    option_id: Word
    value: Chosen


class Mode(Body):
    """Another mode of the agent."""

    session_id: Uuid
    mode: Word


class Switch(Body):
    """Show another session; null shows none."""

    session_id: Uuid | None


class Place(Body):
    """A client's place in one session; without a cursor, it has nothing yet."""

    session_id: Uuid
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
