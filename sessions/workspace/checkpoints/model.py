"""A kept state of a folder: its files, each by the name of its content."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

# The state of a folder without files: no commit stands for it.
EMPTY: Final = "empty"
LINK: Final = 0o120000
_FILE: Final = 0o100000


@dataclass(frozen=True, slots=True)
class Kept:
    """The content of a file as git names it, or the target of a link. mode: as the kernel's."""

    oid: str
    mode: int

    @property
    def is_link(self) -> bool:
        """Whether it is a link."""
        return stat.S_ISLNK(self.mode)

    @property
    def git_mode(self) -> int:
        """The mode that git stores: it knows links, files and programs."""
        if self.is_link:
            return LINK
        return _FILE | (0o755 if self.mode & 0o100 else 0o644)


# By path from the folder.
Tree: TypeAlias = Mapping[str, Kept]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A kept state. name: of the commit, or EMPTY. left_out: files too large or closed to us."""

    name: str
    files: int
    left_out: int = 0


class NotKept(Exception):
    """The state of a folder was not kept; the text is a sentence for a person."""


class Busy(NotKept):
    """Another request works with the kept states of this folder."""


def blob_name(data: bytes) -> str:
    """Return the name that git gives to a content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
