"""The parts of an agent's updates that are more than text: changes, places, files, settings."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class Diff:
    """A change of a file; old None: a new one. cut: characters that are left out."""

    path: str
    old: str | None
    new: str
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Location:
    """A place that a tool call names."""

    path: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes and their name: the SHA-256 in hex."""

    data: bytes = field(repr=False)

    @property
    def blob(self) -> str:
        """The name of the bytes."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a tool's result."""

    mime: str
    content: Bytes


@dataclass(frozen=True, slots=True)
class Resource:
    """A file of a tool's result, by its address; text or bytes where the agent sent them."""

    uri: str
    mime: str = ""
    text: str | None = None
    content: Bytes | None = None
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """All that a tool call shows besides its text."""

    diffs: tuple[Diff, ...] = ()
    locations: tuple[Location, ...] = ()
    images: tuple[Image, ...] = ()
    resources: tuple[Resource, ...] = ()

    def blobs(self) -> list[Bytes]:
        """Return the bytes among it."""
        files = [resource.content for resource in self.resources]
        return [image.content for image in self.images] + [c for c in files if c is not None]

    def without_blobs(self) -> Shown:
        """Return it without images, and with files by their address alone."""
        files = tuple(replace(resource, content=None) for resource in self.resources)
        return replace(self, images=(), resources=files)

    def texts(self) -> list[str]:
        """Return every text in it."""
        texts = [text for diff in self.diffs for text in (diff.path, diff.old or "", diff.new)]
        texts += [place.path for place in self.locations]
        return texts + [text for r in self.resources for text in (r.uri, r.text or "")]

    def size(self) -> int:
        """Return how much memory it takes, roughly."""
        return sum(map(len, self.texts())) + sum(len(blob.data) for blob in self.blobs())


NOTHING = Shown()


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of an option. group: the name of the choices that it belongs to, "" for none."""

    id: str
    label: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class ConfigOption:
    """A setting of an agent. category: its own word, such as model; a boolean has no choices."""

    id: str
    category: str
    label: str
    kind: Literal["select", "boolean"]
    value: str | bool
    choices: tuple[Choice, ...] = ()

    def takes(self, value: object) -> bool:
        """Return whether a value is one of the option's."""
        if self.kind == "boolean":
            return isinstance(value, bool)
        return any(choice.id == value for choice in self.choices)


@dataclass(frozen=True, slots=True)
class ToolServer:
    """An MCP server: a command, or an address. secrets: its variables, or its headers."""

    name: str
    kind: str
    command: str = ""
    args: tuple[str, ...] = ()
    url: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class AgentCommand:
    """A command of an agent: a prompt that begins with a slash and its name."""

    name: str
    description: str = ""
    hint: str = ""
