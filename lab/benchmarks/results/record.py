"""A record: the runs of one call of the benchmarks, with the machine behind them, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

Json = dict[str, Any]
Value = float | int | str

VERSION: Final = 1


class Better(StrEnum):
    """The direction in which a measure improves; UNRATED has none, or a bound sets it."""

    LESS = "less"
    MORE = "more"
    UNRATED = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """A column of a part's table: the key of its value, its title, its digits."""

    key: str
    title: str
    digits: int = 0
    better: Better = Better.UNRATED


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement. Runs of one round took turns."""

    case: str
    contender: str
    round: int
    values: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Fact:
    """A text beside the numbers, such as query plans."""

    title: str
    text: str


@dataclass(slots=True)
class PartRecord:
    """The runs of one part, and the facts beside them."""

    title: str
    runs: list[Run] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)

    def add(self, made: Run | Fact) -> None:
        """Add a run or a fact."""
        if isinstance(made, Run):
            self.runs.append(made)
        else:
            self.facts.append(made)


@dataclass(slots=True)
class Record:
    """One call of the benchmarks. machine, versions, commit: see lab.benchmarks.results.machine."""

    started: str
    commit: str
    machine: Json
    versions: dict[str, str]
    arguments: list[str]
    parts: dict[str, PartRecord] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write it, as a whole or not at all."""
        text = json.dumps({"version": VERSION} | asdict(self), indent=1, ensure_ascii=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        unfinished.write_text(text + "\n", encoding="utf-8")
        unfinished.replace(path)


class NotARecord(ValueError):
    """A file is not a record of the benchmarks; the message is for a person."""


def read(path: Path) -> Record:
    """Return the record in a file. Raises NotARecord."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told.pop("version") != VERSION:
            raise NotARecord(f"{path} is of another version of the benchmarks")
        parts = {
            name: PartRecord(
                part["title"],
                [Run(**run) for run in part["runs"]],
                [Fact(**fact) for fact in part["facts"]],
            )
            for name, part in told.pop("parts").items()
        }
        return Record(**told, parts=parts)
    except OSError as exc:
        raise NotARecord(f"{path} cannot be read: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        if isinstance(exc, NotARecord):
            raise
        raise NotARecord(f"{path} is no record of the benchmarks: {exc!r}") from exc


def grouped(runs: list[Run]) -> Iterator[tuple[str, str, list[Run]]]:
    """Yield (case, contender, its runs), in the order of their first run."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.case, run.contender), []).append(run)
    for (case, contender), found in groups.items():
        yield case, contender, found
