"""The known agents: data in the form of the ACP registry, and how each is started on this server.

Nothing is downloaded here: a binary must be on the PATH; `npx` and `uvx` fetch a package when the
agent starts. See https://github.com/agentclientprotocol/registry.
"""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

FILE: Final = Path(__file__).with_name("acp_registry.json")
_MACHINES: Final = {"arm64": "aarch64", "AMD64": "x86_64"}


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Start(_Form):
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)


class Package(_Start):
    """A package that a runner of packages starts."""

    package: str = Field(min_length=1)


class Binary(_Start):
    """A program for one platform. cmd: its path in the archive."""

    archive: str = Field(pattern=r"^https://")
    cmd: str = Field(min_length=1)


class Distribution(_Form):
    """The ways to get an agent."""

    binary: dict[str, Binary] = Field(default_factory=dict)
    npx: Package | None = None
    uvx: Package | None = None


class Entry(_Form):
    """One agent of the registry."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    name: str = Field(min_length=1)
    version: str = Field(pattern=r"^\d+\.\d+\.\d+")
    description: str = Field(min_length=1)
    repository: str = ""
    authors: tuple[str, ...] = ()
    license: str = ""
    icon: str = ""
    distribution: Distribution

    def starts(self) -> Iterator[tuple[tuple[str, ...], Mapping[str, str]]]:
        """Yield the commands that start it here, each with its variables: the binary first."""
        here = f"{sys.platform}-{_MACHINES.get(platform.machine(), platform.machine())}"
        if binary := self.distribution.binary.get(here):
            yield (PurePosixPath(binary.cmd).name, *binary.args), binary.env
        if package := self.distribution.npx:
            yield ("npx", "--yes", package.package, *package.args), package.env
        if package := self.distribution.uvx:
            yield ("uvx", package.package, *package.args), package.env

    @property
    def start(self) -> tuple[tuple[str, ...], Mapping[str, str]] | None:
        """The first start whose program is on the PATH."""
        return next((each for each in self.starts() if shutil.which(each[0][0])), None)

    @property
    def needs(self) -> str:
        """The programs of which one must be on the PATH, in words."""
        return " or ".join(command[0] for command, _ in self.starts())


class _Registry(_Form):
    version: str
    agents: tuple[Entry, ...]
    extensions: tuple[Entry, ...] = ()


def entries() -> tuple[Entry, ...]:
    """Return the agents of the file."""
    return _Registry.model_validate_json(FILE.read_bytes()).agents


def find(own: str) -> Entry | None:
    """Return an agent by its id."""
    return next((entry for entry in entries() if entry.id == own), None)
