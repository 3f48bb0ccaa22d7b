"""The paths of one action, resolved on the disk once for each folder that rules begin in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final

from sessions.rules.action import Action

Names = tuple[str, ...]

# So many words of an action's commands are looked at as paths.
MAX_WORDS: Final = 100
# Longer ones do not exist (PATH_MAX).
MAX_PATH_CHARS: Final = 4_096


class Places:
    """The places of an action in a chat's folder."""

    def __init__(self, action: Action, folder: Path) -> None:
        self._action = action
        self._folder = folder
        self._inside: dict[Path, list[PurePosixPath | None]] = {}
        self._touched: dict[Path, list[Names]] = {}

    def inside(self, base: Path) -> list[PurePosixPath | None]:
        """Return each path relative to base, None where it leaves the chat's folder or base."""
        if base not in self._inside:
            paths = self._action.paths
            self._inside[base] = [inside(path, self._folder, base) for path in paths]
        return self._inside[base]

    @property
    def are_inside(self) -> bool:
        """Whether every path and working folder of the action lies in the chat's folder."""
        return self.are_folders_inside and None not in self.inside(self._folder)

    @cached_property
    def are_folders_inside(self) -> bool:
        """Whether every working folder of the action lies in the chat's folder."""
        return None not in [inside(one, self._folder, self._folder) for one in self._action.folders]

    def touched(self, base: Path) -> list[Names]:
        """Return the names of every path below base, in small letters; of others from the root.

        Each as it is written and as it is resolved, and the words of commands as paths.
        """
        if base not in self._touched:
            root = _names(os.path.realpath(base))
            at = len(root)
            self._touched[base] = [
                names[at:] if names[:at] == root else names for names in self.absolute
            ]
        return self._touched[base]

    @cached_property
    def absolute(self) -> list[Names]:
        """The names of every path, from the root."""
        found = (_names(place) for path in self._all() for place in self._placed(path))
        return list(dict.fromkeys(found))

    def _placed(self, path: str) -> Iterator[str]:
        path = path.replace("\x00", "")[:MAX_PATH_CHARS]
        written = os.path.normpath(self._folder / os.path.expanduser(path))  # noqa: PTH111 (no error for an unknown user)
        yield written
        try:
            yield os.path.realpath(self._folder / path)
        except (OSError, ValueError):
            return

    def _all(self) -> Iterator[str]:
        yield from self._action.paths
        words = (word for line in self._action.lines for word in line.loose)
        for word in islice(words, MAX_WORDS):
            yield word
            if "=" in word:
                yield word.partition("=")[2]


def inside(path: str, folder: Path, base: Path) -> PurePosixPath | None:
    """Return a path of an action relative to base, None where it leaves folder or base."""
    is_plain = 0 < len(path) <= MAX_PATH_CHARS and path.isprintable() and not path.startswith("~")
    if not is_plain or ".." in path.split("/"):
        return None
    try:
        real = Path(os.path.realpath(folder / path))
        within = real.relative_to(os.path.realpath(base))
    except (OSError, ValueError):
        return None
    return PurePosixPath(within) if real.is_relative_to(os.path.realpath(folder)) else None


def _names(path: str) -> Names:
    return tuple(name.casefold() for name in path.split("/") if name)
