"""The port: the calls of the runner to any coding agent, and the typed updates that come back.

Every backend keeps three promises, and one contract suite (tests/agents/contract.py) checks them on
each:

- a turn that `send` began ends with exactly one `TurnDone`, whatever the agent does;
- `AgentExited` comes at most once, is the last update, and ends the iterator;
- `interrupt` and `close` never raise and come back within the time they were given.

Texts of updates can be encoded and hold no NUL: backends clean them where they read them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from sessions.agents.content import NOTHING, AgentCommand, ConfigOption, Shown
from sessions.agents.processes.group import AgentProcess
from sessions.agents.ways import Method

StopReason = Literal["end_turn", "interrupted", "max_tokens", "refusal", "error", "agent_crashed"]
ToolStatus = Literal["completed", "failed", "cancelled", "rejected"]  # cancelled: by the turn's end

# The kinds of options that reject.
REJECTS: Final = frozenset({"reject_once", "reject_always"})


class AgentError(Exception):
    """The agent failed at a request; the text is a sentence for a person."""


class AgentStartFailed(AgentError):
    """No agent came up: command missing, not logged in, wrong answer, too slow."""


class LogInNeeded(AgentStartFailed):
    """The agent opens no session before a log-in. ways: those that it offers."""

    def __init__(self, error: str, ways: tuple[Method, ...]) -> None:
        super().__init__(error)
        self.ways = ways


class AgentBusy(AgentError):
    """A turn is open; an agent takes one prompt at a time."""


class AgentGone(AgentError):
    """The agent's process has ended or was never started."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One way of working that an agent offers, such as ask, auto or plan."""

    id: str
    label: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Abilities of a backend: before `start` the possible ones, afterwards its own."""

    can_resume: bool = False
    modes: tuple[Mode, ...] = ()
    takes_images: bool = False
    takes_texts: bool = False


@dataclass(frozen=True, slots=True)
class Attached:
    """A file of a prompt: its bytes or its text for an agent that takes such, else its place."""

    name: str
    mime: str
    size: int | None
    data: bytes | None = field(default=None, repr=False)
    path: Path | None = None
    text: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Started:
    """Answer to `start`.

    agent_session_id: for `resume` of a later start; None: there is nothing to resume. mode_error: a
    sentence for a person when the agent is in another mode than the one it was started with.
    memory_error: likewise, when the agent does not remember all of the chat.
    """

    agent_session_id: str | None
    modes: tuple[Mode, ...] = ()
    mode: str | None = None
    resumed: bool = False
    is_forked: bool = False  # it has copied the session that `resume` named
    options: tuple[ConfigOption, ...] = ()
    commands: tuple[AgentCommand, ...] = ()
    mode_error: str | None = None
    memory_error: str | None = None
    takes_images: bool = False
    takes_texts: bool = False
    servers: tuple[str, ...] = ()  # the names of the MCP servers that it was given


class InterruptCode(StrEnum):
    """Outcome of an interrupt. Only ACKNOWLEDGED means that the turn has ended."""

    ACKNOWLEDGED = "acknowledged"
    NOT_RUNNING = "not_running"
    DEAD = "dead"
    TIMED_OUT = "timed_out"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class InterruptResult:
    """Answer to `interrupt`; error is the agent's own text when it refused."""

    code: InterruptCode
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer. parent: the tool call of the subagent that says it."""

    text: str
    parent: str = ""


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """A piece of reasoning. parent: the tool call of the subagent that thinks it."""

    text: str
    parent: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call as it stands now: sent again, whole, under the same tool_id when it changes."""

    tool_id: str
    name: str
    kind: str = "other"
    title: str = ""
    input: Any = None
    parent: str = ""


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """A piece of a tool's output while it runs; its end has all of it."""

    tool_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ToolDone:
    """The end of a tool call. content: its output as text; a later one replaces an earlier one."""

    tool_id: str
    status: ToolStatus
    content: str = ""
    shown: Shown = NOTHING


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """One step. status: pending, in_progress, completed; priority: high, medium, low."""

    text: str
    status: str = "pending"
    priority: str = "medium"


@dataclass(frozen=True, slots=True)
class PlanUpdate:
    """The whole plan as it stands now."""

    entries: tuple[PlanEntry, ...]


@dataclass(frozen=True, slots=True)
class PermissionOption:
    """One answer to a request. label: the agent's own word, which may say anything.

    kind: allow_once, allow_always, reject_once, reject_always, or other for an unknown one.
    """

    id: str
    kind: str
    label: str


@dataclass(frozen=True, slots=True)
class PermissionAsked:
    """The agent waits for `answer(perm_id, …)`. Open ones are void after TurnDone.

    input: the whole action, as far as the agent told it. None: it told no action. At least one of
    the options rejects.
    """

    perm_id: str
    tool_id: str
    tool_name: str
    title: str
    input: Any
    options: tuple[PermissionOption, ...]
    tool_kind: str = "other"
    shown: Shown = NOTHING
    parent: str = ""


@dataclass(frozen=True, slots=True)
class PermissionClosed:
    """The agent no longer wants an answer to its request."""

    perm_id: str


Action = Literal["accept", "decline", "cancel"]


