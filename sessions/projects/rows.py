"""The rows of projects: made, listed, changed, removed; each read begins with the owner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from sessions.account_models import MAX_PROJECT_NAME, Project
from sessions.core.clean import clean_text
from sessions.core.errors import InvalidRequest, TooManyProjects
from sessions.core.source import Source
from sessions.projects import defaults
from sessions.trail.record import NOWHERE, Act, record
from sessions.workspace import folders

# Each is looked at on the disk when its owner lists them.
MAX_PROJECTS: Final = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """A project to make. name: "" for the name of its folder."""

    folder: str
    name: str = ""
    trust: bool | None = None
    defaults: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A project, and whether it is new."""

    project: Project
    is_new: bool


def make(user: AbstractBaseUser, wanted: Wanted, *, source: Source = NOWHERE) -> Made:
    """Store a project, or return the user's project of that folder, unchanged.

    Raises FolderRefused, InvalidRequest, UnknownAgent, TooManyProjects.
    """
    folder = folders.check(wanted.folder)
    name = _checked_name(wanted.name or folder.name or str(folder))
    said = {"name": name, "trust": wanted.trust}
    kept = defaults.changed({}, wanted.defaults or {})
    with transaction.atomic():
        # The rows of one user at a time: one project for a folder, also by requests at once.
        get_user_model().objects.select_for_update(no_key=True).get(pk=user.pk)
        own = Project.objects.filter(owner_id=user.pk)
        known = own.filter(folder=str(folder)).first()
        if known is not None:
            return Made(known, is_new=False)
        if own.count() >= MAX_PROJECTS:
            raise TooManyProjects
        made = Project.objects.create(owner_id=user.pk, folder=str(folder), defaults=kept, **said)
        _record(Act.PROJECT_MADE, user, made, source)
    return Made(made, is_new=True)


def of_user(user: AbstractBaseUser) -> QuerySet[Project]:
    """Return the projects of a user, the last used first."""
    return Project.objects.filter(owner_id=user.pk).order_by("-used_at", "pk")


def of_folder(user: AbstractBaseUser, folder: str) -> Project | None:
    """Return the user's project of a resolved folder, if there is one."""
    return of_user(user).filter(folder=folder).first()


def is_trusted(project: Project | None, folder: Path) -> bool:
    """Return whether agents may run what a resolved folder names: its project is trusted."""
    return project is not None and project.trust is True and str(folder) == project.folder


def change(
    user: AbstractBaseUser, project_id: UUID, fields: Mapping[str, Any], *, source: Source = NOWHERE
) -> Project:
    """Change name, trust and fields of the defaults. Raises UnknownProject, and as of `make`."""
    with transaction.atomic():
        project = Project.objects.select_for_update(no_key=True).find(user, project_id)
        if "name" in fields:
            project.name = _checked_name(fields["name"])
        if "trust" in fields:
            project.trust = fields["trust"]
        if "defaults" in fields:
            project.defaults = defaults.changed(project.defaults, fields["defaults"])
        project.save(update_fields=["name", "trust", "defaults"])
        _record(Act.PROJECT_CHANGED, user, project, source, changed=_names(fields))
    return project


def remove(user: AbstractBaseUser, project_id: UUID, *, source: Source = NOWHERE) -> None:
    """Remove a project; its chats stay, without one. Raises UnknownProject."""
    with transaction.atomic():
        project = Project.objects.find(user, project_id)
        _record(Act.PROJECT_REMOVED, user, project, source)
        project.delete()


def begin_chat(user: AbstractBaseUser, project_id: UUID) -> Project:
    """Return a project in which a chat begins now. Raises UnknownProject."""
    # Locked: a project that is removed meanwhile leaves the chat without one.
    project = Project.objects.select_for_update(no_key=True).find(user, project_id)
    Project.objects.filter(pk=project_id).update(used_at=timezone.now())
    return project


def _checked_name(asked: str) -> str:
    name = clean_text(" ".join(asked.split()))[:MAX_PROJECT_NAME]
    if not name:
        sentence = "A project has a name."
        raise InvalidRequest(sentence, field="name")
    return name


def _names(fields: Mapping[str, Any]) -> list[str]:
    inner = [f"defaults.{name}" for name in fields.get("defaults", {})]
    return sorted([name for name in fields if name != "defaults"] + inner)


def _record(
    act: Act, user: AbstractBaseUser, project: Project, source: Source, **facts: Any
) -> None:
    record(
        act,
        who=user.get_username(),
        about=f"project:{project.pk}",
        source=source,
        folder=str(Path(project.folder)),
        trust=project.trust,
        **facts,
    )
