"""Open permission requests of one session, and the numbers by which a person answers them.

A number is never given twice: one that is typed late cannot answer another request.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sessions.text.asking import option_line


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of one request."""

    session_id: str
    perm_id: str
    option_id: str


class Requests:
    """The requests that are open, by their numbers."""

    def __init__(self) -> None:
        self._choices: dict[int, Choice] = {}
        self._last_number = 0

    def __contains__(self, perm_id: object) -> bool:
        return bool(self.numbers(perm_id))

    def add(self, session_id: str, request: Mapping[str, Any]) -> list[tuple[int, str]]:
        """Return the number and line of each option; a request keeps the numbers that it has."""
        perm_id, options = request["permId"], request["options"]
        if perm_id not in self:
            for option in options:
                self._last_number += 1
                choice = Choice(session_id, perm_id, option["id"])
                self._choices[self._last_number] = choice
        return [
            (number, option_line(option))
            for number, option in zip(self.numbers(perm_id), options, strict=False)
        ]

    def numbers(self, perm_id: object) -> list[int]:
        """Return the numbers of an open request."""
        return [number for number, choice in self._choices.items() if choice.perm_id == perm_id]

    def close(self, perm_id: str) -> None:
        """Forget a request that is resolved."""
        for number in self.numbers(perm_id):
            del self._choices[number]

    def keep(self, perm_ids: Collection[str]) -> None:
        """Forget every request but these."""
        for perm_id in {choice.perm_id for choice in self._choices.values()} - set(perm_ids):
            self.close(perm_id)

    def choice(self, number: int) -> Choice | None:
        """Return the option behind a number, None when its request is no longer open."""
        return self._choices.get(number)

    def was_given(self, number: int) -> bool:
        """Return whether a number was shown, now or earlier."""
        return 1 <= number <= self._last_number
