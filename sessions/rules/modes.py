"""The modes in which an agent plans or only reads: no rule widens them."""

from __future__ import annotations

from typing import Final

from sessions.models import Session

_WORDS: Final = ("plan", "read-only", "readonly", "read_only", "architect")


def plans(name: str) -> bool:
    """Return whether a mode only plans or reads, by its name."""
    folded = name.casefold()
    return any(word in folded for word in _WORDS)


def is_planning(session: Session, mode: str | None = None) -> bool:
    """Return whether a session's agent plans: by its mode, or by a setting that is one.

    mode: the agent's own, which the log may not have yet.
    """
    current = {session.mode, mode or ""}
    labels = {one["label"] for one in session.live.get("modes", []) if one["id"] in current}
    options = session.offers.get("options", [])
    settings = {str(one["value"]) for one in options if "mode" in one["category"]}
    return any(plans(name) for name in current | labels | settings)