@dataclass(frozen=True, slots=True)
class QuestionAsked:
    """The agent waits for `reply(question_id, …)`. Open ones are void after TurnDone.

    schema: of the values, JSON Schema of an object. url: a page to visit in place of a form.
    """

    question_id: str
    title: str
    schema: dict[str, Any]
    url: str | None = None


@dataclass(frozen=True, slots=True)
class QuestionClosed:
    """The agent no longer wants an answer to its question."""

    question_id: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and costs of one turn, at most one per turn. context_window: its size in tokens."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    context_window: int | None = None


@dataclass(frozen=True, slots=True)
class ModeChanged:
    """The agent itself went over to another mode; comes in a turn or outside."""

    mode: str


@dataclass(frozen=True, slots=True)
class TitleChanged:
    """The agent named the session; comes in a turn or outside."""

    title: str


@dataclass(frozen=True, slots=True)
class ContextFill:
    """How full the model's context is, in tokens; comes in a turn or outside."""

    used: int
    size: int


@dataclass(frozen=True, slots=True)
class OptionsOffered:
    """The settings of the agent, all of them as they are now; comes in a turn or outside."""

    options: tuple[ConfigOption, ...]


@dataclass(frozen=True, slots=True)
class CommandsOffered:
    """The commands of the agent, all of them; comes in a turn or outside."""

    commands: tuple[AgentCommand, ...]


@dataclass(frozen=True, slots=True)
class AgentNotice:
    """A word of the agent about itself, such as that it compacted its context."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence for the person, such as that a message of the agent was left out."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class TurnDone:
    """The end of the turn; error is a sentence for a person. is_own: of one that TurnBegan."""

    stop_reason: StopReason
    error: str | None = None
    is_own: bool = False
    log_in: tuple[Method, ...] | None = None  # the ways, where the agent wants one first


@dataclass(frozen=True, slots=True)
class TurnBegan:
    """The agent continues by itself: a turn begins that no prompt asked for."""


@dataclass(frozen=True, slots=True)
class AgentExited:
    """No process of the agent is alive any more. exit_code: negative is a signal, None unknown."""

    exit_code: int | None
    error: str | None = None


Update = (
    TextDelta
    | ThinkingDelta
    | ToolCall
    | ToolOutput
    | ToolDone
    | PlanUpdate
    | PermissionAsked
    | PermissionClosed
    | QuestionAsked
    | QuestionClosed
    | Usage
    | ContextFill
    | ModeChanged
    | OptionsOffered
    | CommandsOffered
    | TitleChanged
    | AgentNotice
    | Notice
    | TurnBegan
    | TurnDone
    | AgentExited
)


class Agent(Protocol):
    """One agent for one session. Methods are called from one event loop.

    The object is used once.
    """

    @property
    def capabilities(self) -> Capabilities:
        """The abilities of this agent; settled after `start`."""

    @property
    def mode(self) -> str | None:
        """The mode that the agent has, as far as it is known; None: it has none."""

    @property
    def options(self) -> tuple[ConfigOption, ...]:
        """The settings of this agent as they are now."""

    @property
    def model(self) -> str | None:
        """The model that answers, as far as it is known."""

    @property
    def effort(self) -> str | None:
        """How long the model thinks, in the agent's word, as far as it is known."""

    @property
    def has_background_work(self) -> bool:
        """Whether the agent works on while no turn is open."""

    @property
    def process(self) -> AgentProcess | None:
        """The agent's process group, for the stop ladder.

        None before start and for in-process backends.
        """

    async def start(
        self,
        *,
        cwd: Path,
        env: Mapping[str, str],
        resume: str | None,
        mode: str | None,
        cost_usd: float = 0.0,
    ) -> Started:
        """Start the agent, or raise AgentStartFailed, LogInNeeded, and leave no process.

        Takes at most CHAT_START_TIMEOUT_S. env: the agent's whole environment. cost_usd: the costs
        counted so far of the session to resume.
        """

    async def send(self, text: str, attached: Sequence[Attached] = ()) -> None:
        """Begin a turn. Raises AgentBusy while one is open, AgentGone when the agent has ended."""

    def events(self) -> AsyncIterator[Update]:
        """Return the one iterator of updates. The agent's pipe waits for it: read it always."""

    async def answer(self, perm_id: str, option_id: str | None, message: str = "") -> bool:
        """Answer an open permission request; None is `cancelled`.

        message: a sentence of the person beside a denial, for an agent that takes one.
        Return False when it is no longer open.
        """

    async def reply(self, question_id: str, action: Action, values: dict[str, Any]) -> bool:
        """Answer an open question; return False when it is no longer open."""

    async def set_option(self, option_id: str, value: str | bool) -> None:  # noqa: FBT001 (its value)
        """Change a setting; its new values come as OptionsOffered.

        Raises AgentError for an unknown one or when the agent refuses.
        """

    async def end_own_turn(self) -> None:
        """End the turn that the agent began by itself, if one is open: a prompt waits."""

    async def interrupt(self, *, timeout_s: float) -> InterruptResult:
        """Ask the agent to end its turn. Never raises; comes back within timeout_s."""

    async def set_mode(self, mode: str) -> None:
        """Switch to an offered mode.

        Raises AgentError for another one or when the agent refuses.
        """

    async def close(self, *, grace_s: float) -> None:
        """End the agent. Never raises; afterwards no process of the agent is alive."""
