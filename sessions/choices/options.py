"""The settings of agents that persons chose: of a chat, and remembered for the next ones.

A chat's own are given to its agent at each start: some agents forget them. Those of a project are
its defaults; outside of projects a person has one choice for each agent. The mode of a chat is not
remembered: a new one begins in the mode of its project, else in the agent's mode that asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from sessions.account_models import Project
from sessions.agent_models import AgentChoice, AgentOffer
from sessions.agents import registry
from sessions.core.clean import clean
from sessions.eventlog.shapes import ConfigOption, Mode
from sessions.models import Session
from sessions.projects import defaults

Values = dict[str, str | bool]

MODE: Final = "mode"
# As of an agent's offer; more are not remembered.
MAX_CHOICES: Final = 50


def mode_of_new_chat(agent: str, project: Project | None) -> str:
    """Return the mode that a new chat begins in where its person names none, "" for the agent's."""
    of_project = defaults.of(project)["modes"].get(agent, "") if project is not None else ""
    return of_project or registry.asking_mode(agent)


def remembered(owner_id: int, agent: str, project: Project | None) -> Values:
    """Return the settings that a new chat begins with."""
    if project is not None:
        return dict(defaults.of(project)["options"].get(agent, {}))
    kept = AgentChoice.objects.filter(owner_id=owner_id, agent=agent).first()
    return dict(kept.options) if kept else {}


def choose(session: Session, chosen: Mapping[str, str | bool]) -> None:
    """Keep settings that a person chose in a chat, and remember them for the next one."""
    chosen = clean(dict(chosen))
    own = _with(session.chosen, chosen)
    Session.objects.filter(pk=session.pk).update(chosen=own)
    if session.project_id is not None:
        _remember_in(session.project_id, session.agent, chosen)
    else:
        _remember_for(session.owner_id, session.agent, chosen)


def chosen_in(session_id: UUID) -> Values:
    """Return the settings that the agent of a chat is given at its start."""
    return dict(Session.objects.values_list("chosen", flat=True).get(pk=session_id))


def drop(session_id: UUID, option_id: str) -> None:
    """Forget a setting of a chat that its agent refused: later starts do not try it."""
    with transaction.atomic():
        session = Session.objects.select_for_update(no_key=True).get(pk=session_id)
        kept = {name: value for name, value in session.chosen.items() if name != option_id}
        Session.objects.filter(pk=session_id).update(chosen=kept)


def note_offer(agent: str, modes: list[Mode], options: list[ConfigOption]) -> None:
    """Keep the offer of an agent that has started, for chats that have none yet."""
    offer: dict[str, Any] = clean({"modes": modes, "options": options})
    if not AgentOffer.objects.filter(agent=agent, **offer).exists():
        AgentOffer.objects.update_or_create(agent=agent, defaults=offer)


def last_offer(agent: str) -> AgentOffer:
    """Return the last offer of an agent on this server, an empty one where it never started."""
    return AgentOffer.objects.filter(agent=agent).first() or AgentOffer(agent=agent)


def _remember_in(project_id: UUID, agent: str, chosen: Mapping[str, str | bool]) -> None:
    project = Project.objects.select_for_update(no_key=True).filter(pk=project_id).first()
    if project is None:
        return
    options = defaults.of(project)["options"]
    options = {**options, agent: _with(options.get(agent, {}), chosen)}
    changed = defaults.changed(project.defaults, {"options": options})
    Project.objects.filter(pk=project_id).update(defaults=changed)


def _remember_for(owner_id: int, agent: str, chosen: Mapping[str, str | bool]) -> None:
    rows = AgentChoice.objects.select_for_update(no_key=True)
    kept, _ = rows.get_or_create(owner_id=owner_id, agent=agent)
    AgentChoice.objects.filter(pk=kept.pk).update(options=_with(kept.options, chosen))


def _with(known: Mapping[str, str | bool], chosen: Mapping[str, str | bool]) -> Values:
    """Return settings with newer ones; the oldest give way."""
    rest = {name: value for name, value in known.items() if name not in chosen}
    return dict([*rest.items(), *chosen.items()][-MAX_CHOICES:])
