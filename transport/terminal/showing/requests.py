"""Open permission requests of one session, and the numbers by which a person answers them.

A number is never given twice: one that is typed late cannot answer another request.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sessions.text.asking import option_line

# The parts of a request that a person reads before it is allowed.
_READ: Final = ("title", "toolName", "input", "diffs", "options")


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of one request."""

    session_id: str
    perm_id: str
    option_id: str
    kind: str
    # That of the request as it was shown.
    digest: str | None


class Requests:
    """The requests that are open, by their numbers."""

    def __init__(self) -> None:
        self._choices: dict[int, Choice] = {}
        self._last_number = 0
        # The parts of open requests of which only the beginning was shown.
        self._unread: dict[str, list[str]] = {}

    def unread(self) -> tuple[str, str] | None:
        """Return the request and the part whose whole is to be shown next."""
        return next(((name, parts[0]) for name, parts in self._unread.items() if parts), None)

    def is_read(self, perm_id: str) -> bool:
        """Return whether all of a request was shown."""
        return not self._unread.get(perm_id)

    def read(self, perm_id: str, part: str) -> None:
        """Note that the whole of a part was shown."""
        if part in self._unread.get(perm_id, ()):
            self._unread[perm_id].remove(part)

    def has_shown(self, request: Mapping[str, Any]) -> bool:
        """Return whether a request has its numbers, and is still the one that was shown."""
        digests = {c.digest for c in self._choices.values() if c.perm_id == request["permId"]}
        return digests == {request.get("digest")}

    def add(self, session_id: str, request: Mapping[str, Any]) -> list[tuple[int, str]]:
        """Return the number and line of each option; a request keeps the numbers that it has."""
        perm_id, options = request["permId"], request["options"]
        if not self.has_shown(request):
            self.close(perm_id)
            for option in options:
                self._last_number += 1
                named = (session_id, perm_id, option["id"], option["kind"])
                choice = Choice(*named, request.get("digest"))
                self._choices[self._last_number] = choice
            self._unread[perm_id] = [part for part in _READ if part in request.get("cut", {})]
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
        self._unread.pop(perm_id, None)

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
