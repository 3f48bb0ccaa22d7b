"""A repository behind a git directory of our own: its configuration and hooks are never read.

A repository's configuration can name programs: filters, drivers, monitors, hooks. So git works
with our own configuration, index and HEAD, and with the objects of the repository alone. Its HEAD
and its refs are read here, as files inside the allowed folders.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sessions.core.conf import chat
from sessions.core.errors import FileRefused, FolderRefused, UnknownFile
from sessions.workspace import files, git
from sessions.workspace.changes import program
from sessions.workspace.inside import Inside
from sessions.workspace.opening import opened
from sessions.workspace.roots import is_open

MAX_INDEX_BYTES: Final = 64 * 1024 * 1024
MAX_REFS_BYTES: Final = 16 * 1024 * 1024
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF: Final = re.compile(r"refs/[^\x00-\x20\x7f~^:?*\[\\]{1,200}")
# The tree without files, which git knows in every repository.
EMPTY: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_SHA256_CHARS: Final = 64
_CONFIG: Final = """[core]
\trepositoryformatversion = 1
\tbare = false
\thooksPath = /dev/null
\tfsmonitor = false
\tuntrackedCache = false
\tattributesFile = /dev/null
\texcludesFile = /dev/null
\tbigFileThreshold = {limit}
[extensions]
\tobjectFormat = {format}
[diff]
\tignoreSubmodules = all
[gc]
\tauto = 0
"""


@dataclass(frozen=True, slots=True)
class Repository:
    """Git on a folder. head: the commit checked out, or the empty tree. top: the working tree."""

    head: str
    folder: Path
    top: Path
    own: Path
    objects: int
    state: Inside
    common: Inside

    def git(
        self,
        *words: str,
        limit: int = program.MAX_BYTES,
        given: bytes = b"",
        at_top: bool = False,
        index: Path | None = None,
        more: Mapping[str, str] | None = None,
    ) -> bytes:
        """Return the output of a git command. Raises GitFailed.

        index: the index of a command that writes objects, which go to the repository's own.
        """
        env = {
            "GIT_DIR": str(self.own),
            "GIT_WORK_TREE": str(self.top),
            "GIT_OBJECT_DIRECTORY": str(self.own / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": f"/proc/self/fd/{self.objects}",
        }
        if index is not None:
            objects = env.pop("GIT_ALTERNATE_OBJECT_DIRECTORIES")
            env |= {"GIT_OBJECT_DIRECTORY": objects, "GIT_INDEX_FILE": str(index), **(more or {})}
        folder = self.top if at_top else self.folder
        return program.run(
            *words, cwd=folder, env=env, limit=limit, descriptors=[self.objects], given=given
        )


@contextmanager
def found(inside: Inside, allowed: list[Path]) -> Iterator[Repository | None]:
    """Open the repository that a folder lies in; None where there is none that can be read."""
    with ExitStack() as stack:
        yield _found(inside, allowed, stack)


def _found(inside: Inside, allowed: list[Path], stack: ExitStack) -> Repository | None:
    try:
        top = _top(inside, allowed, stack)
        if top is None:
            return None
        state = state_of(top, allowed, stack)
        common = common_of(state, allowed, stack)
        check_objects(common, allowed)
        head = head_of(state, common)
        objects = stack.enter_context(common.opened("objects"))
        own = stack.enter_context(program.own_folder())
        repository = Repository(
            head, inside.place, top.place, own, objects.descriptor, state, common
        )
        _furnish(repository, state, common)
    except (FileRefused, FolderRefused, UnknownFile, program.GitFailed, OSError, ValueError):
        return None
    return repository


def _top(inside: Inside, allowed: list[Path], stack: ExitStack) -> Inside | None:
    """Return the top of the working tree: the folder or one above it, inside the roots."""
    if git.is_repository(inside.place):
        return inside
    for place in inside.place.parents:
        if not is_open(place, allowed):
            return None
        if git.is_repository(place):
            return Inside(*stack.enter_context(opened(str(place), allowed)))
    return None


def state_of(top: Inside, allowed: list[Path], stack: ExitStack) -> Inside:
    """Return the git directory. A worktree has its own elsewhere, inside the roots too."""
    with top.opened(".git") as found_git:
        if found_git.is_folder:
            return _kept(os.dup(found_git.descriptor), top.place / found_git.path, stack)
        line = (files.read_open(found_git.descriptor, git.MAX_LINE_BYTES) or b"").decode()
    named = line.strip().removeprefix("gitdir: ")
    return Inside(*stack.enter_context(opened(str(top.place / named), allowed)))


def common_of(state: Inside, allowed: list[Path], stack: ExitStack) -> Inside:
    """Return the directory with the objects and refs, which worktrees share."""
    named = _text(state, "commondir")
    if named is None:
        return state
    return Inside(*stack.enter_context(opened(str(state.place / named.strip()), allowed)))


def _kept(descriptor: int, place: Path, stack: ExitStack) -> Inside:
    stack.callback(os.close, descriptor)
    return Inside(descriptor, place)


def check_objects(common: Inside, allowed: list[Path]) -> None:
    """Raise ValueError where objects would come from closed folders, or refs are in tables."""
    with common.opened("objects/pack") as packs:
        if packs.path != "objects/pack":
            raise ValueError("the objects are behind a link")
    for line in (_text(common, "objects/info/alternates") or "").splitlines():
        place = (common.place / "objects" / line.strip()).resolve()
        if line.strip() and not is_open(place, allowed):
            raise ValueError("objects of a closed folder")
    if (common.place / "reftable").exists():
        raise ValueError("refs in a form that is not read here")


def branch_of(state: Inside) -> str:
    """Return the ref that is checked out, "" for a commit without one. Raises ValueError."""
    head = (_text(state, "HEAD") or "").strip()
    if _COMMIT.fullmatch(head):
        return ""
    ref = head.removeprefix("ref: ")
    if not _REF.fullmatch(ref) or ".." in ref:
        raise ValueError("a HEAD that is not read here")
    return ref


def names(state: Inside) -> set[str]:
    """Return the names of the entries of a git directory."""
    with os.scandir(state.descriptor) as entries:
        return {entry.name for entry in entries}


def head_of(state: Inside, common: Inside) -> str:
    """Return the commit that is checked out, or the empty tree. Raises ValueError."""
    head = (_text(state, "HEAD") or "").strip()
    if _COMMIT.fullmatch(head):
        return head
    ref = branch_of(state)
    loose = (_text(common, ref) or "").strip()
    if _COMMIT.fullmatch(loose):
        return loose
    for line in (_text(common, "packed-refs", MAX_REFS_BYTES) or "").splitlines():
        commit, _, name = line.partition(" ")
        if name == ref and _COMMIT.fullmatch(commit):
            return commit
    return EMPTY


def _text(place: Inside, path: str, limit: int = 65_536) -> str | None:
    """Return a small file, None where there is none."""
    try:
        data = files.read_file(place, path, limit=limit).data
    except (FileRefused, UnknownFile):
        return None
    return None if data is None else data.decode("utf-8", "replace")


def configuration(commit: str) -> str:
    """Return the configuration of a git directory of our own, for the kind of names of a commit."""
    form = "sha256" if len(commit) == _SHA256_CHARS else "sha1"
    return _CONFIG.format(limit=chat.FILE_BYTES, format=form)


def _furnish(repository: Repository, state: Inside, common: Inside) -> None:
    """Write our own git directory: configuration, HEAD, ignored names, a copy of the index."""
    own = repository.own
    for name in ("refs", "objects", "info"):
        (own / name).mkdir()
    (own / "config").write_text(configuration(repository.head))
    (own / "HEAD").write_text(f"{repository.head}\n")
    (own / "info/exclude").write_text(_text(common, "info/exclude") or "")
    if not copy_index(state, own / "index"):
        repository.git("read-tree", repository.head)
    _look_at_all(repository)


def _look_at_all(repository: Repository) -> None:
    """Take off the marks by which git would not look at a file that is there."""
    rows = repository.git("ls-files", "-v", "-z", "--full-name").split(b"\0")
    tags = [(row[:1], row[2:]) for row in rows]
    # A file that is not there is one of a sparse working tree.
    skipped = [path for tag, path in tags if tag in b"Ss" and tag and _is_there(repository, path)]
    for option, paths in (
        ("--no-assume-unchanged", [path for tag, path in tags if tag.islower()]),
        ("--no-skip-worktree", skipped),
    ):
        if paths:
            given = b"\0".join(paths) + b"\0"
            repository.git("update-index", option, "-z", "--stdin", given=given, at_top=True)


def _is_there(repository: Repository, path: bytes) -> bool:
    return os.path.lexists(os.path.join(os.fsencode(repository.top), path))  # noqa: PTH118 (bytes)


def copy_index(state: Inside, target: Path) -> bool:
    """Copy the index with its time, by which git knows which files were written after it."""
    if any(name.startswith("sharedindex.") for name in names(state)):
        return False  # the other part of a split index
    try:
        with state.opened("index") as found_index:
            data = files.read_open(found_index.descriptor, MAX_INDEX_BYTES)
            told = os.fstat(found_index.descriptor)
    except (FileRefused, UnknownFile):
        return False
    if data is None:
        return False
    target.write_bytes(data)
    os.utime(target, ns=(told.st_atime_ns, told.st_mtime_ns))
    return True
