"""The routes for agents: docs/reference/http-api.md#agents."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from ninja import Field, Query, Router, Schema
from typing_extensions import TypedDict

from sessions.account_models import Project
from sessions.agents import credentials, registry
from sessions.agents.processes import accounts, confine
from sessions.choices import options as choices
from sessions.core.db import in_thread
from sessions.eventlog.shapes import ConfigOption, Mode
from sessions.log_ins import needs
from sessions.log_ins.needs import Need
from sessions.web.answers import JsonAnswer, reading
from sessions.web.authorised import Authorised

router = Router(tags=["agents"])


class AgentRow(TypedDict):
    """A configured agent; whyNot: the reason for which it cannot start, else None.

    credential: names of those that it would use for the user's chats. logIn: the log-in that it
    wants of them before it answers, else None.
    """

    name: str
    label: str
    description: str
    canStart: bool
    whyNot: str | None
    isConfined: bool
    credential: str
    logIn: Need | None


class ConfinementRow(TypedDict):
    """The confinement of agents: landlock, bubblewrap or off, and a sentence.

    isWhole: whether the system holds every part of it.
    """

    kind: str
    sentence: str
    isWhole: bool


class AgentList(TypedDict):
    """Every configured agent, and how agents are confined."""

    agents: list[AgentRow]
    confinement: ConfinementRow


class OfferQuery(Schema):
    """The agent, and the project of the new chat."""

    agent: Annotated[str, Field(min_length=1, max_length=64)]
    projectId: UUID | None = None  # noqa: N815 (the wire's name)


class Offer(TypedDict):
    """The settings of a new chat. chosen: the values that it begins with, by the option's id.

    mode: the one that it begins in, "" for the agent's own.
    """

    modes: list[Mode]
    mode: str
    options: list[ConfigOption]
    chosen: dict[str, str | bool]


@router.get(
    "/agents",
    response=reading(AgentList),
    summary="Configured agents, and whether each can start",
)
async def list_agents(request: Authorised) -> JsonAnswer[AgentList]:
    """Every agent of the configuration; whyNot names the reason when one cannot start."""
    return JsonAnswer(await in_thread(_list, request.auth))


@router.get("/agents/offer", response=reading(Offer), summary="Settings of a new chat")
async def read_offer(request: Authorised, query: Query[OfferQuery]) -> JsonAnswer[Offer]:
    """The offer of an agent at its last start here, and the remembered choices of the user."""
    return JsonAnswer(await in_thread(_offer, request.auth, query.agent, query.projectId))


def _list(user: AbstractBaseUser) -> AgentList:
    name = user.get_username()
    wanted = needs.of_account(accounts.name_of(name))
    agents: list[AgentRow] = [
        {
            "name": spec.name,
            "label": spec.label,
            "description": spec.description,
            "canStart": spec.can_start,
            "whyNot": spec.why_not,
            "isConfined": spec.is_confined,
            "credential": credentials.of(spec.name, name),
            "logIn": wanted.get(spec.name),
        }
        for spec in registry.available()
    ]
    held = confine.status()
    confinement: ConfinementRow = {
        "kind": held.kind,
        "sentence": held.sentence,
        "isWhole": held.is_whole,
    }
    return {"agents": agents, "confinement": confinement}


def _offer(user: AbstractBaseUser, name: str, project_id: UUID | None) -> Any:
    agent = registry.check(name)
    project = Project.objects.find(user, project_id) if project_id else None
    last = choices.last_offer(agent)
    chosen = choices.remembered(user.pk, agent, project)
    return {
        "modes": last.modes,
        "mode": choices.mode_of_new_chat(agent, project),
        "options": last.options,
        "chosen": chosen,
    }
