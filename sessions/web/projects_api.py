"""The routes for projects: docs/reference/http-api.md#projects."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from ninja import Field, Query, Router, Schema
from pydantic import StrictBool, StrictInt
from typing_extensions import TypedDict

from sessions.account_models import MAX_PROJECT_NAME, Project
from sessions.core.db import in_thread
from sessions.eventlog.events import timestamp
from sessions.projects import rows, standing
from sessions.projects.defaults import MAX_SCRIPT_CHARS, Defaults, of
from sessions.web.answers import DONE, Done, JsonAnswer, command, reading
from sessions.web.authorised import Authorised
from sessions.web.folders_api import MAX_PATH, GitFacts
from sessions.web.validation import Body, one_of
from sessions.workspace.roots import roots
from sessions.workspace.worktrees import branches

router = Router(tags=["projects"])

MAX_AGENTS = 20
MAX_OPTIONS = 50
MAX_WAITING_S = 7 * 24 * 3600

Name = Annotated[str, Field(max_length=MAX_PROJECT_NAME)]
AgentName = Annotated[str, Field(min_length=1, max_length=64)]
Word = Annotated[str, Field(min_length=1, max_length=200)]
Value = Annotated[Word | StrictBool, one_of("a text of 1 to 200 characters, or true or false")]
Options = Annotated[dict[Word, Value], Field(max_length=MAX_OPTIONS)]
Seconds = Annotated[StrictInt, Field(ge=1, le=MAX_WAITING_S)]
Waiting = Annotated[
    Seconds | Literal["until_answered"],
    one_of(f"1 to {MAX_WAITING_S} seconds, or until_answered"),
]


class SomeDefaults(Body):
    """Defaults of new chats; a field that is not named stays as it is."""

    agent: AgentName | None = None
    modes: Annotated[dict[AgentName, AgentName], Field(max_length=MAX_AGENTS)] = {}
    options: Annotated[dict[AgentName, Options], Field(max_length=MAX_AGENTS)] = {}
    waiting: Waiting | None = None
    setUpScript: Annotated[str, Field(max_length=MAX_SCRIPT_CHARS)] = ""  # noqa: N815 (the wire's name)


class NewProject(Body):
    """A project to make; name: else that of its folder."""

    folder: str = Field(min_length=1, max_length=MAX_PATH)
    name: Name = ""
    trust: StrictBool | None = None
    defaults: SomeDefaults = SomeDefaults()


class ProjectChange(Body):
    """Fields of a project to change."""

    name: Name = ""
    trust: StrictBool | None = None
    defaults: SomeDefaults = SomeDefaults()


class WhichProject(Schema):
    """The project that is meant."""

    id: UUID


class ProjectRow(TypedDict):
    """A project. whyNot: the reason for which its folder cannot be used now."""

    id: str
    folder: str
    name: str
    trust: bool | None
    defaults: Defaults
    createdAt: str
    usedAt: str
    git: GitFacts | None
    whyNot: str | None


class ProjectList(TypedDict):
    """The projects of the user, the last used first."""

    projects: list[ProjectRow]


class OneProject(TypedDict):
    """A project that was made or changed."""

    ok: Literal[True]
    project: ProjectRow


class BranchRow(TypedDict):
    """A branch. isFree: no working tree has it checked out."""

    name: str
    isFree: bool


class BranchList(TypedDict):
    """The last changed branches of a project. current: that of its folder, "" for none."""

    current: str
    branches: list[BranchRow]
    hasMore: bool


@router.get("/projects", response=reading(ProjectList), summary="Projects of the user")
async def list_projects(request: Authorised) -> JsonAnswer[ProjectList]:
    """Every project of the user with the branch of its folder, the last used first."""
    return JsonAnswer({"projects": await in_thread(_all, request.auth)})


@router.post(
    "/projects", response=command(OneProject, status=201) | {200: OneProject}, summary="Make one"
)
async def make_project(request: Authorised, body: NewProject) -> JsonAnswer[OneProject]:
    """Make a project of a folder; 200 with the one that the folder has already."""
    wanted = rows.Wanted(body.folder, body.name, body.trust, _given(body.defaults))
    made = await in_thread(rows.make, request.auth, wanted, source=request.source)
    status = HTTPStatus.CREATED if made.is_new else HTTPStatus.OK
    return await _answer(made.project, status)


@router.get(
    "/projects/{uuid:project_id}/branches",
    response=reading(BranchList),
    summary="Branches that a worktree can begin from, or take",
)
async def list_branches(request: Authorised, project_id: UUID) -> JsonAnswer[BranchList]:
    """Up to 200 branches of the project's repository, the last changed first."""
    found = await in_thread(_branches, request.auth, project_id)
    named: list[BranchRow] = [{"name": one.name, "isFree": one.is_free} for one in found.branches]
    return JsonAnswer({"current": found.current, "branches": named, "hasMore": found.has_more})


