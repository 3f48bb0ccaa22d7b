"""Two contents → hunks of a unified diff, by git's own comparison where there is a git."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sessions.core.clean import clean_text
from sessions.workspace.changes import program

MAX_LINES: Final = 20_000
_HEAD: Final = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)")
_WORDS: Final = ("diff", "--no-index", "--no-ext-diff", "--no-textconv", "--no-color", "--text")


@dataclass(frozen=True, slots=True)
class Hunk:
    """One place of a file that differs. rows: (sign, text)."""

    old_start: int
    new_start: int
    heading: str
    rows: list[tuple[str, str]]

    @property
    def digest(self) -> str:
        """A name of the hunk: another content or place has another one."""
        told = json.dumps([self.old_start, self.new_start, self.rows])
        return hashlib.sha256(told.encode()).hexdigest()

    def undone(self, old: bytes, new: bytes) -> bytes:
        """Return the new content with the lines of the old one in this place."""
        before, after = _lines(old), _lines(new)
        taken = self._span(self.old_start, "-")
        given = self._span(self.new_start, "+")
        return b"".join(
            [*after[: given.start], *before[taken.start : taken.stop], *after[given.stop :]]
        )

    def _span(self, start: int, sign: str) -> range:
        """Return the lines of one side, from 0 on; git names the line before an empty part."""
        count = sum(1 for row_sign, _ in self.rows if row_sign in {" ", sign})
        first = start - 1 if count else start
        return range(first, first + count)


def compare(old: bytes, new: bytes) -> tuple[list[Hunk], bool]:
    """Return the hunks between two contents, and whether there are more lines."""
    try:
        with program.own_folder() as folder:
            (folder / "old").write_bytes(old)
            (folder / "new").write_bytes(new)
            output = _git(folder, *_WORDS, "--unified=3", "--", "old", "new")
    except program.GitFailed:
        output = _replaced(old, new)
    return _hunks(output.split(b"\n"))


def counts(pairs: list[tuple[bytes, bytes]]) -> list[tuple[int | None, int | None]]:
    """Return the added and removed lines of each pair (old, new); None without a git."""
    try:
        with program.own_folder() as folder:
            for number, pair in enumerate(pairs):
                for side, data in zip(("old", "new"), pair, strict=True):
                    (folder / side).mkdir(exist_ok=True)
                    (folder / side / str(number)).write_bytes(data)
            output = _git(folder, *_WORDS, "--numstat", "--no-renames", "--", "old", "new")
    except program.GitFailed:
        return [(None, None)] * len(pairs)
    found: dict[str, tuple[int, int]] = {}
    for line in output.decode().splitlines():
        added, removed, path = line.split("\t", 2)
        found[path.rpartition("/")[2]] = (int(added), int(removed))
    return [found.get(str(number), (0, 0)) for number in range(len(pairs))]


def _git(folder: Path, *words: str) -> bytes:
    env = {"GIT_CEILING_DIRECTORIES": str(folder.parent), "GIT_DIR": str(folder / "none")}
    return program.run(*words, cwd=folder, env=env, may_differ=True)


def _replaced(old: bytes, new: bytes) -> bytes:
    """Return a diff without a comparison: all of one, then all of the other."""
    before, after = (side.removesuffix(b"\n").split(b"\n") for side in (old, new))
    rows = [b"-" + line for line in before if old] + [b"+" + line for line in after if new]
    return b"@@ -1 +1 @@\n" + b"\n".join(rows) + b"\n"


def _hunks(lines: list[bytes]) -> tuple[list[Hunk], bool]:
    found: list[Hunk] = []
    count = 0
    for line in lines[:-1]:
        head = _HEAD.fullmatch(line)
        if head:
            found.append(Hunk(int(head[1]), int(head[3]), _shown(head[5]), []))
        elif found:
            count += 1
            if count > MAX_LINES:
                return found, True
            found[-1].rows.append((_shown(line[:1]), _shown(line[1:])))
    return found, False


def _lines(data: bytes) -> list[bytes]:
    """Return the lines with their ends, as git counts them: by the line feed alone."""
    return [part + b"\n" for part in data.split(b"\n")[:-1]] + [data.rpartition(b"\n")[2]]


def _shown(data: bytes) -> str:
    return clean_text(data.decode("utf-8", "replace"))
