"""The system user that an agent runs as, where it is another one than the server's."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence


def take(identity: Sequence[int]) -> None:
    """Become a system user: its number, its group's, then those of all its groups."""
    user, group, *groups = identity
    os.setgroups(groups)
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


def make_folders(paths: Iterable[str], identity: Sequence[int] | None) -> None:
    """Make the folders of an agent's state before its first start: it may not make them itself.

    As its own user: with root's rights a link in a home folder would lead anywhere.
    """
    if identity is None:
        _make(paths)
        return
    child = os.fork()
    if child == 0:
        try:
            take(identity)
            _make(paths)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def _make(paths: Iterable[str]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            os.makedirs(path, mode=0o700, exist_ok=True)