@router.patch("/projects", response=command(OneProject), summary="Change the one that `id` names")
async def change_named_project(
    request: Authorised, which: Query[WhichProject], body: ProjectChange
) -> JsonAnswer[OneProject]:
    """Change the name, the trust or some defaults of a project."""
    return await _changed(request, which.id, body)


@router.patch("/projects/{uuid:project_id}", response=command(OneProject), summary="Change one")
async def change_project(
    request: Authorised, project_id: UUID, body: ProjectChange
) -> JsonAnswer[OneProject]:
    """Change the name, the trust or some defaults of a project."""
    return await _changed(request, project_id, body)


@router.delete("/projects", response=command(Done), summary="Remove the one that `id` names")
async def remove_named_project(request: Authorised, which: Query[WhichProject]) -> JsonAnswer[Done]:
    """Remove a project; its chats stay."""
    return await _removed(request, which.id)


@router.delete("/projects/{uuid:project_id}", response=command(Done), summary="Remove one")
async def remove_project(request: Authorised, project_id: UUID) -> JsonAnswer[Done]:
    """Remove a project; its chats stay."""
    return await _removed(request, project_id)


async def _changed(
    request: Authorised, project_id: UUID, body: ProjectChange
) -> JsonAnswer[OneProject]:
    fields = body.model_dump(exclude_unset=True)
    project = await in_thread(rows.change, request.auth, project_id, fields, source=request.source)
    return await _answer(project)


async def _removed(request: Authorised, project_id: UUID) -> JsonAnswer[Done]:
    await in_thread(rows.remove, request.auth, project_id, source=request.source)
    return JsonAnswer(DONE)


def _branches(user: AbstractBaseUser, project_id: UUID) -> branches.Branches:
    return branches.listed(Project.objects.find(user, project_id).folder, roots())


def _given(defaults: SomeDefaults) -> dict[str, object]:
    return defaults.model_dump(exclude_unset=True)


async def _answer(project: Project, status: HTTPStatus = HTTPStatus.OK) -> JsonAnswer[OneProject]:
    [row] = await in_thread(_told, [project])
    return JsonAnswer({"ok": True, "project": row}, status=status)


def _all(user: AbstractBaseUser) -> list[ProjectRow]:
    return _told(list(rows.of_user(user)))


def _told(projects: Sequence[Project]) -> list[ProjectRow]:
    states = standing.of(projects)
    return [_row(project, state) for project, state in zip(projects, states, strict=True)]


def _row(project: Project, state: standing.Standing) -> ProjectRow:
    return {
        "id": str(project.pk),
        "folder": project.folder,
        "name": project.name,
        "trust": project.trust,
        "defaults": of(project),
        "createdAt": timestamp(project.created_at),
        "usedAt": timestamp(project.used_at),
        "git": None if state.branch is None else {"branch": state.branch},
        "whyNot": state.why_not or None,
    }
