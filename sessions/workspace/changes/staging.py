"""Staging and commits by the server: no hook, filter or setting of the repository runs.

Contents are read through the open folder, never by a path that could become a link, and written to
the objects of the repository. Its index and its branch change under git's own locks.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sessions.core.clean import clean_text
from sessions.core.errors import ChatError, FileRefused, UnknownFile
from sessions.workspace import files
from sessions.workspace.changes import by_git, repository, tree
from sessions.workspace.changes.commits import Author, advance, commit_of
from sessions.workspace.changes.locked import Replace, locked
from sessions.workspace.changes.program import GitFailed
from sessions.workspace.changes.refusals import FileFiltered, NothingStaged, RepositoryBusy
from sessions.workspace.changes.repository import Repository
from sessions.workspace.inside import Inside

MAX_FILE_BYTES: Final = 32 * 1024 * 1024
INDEX: Final = "index"
_NEXT: Final = "next-index"
_GONE: Final = b"0" * 6
_UNFILTERED: Final = frozenset({b"unspecified", b"unset"})


@dataclass(frozen=True, slots=True)
class Prepared:
    """A change that is ready. publish: makes it visible. commit: its id, "" for none."""

    publish: Callable[[], None]
    commit: str = ""


def staged(found: Repository) -> list[str]:
    """Return the paths whose staged content is not that of HEAD, from the chat's folder."""
    words = ("diff", "--cached", "--name-only", "--no-renames", "--relative", "-z", "--no-ext-diff")
    with _told():
        listed = found.git(*words, "--ignore-submodules=all", found.head, "--")
    return [os.fsdecode(path) for path in listed.split(b"\0")[:-1]]


@contextmanager
def stage(found: Repository, inside: Inside, paths: Sequence[str]) -> Iterator[Prepared]:
    """Prepare the index with the content that files have now; the lock is held until the end.

    Raises UnknownFile where one does not differ, FileFiltered, FileRefused, RepositoryBusy.
    """
    with _told():
        rows, _ = by_git.changes_since(found.head, found)
    known = {clean_text(row.path): row for row in rows}
    there = set(staged(found))
    wanted: list[str] = []
    for path in map(inside.relative, paths):
        row = known.get(path)
        if row is None and path not in there:
            raise UnknownFile("This file does not differ.", path=path)
        wanted += [row.path] if row else [path]
        wanted += [row.old_path] if row and row.old_path else []
    with _told():
        _check_filters(found, wanted)
        entries = [_entry(found, inside, path) for path in wanted]
    with _index(found, entries) as prepared:
        yield prepared


@contextmanager
def unstage(found: Repository, inside: Inside, paths: Sequence[str]) -> Iterator[Prepared]:
    """Prepare the index with the content of HEAD; the lock is held until the end.

    Raises UnknownFile where one is not staged, RepositoryBusy.
    """
    there = {clean_text(path): path for path in staged(found)}
    missing = next((path for path in paths if inside.relative(path) not in there), None)
    if missing is not None:
        raise UnknownFile("This file is not staged.", path=missing)
    full = [_full(found, there[inside.relative(path)]) for path in paths]
    with _told():
        listed = found.git(
            "ls-tree", "-z", "--full-tree", found.head, "--", *map(os.fsdecode, full)
        )
    kept = {}
    for row in listed.split(b"\0")[:-1]:
        facts, _, path = row.partition(b"\t")
        mode, _, name = facts.split(b" ")
        kept[path] = (mode, name)
    entries = [(*kept.get(path, (_GONE, b"0" * len(found.head))), path) for path in full]
    with _index(found, entries) as prepared:
        yield prepared


@contextmanager
def commit(found: Repository, message: str, author: Author) -> Iterator[Prepared]:
    """Prepare a commit of all that is staged; the lock is held until the end.

    Raises NothingStaged, RepositoryBusy, FileRefused.
    """
    with locked(found.state, INDEX), _told():
        index = _copied(found)
        tree_id = found.git("write-tree", index=index).decode().strip()
        before = found.git("rev-parse", f"{found.head}^{{tree}}").decode().strip()
        if tree_id == before:
            raise NothingStaged
        made = commit_of(found, tree_id, message, author)
        yield Prepared(lambda: advance(found, made, message, author), made)


Entry = tuple[bytes, bytes, bytes]  # mode, object, full path


@contextmanager
def _index(found: Repository, entries: list[Entry]) -> Iterator[Prepared]:
    with locked(found.state, INDEX) as replace, _told():
        index = _copied(found)
        given = b"".join(mode + b" " + name + b"\t" + path + b"\0" for mode, name, path in entries)
        found.git("update-index", "-z", "--index-info", given=given, index=index, at_top=True)
        yield Prepared(_publishing(replace, index))


def _publishing(replace: Replace, index: Path) -> Callable[[], None]:
    return lambda: replace(index.read_bytes())


def _copied(found: Repository) -> Path:
    """Return a copy of the index as it is under the lock. Raises FileRefused."""
    target = found.own / _NEXT
    target.unlink(missing_ok=True)
    if repository.copy_index(found.state, target):
        return target
    there = repository.names(found.state)
    if any(name.startswith("sharedindex.") for name in there):
        raise FileRefused("The index of this repository is split: use git itself.")
    if INDEX in there:
        raise FileRefused("The index of this repository is too large for the server.")
    found.git("read-tree", found.head, index=target)
    return target


def _entry(found: Repository, inside: Inside, path: str) -> Entry:
    """Store the content of a file, and return its row of the index."""
    full = _full(found, path)
    facts = tree.facts(inside, path)
    if facts is None or path.endswith("/"):
        if path.endswith("/"):
            raise FileRefused("This folder is a repository of its own.", path=clean_text(path))
        return (_GONE, b"0" * len(found.head), full)
    data = files.read_entry(inside, path, MAX_FILE_BYTES)
    if data is None:
        raise FileRefused("This file is too large to be staged here.", path=clean_text(path))
    is_link = stat.S_ISLNK(facts.mode)
    # Line ends as .gitattributes say; a link has none.
    words = ("hash-object", "-w", "--stdin", *(() if is_link else (f"--path={path}",)))
    name = found.git(*words, given=data, index=found.own / _NEXT).strip()
    return (_mode(facts.mode), name, full)


def _mode(mode: int) -> bytes:
    if stat.S_ISLNK(mode):
        return b"120000"
    return b"100755" if mode & stat.S_IXUSR else b"100644"


def _full(found: Repository, path: str) -> bytes:
    prefix = found.folder.relative_to(found.top)
    return os.fsencode(prefix / path if str(prefix) != "." else path)


def _check_filters(found: Repository, paths: Sequence[str]) -> None:
    """Raise FileFiltered for a file whose content a program of the repository would make."""
    given = b"".join(os.fsencode(path) + b"\0" for path in paths)
    told = found.git("check-attr", "-z", "--stdin", "filter", given=given).split(b"\0")[:-1]
    for path, value in zip(told[::3], told[2::3], strict=True):
        if value not in _UNFILTERED:
            raise FileFiltered(
                path=clean_text(os.fsdecode(path)), filter=clean_text(value.decode())
            )


@contextmanager
def _told() -> Iterator[None]:
    """Turn a failure of git into an error with a sentence."""
    try:
        yield
    except ChatError:
        raise
    except GitFailed as exc:
        raise RepositoryBusy("Git could not do this now.") from exc
