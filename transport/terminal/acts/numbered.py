"""Rows that are listed with numbers; a later word means the row that had the number."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Generic, TypeVar

from transport.terminal.desk import Desk

MAX_DIGITS: Final = 9
Row = TypeVar("Row")


class Numbered(Generic[Row]):
    """The rows that were listed last. unknown: the sentence about a number that none has."""

    def __init__(self, desk: Desk, unknown: str) -> None:
        self._desk = desk
        self._unknown = unknown
        self.rows: list[Row] = []

    def show(self, rows: Iterable[tuple[Row, str]], *, empty: str) -> None:
        """List rows with their lines; empty: the sentence where there is none."""
        self.rows = []
        for number, (row, line) in enumerate(rows, 1):
            self.rows.append(row)
            self._desk.say(f"{number:3} {line}")
        if not self.rows:
            self._desk.say(empty)

    def of(self, word: str) -> Row | None:
        """Return the row of a number; say so where there is none."""
        number = number_of(word) or 0
        if 1 <= number <= len(self.rows):
            return self.rows[number - 1]
        self._desk.say(self._unknown)
        return None


def number_of(text: str) -> int | None:
    """Return the number that a person has typed, None for anything else."""
    word = text.strip()
    return int(word) if word.isdecimal() and len(word) <= MAX_DIGITS else None
