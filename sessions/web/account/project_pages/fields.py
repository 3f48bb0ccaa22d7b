"""The form of a project: its fields as they are shown, and as a person has filled them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sessions.account_models import MAX_PROJECT_NAME, Project
from sessions.agent_models import AgentOffer
from sessions.agents import registry
from sessions.choices.options import MODE
from sessions.eventlog.shapes import ConfigOption
from sessions.models import MAX_MODE_CHARS
from sessions.projects import defaults, standing
from sessions.text.visible import visible

TRUST: Final = {"yes": True, "no": False, "": None}
WAITING: Final = ("", "60", "600", "3600", "86400", defaults.UNTIL_ANSWERED)
_SWITCH: Final = {"on": True, "off": False}


@dataclass(frozen=True, slots=True)
class Offer:
    """An agent. modes: labels by their ids at its last start; options: its other settings then."""

    name: str
    label: str
    modes: dict[str, str]
    options: list[ConfigOption]


def offers() -> list[Offer]:
    """Return each agent with the modes and settings of its last start. One query."""
    known = {offer.agent: offer for offer in AgentOffer.objects.all()}
    found = []
    for spec in registry.available():
        offer = known.get(spec.name)
        modes = {mode["id"]: mode["label"] for mode in offer.modes} if offer else {}
        options = [one for one in offer.options if one["category"] != MODE] if offer else []
        found.append(Offer(spec.name, spec.label, modes, options))
    return found


def context(agents: list[Offer]) -> dict[str, Any]:
    """Return the parts of a page that the forms of all projects share."""
    return {
        "agents": [(agent.name, agent.label) for agent in agents],
        "longest": MAX_PROJECT_NAME,
        "longest_script": defaults.MAX_SCRIPT_CHARS,
    }


def shown(project: Project, state: standing.Standing, agents: list[Offer]) -> dict[str, Any]:
    """Return a project for a page; every character of its folder can be seen."""
    own = defaults.of(project)
    waiting = str(own["waiting"] or "")
    return {
        "id": str(project.pk),
        "name": project.name,
        "folder": visible(project.folder),
        "branch": visible(state.branch or ""),
        "why_not": state.why_not,
        "trust": {True: "yes", False: "no"}.get(project.trust, ""),  # type: ignore[arg-type]  # None too
        "agent": own["agent"],
        "modes": _mode_fields(own["modes"], agents),
        "options": list(_option_fields(own["options"], agents)),
        "waiting": waiting,
        "waits": [*WAITING, *([waiting] if waiting not in WAITING else [])],
        "set_up": own["setUpScript"],
    }


def given(form: Any, project: Project | None) -> dict[str, Any]:
    """Return the change that a form says. Raises ValueError where the form is none of ours.

    A form without settings of agents leaves them as they are.
    """
    waiting, script = form.get("waiting", ""), form.get("set_up", "")
    if waiting not in WAITING or len(script) > defaults.MAX_SCRIPT_CHARS:
        raise ValueError(waiting)
    change: dict[str, Any] = {
        "agent": form.get("agent") or None,
        "modes": _modes(form),
        "waiting": int(waiting) if waiting.isdecimal() else waiting or None,
        "setUpScript": script.replace("\r\n", "\n"),
    }
    if project is not None and form.get("page"):
        change["options"] = _options(form, defaults.of(project)["options"])
    return {
        "name": form.get("name", ""),
        "trust": TRUST[form["trust"]] if form.get("trust") in TRUST else None,
        "defaults": change,
    }


def _modes(form: Any) -> dict[str, str]:
    """Return the modes of new chats by agent. Raises ValueError for one that is too long."""
    named = {spec.name: form.get(f"mode-{spec.name}", "") for spec in registry.available()}
    if any(len(mode) > MAX_MODE_CHARS for mode in named.values()):
        raise ValueError(named)
    return {agent: mode for agent, mode in named.items() if mode}


def _options(
    form: Any, own: Mapping[str, dict[str, str | bool]]
) -> dict[str, dict[str, str | bool]]:
    """Return the settings by agent; those that are not offered now stay. Raises ValueError."""
    chosen = {agent: dict(values) for agent, values in own.items()}
    for agent in offers():
        values = chosen.setdefault(agent.name, {})
        for option in agent.options:
            word = form.get(_field(agent, option))
            if word == "":
                values.pop(option["id"], None)
            elif word is not None:
                values[option["id"]] = _value(option, word, values.get(option["id"]))
    return {agent: values for agent, values in chosen.items() if values}


def _value(option: ConfigOption, word: str, before: str | bool | None) -> str | bool:  # noqa: FBT001 (its value)
    if option["kind"] == "boolean":
        if word not in _SWITCH:
            raise ValueError(word)
        return _SWITCH[word]
    if word != before and word not in {choice["id"] for choice in option["choices"]}:
        raise ValueError(word)
    return word


def _field(agent: Offer, option: ConfigOption) -> str:
    return f"option-{agent.name}-{option['id']}"


def _mode_fields(own: Mapping[str, str], agents: list[Offer]) -> list[dict[str, Any]]:
    """Return a field for each agent with modes: those that it offers, and the chosen one."""
    fields = []
    for agent in agents:
        chosen, modes = own.get(agent.name, ""), dict(agent.modes)
        if chosen:
            modes.setdefault(chosen, chosen)
        if modes:
            field = {"agent": agent.name, "label": agent.label}
            fields.append({**field, "chosen": chosen, "modes": modes.items()})
    return fields


def _option_fields(
    own: Mapping[str, Mapping[str, str | bool]], agents: list[Offer]
) -> Iterator[dict[str, Any]]:
    """Yield a field for each setting that an agent offers, with the values to choose from."""
    for agent in agents:
        for option in agent.options:
            value = own.get(agent.name, {}).get(option["id"], "")
            chosen = {True: "on", False: "off"}[value] if isinstance(value, bool) else value
            choices = {choice["id"]: choice["label"] for choice in option["choices"]}
            if option["kind"] == "boolean":
                choices = {"on": "On", "off": "Off"}
            if chosen:
                choices.setdefault(chosen, chosen)
            yield {
                "name": _field(agent, option),
                "agent": agent.label,
                "label": option["label"] or option["id"],
                "chosen": chosen,
                "choices": choices.items(),
            }
