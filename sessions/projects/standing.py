"""The folder of a project as it is now: its branch, or the reason that closes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sessions.account_models import Project
from sessions.core.errors import FolderRefused
from sessions.workspace import git
from sessions.workspace.opening import opened
from sessions.workspace.roots import NO_ROOTS, roots


@dataclass(frozen=True, slots=True)
class Standing:
    """branch: None without git. why_not: "" where the folder can be used."""

    branch: str | None
    why_not: str


def of(projects: Iterable[Project]) -> list[Standing]:
    """Return how the folder of each project stands. At most one query."""
    allowed = roots()
    return [_of(project.folder, allowed) for project in projects]


def _of(folder: str, allowed: list[Path]) -> Standing:
    if not allowed:
        return Standing(None, NO_ROOTS)
    try:
        with opened(folder, allowed) as (_, place):
            return Standing(git.branch(place), "")
    except FolderRefused as exc:
        return Standing(None, str(exc))
