"""Typed settings of the chat, read from ``settings.CHAT`` at call time.

``settings.CHAT`` maps a name without its ``CHAT_`` prefix to a raw value: a string from the
environment, or an already typed value in a test. docs/reference/settings.md
lists every name with its default and meaning. A test holds the two together.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, overload

from django.conf import settings

from sessions.core.errors import InvalidSetting

Value = TypeVar("Value", int, float, str)


class Setting(Generic[Value]):
    """One setting: its default, and the smallest value that makes sense (None: not a number)."""

    name: str
    default: Value

    def __init__(
        self, default: Value, *, minimum: float | None = None, choices: tuple[Value, ...] = ()
    ) -> None:
        self.default = default
        self.minimum = minimum
        self.choices: tuple[Value, ...] = choices
        self.parse: Callable[[Any], Value] = type(default)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Setting[Value]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object | None, owner: type) -> Setting[Value] | Value:
        if instance is None:
            return self
        raw = settings.CHAT.get(self.name)
        return self.default if raw is None else self._convert(raw)

    def _convert(self, raw: Any) -> Value:
        try:
            value = self.parse(raw)
        except (TypeError, ValueError) as exc:
            raise InvalidSetting(f"CHAT_{self.name} cannot be {raw!r}: {exc}.") from exc
        if self.minimum is not None and float(value) < self.minimum:
            raise InvalidSetting(f"CHAT_{self.name} must be at least {self.minimum}, not {raw!r}.")
        if self.choices and value not in self.choices:
            offered = ", ".join(map(str, self.choices))
            raise InvalidSetting(f"CHAT_{self.name} must be one of {offered}, not {raw!r}.")
        return value


class ChatSettings:
    """Every setting of the chat; the unit is in the name or is a count."""

    # Catch-up and periodic sync.
    MAX_REPLAY_GAP = Setting(200, minimum=0)
    SYNC_INTERVAL_S = Setting(5.0, minimum=0.01)
    SYNC_BATCH_LIMIT = Setting(50, minimum=1)
    TAIL_INTERVAL_S = Setting(0.5, minimum=0.01)
    RING_EVENTS = Setting(4000, minimum=1)
    SNAPSHOT_MESSAGES = Setting(20, minimum=1)
    HISTORY_PAGE = Setting(50, minimum=1)
    # Bytes, wherever an agent or a person chooses the size.
    TEXT_BYTES = Setting(256 * 1024, minimum=64)
    SNAPSHOT_BYTES = Setting(1024 * 1024, minimum=16 * 1024)
    PAGE_BYTES = Setting(2 * 1024 * 1024, minimum=16 * 1024)
    REPLAY_BYTES = Setting(1024 * 1024, minimum=1024)
    RING_BYTES = Setting(2 * 1024 * 1024, minimum=1024)
    RINGS_BYTES = Setting(64 * 1024 * 1024, minimum=1024)
    ROWS_BYTES = Setting(8 * 1024 * 1024, minimum=1024)
    # Streams and clients.
    REQUEST_TIMEOUT_S = Setting(60.0, minimum=0.05)
    HEARTBEAT_INTERVAL_S = Setting(15.0, minimum=0.05)
    STALL_LIMIT_S = Setting(600.0, minimum=0.05)
    ANSWER_STALL_S = Setting(30.0, minimum=0.05)
    PING_GRACE = Setting(2, minimum=1)
    RETURNS_PER_S = Setting(500, minimum=1)
    MAX_WATCHES = Setting(50, minimum=1)
    MAX_CONNECTIONS_PER_USER = Setting(32, minimum=1)
    MAX_PENDING_SENDS = Setting(100, minimum=1)
    SEND_TIMEOUT_S = Setting(15.0, minimum=0.1)
    # Shares of users and addresses; 0: no limit.
    REQUESTS_PER_MINUTE = Setting(1200, minimum=0)
    REQUESTS_AT_ONCE = Setting(32, minimum=0)
    STREAMS_PER_MINUTE = Setting(120, minimum=0)
    STRANGER_REQUESTS_PER_MINUTE = Setting(600, minimum=0)
    MAX_CONNECTIONS_PER_ADDRESS = Setting(256, minimum=0)
    READS_AT_ONCE = Setting(4, minimum=0)
    SEARCHES_AT_ONCE = Setting(2, minimum=0)
    EXPORTS_AT_ONCE = Setting(1, minimum=0)
    # Prompts.
    MAX_PROMPT_BYTES = Setting(262_144, minimum=1)
    SENDS_PER_MINUTE = Setting(60, minimum=1)
    MAX_QUEUED_PROMPTS = Setting(100, minimum=1)
    MIN_FREE_MB = Setting(100, minimum=0)
    BLOB_QUOTA_MB = Setting(2048, minimum=0)
    UPLOAD_MB = Setting(10, minimum=1)
    MAX_ATTACHMENTS = Setting(10, minimum=0)
    COMMIT_DOMAIN = Setting("localhost")
    CLONE_MB = Setting(4096, minimum=1)
    CLONE_TIMEOUT_S = Setting(1800.0, minimum=1)
    CLONE_LOOPBACK = Setting(0, minimum=0)
    FILE_BYTES = Setting(512 * 1024, minimum=64)
    CHECKPOINT_MB = Setting(256, minimum=0)
    # The rendering of answers.
    RENDER_TIMEOUT_S = Setting(2.0, minimum=0.05)
    RENDER_S_PER_MINUTE = Setting(10.0, minimum=0)
    RENDER_MEMORY_MB = Setting(512, minimum=128)
    # Turns and agents.
    DELTA_ROLLUP_MS = Setting(40, minimum=0)
    MAX_TURN_OUTPUT_BYTES = Setting(8 * 1024 * 1024, minimum=1024)
    TURN_TIMEOUT_S = Setting(3600.0, minimum=0.1)
    START_TIMEOUT_S = Setting(60.0, minimum=0.1)
    INTERRUPT_TIMEOUT_S = Setting(5.0, minimum=0.05)
    PERMISSION_TIMEOUT_S = Setting(600.0, minimum=0.05)
    STOP_GRACE_S = Setting(10.0, minimum=0)
    MAX_AGENTS = Setting(16, minimum=1)
    AGENT_CONFINE = Setting("auto", choices=("auto", "off", "strict"))
    AGENT_USER = Setting("")
    AGENT_MEMORY_MB = Setting(0, minimum=0)
    AGENT_PROCESSES = Setting(2048, minimum=0)
    AGENT_OPEN_FILES = Setting(65_536, minimum=0)
    AGENTS_FILE = Setting("")
    WORKSPACE_ROOTS = Setting("")
    # Access.
    AUDIT_DAYS = Setting(365, minimum=0)
    TOKEN_DAYS = Setting(90, minimum=0)
    TOKEN_MAX_DAYS = Setting(366, minimum=0)
    # Sessions' lives.
    SUSPEND_GRACE_S = Setting(120.0, minimum=0)
    IDLE_TTL_S = Setting(1800.0, minimum=0)
    LEASE_S = Setting(30.0, minimum=0.3)
    # Accounts.
    SECOND_FACTOR = Setting("optional", choices=("optional", "staff", "required"))
    CONFIRM_AFTER_S = Setting(900.0, minimum=10)

    @classmethod
    def names(cls) -> list[str]:
        """Return the name of every setting, in the order of the class."""
        return [name for name, value in vars(cls).items() if isinstance(value, Setting)]

    def problems(self) -> list[str]:
        """Return a sentence for each value of settings.CHAT that cannot be used."""
        known = set(self.names())
        found = [f"CHAT_{name} is not a setting." for name in settings.CHAT if name not in known]
        for name in self.names():
            try:
                getattr(self, name)
            except InvalidSetting as exc:
                found.append(str(exc))
        return found


# These depend on the machine and its people; all others are tuning constants.
FOR_OPERATORS: Final = frozenset(
    {
        "AGENTS_FILE",
        "AGENT_CONFINE",
        "AGENT_USER",
        "MAX_AGENTS",
        "SECOND_FACTOR",
        "WORKSPACE_ROOTS",
    }
)


chat = ChatSettings()


def data_dir() -> Path:
    """Return the folder of all data that the server keeps besides the database."""
    return Path(settings.DATA_DIR)


def workspace_roots() -> list[Path]:
    """Return the folders of WORKSPACE_ROOTS, resolved; a colon parts them."""
    named = [Path(part).expanduser() for part in chat.WORKSPACE_ROOTS.split(os.pathsep) if part]
    return [path.resolve() for path in named]


def own_files() -> list[Path]:
    """Return the files and folders that are the server's alone, resolved."""
    own = [data_dir()]
    if chat.AGENTS_FILE:
        own.append(Path(chat.AGENTS_FILE).expanduser())
    return [path.resolve() for path in own] + own_database_files()


def own_database_files() -> list[Path]:
    """Return the files of an SQLite database, resolved; they may not be there."""
    database = settings.DATABASES["default"]
    if database["ENGINE"] != "django.db.backends.sqlite3":
        return []
    suffixes = ("", "-wal", "-shm", "-journal")
    return [Path(f"{database['NAME']}{suffix}").resolve() for suffix in suffixes]


def has_layer() -> bool:
    """Return whether processes wake one another through Redis."""
    return bool(settings.REDIS_URL)
