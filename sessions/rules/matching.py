"""The choice of a rule for an action: deny before ask before allow, then the most specific."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from sessions.rules import globs
from sessions.rules.action import Action
from sessions.rules.places import Places

# Some agents ask their questions, and for an end of their plan, as such a tool.
OF_A_PERSON: Final = frozenset({"switch_mode", "think"})


class Effect(StrEnum):
    """The answer of a rule, the strongest first."""

    DENY = "deny"
    ASK = "ask"
    ALLOW = "allow"


class Kind(StrEnum):
    """The part of an action that a rule's pattern is about."""

    COMMAND = "command"
    PATH = "path"
    TOOL = "tool"
    MCP = "mcp"


class Scope(StrEnum):
    """The chats that a rule is for, the most specific first."""

    CHAT = "chat"
    PROJECT = "project"
    AGENT = "agent"
    EVERYWHERE = "everywhere"


_SPECIFIC: Final = (Scope.EVERYWHERE, Scope.AGENT, Scope.PROJECT, Scope.CHAT)


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule as it is matched. folder: of a project, "" for another scope."""

    number: int
    scope: str
    effect: str
    kind: str
    pattern: str
    folder: str = ""

    @property
    def name(self) -> str:
        """The rule as the one that made a decision."""
        return f"rule:{self.number}"

    def matches(self, action: Action, places: Places, folder: Path) -> bool:
        """Return whether the rule is about an action in a chat's folder."""
        base = Path(self.folder) if self.folder else folder
        is_about = _allows if self.effect == Effect.ALLOW else _restrains
        return is_about(self, action, places, base)


def choose(
    rules: Iterable[RuleText], action: Action, folder: Path, *, may_allow: bool = True
) -> RuleText | None:
    """Return the rule that decides, None when no rule is about the action.

    may_allow: False in a mode that plans, which no rule widens.
    """
    places = Places(action, folder)
    found = [rule for rule in rules if rule.matches(action, places, folder)]
    may_allow = may_allow and action.is_clear and action.kind not in OF_A_PERSON
    for effect in Effect:
        same = [rule for rule in found if rule.effect == effect]
        if same and (effect != Effect.ALLOW or may_allow):
            return max(same, key=_specificity)
    return None


def _specificity(rule: RuleText) -> tuple[int, int, int]:
    is_open = rule.pattern.count("*") + rule.pattern.count("?")
    return _SPECIFIC.index(Scope(rule.scope)), len(rule.pattern) - 2 * is_open, rule.number


def _allows(rule: RuleText, action: Action, places: Places, base: Path) -> bool:
    """Return whether a rule matches by its strict reading, inside the folder."""
    if not action.is_clear:
        return False
    match rule.kind:
        case Kind.COMMAND:
            wanted = command_words(rule.pattern)
            begins = action.command is not None and action.command[: len(wanted)] == wanted
            return begins and places.are_folders_inside
        case Kind.PATH:
            found = places.inside(base) if action.files is not None else []
            return bool(found) and all(
                path is not None and globs.matches(rule.pattern, path.parts, is_strict=True)
                for path in found
            )
        case _:
            is_named = fnmatchcase(_name(rule, action), rule.pattern)
            return is_named and not action.runs_commands and places.are_inside


def _restrains(rule: RuleText, action: Action, places: Places, base: Path) -> bool:
    """Return whether a rule that denies or asks matches by its generous reading."""
    match rule.kind:
        case Kind.COMMAND:
            wanted = tuple(word.casefold() for word in command_words(rule.pattern))
            return any(line.may_run(wanted) for line in action.lines)
        case Kind.PATH:
            glob = rule.pattern.casefold()
            found = places.absolute if glob.startswith("/") else places.touched(base)
            return any(globs.matches(glob, names, is_strict=False) for names in found)
        case _:
            return fnmatchcase(_name(rule, action).casefold(), rule.pattern.casefold())


def command_words(pattern: str) -> tuple[str, ...]:
    """Return the first words of a command that a pattern stands for; `*` at its end adds none."""
    words = pattern.split()
    return tuple(words[:-1] if words and words[-1] == "*" else words)


def _name(rule: RuleText, action: Action) -> str:
    return action.mcp if rule.kind == Kind.MCP else action.tool
