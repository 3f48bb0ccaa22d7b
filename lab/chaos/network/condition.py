"""The condition of a line: honest or failing, flowing or stalled, and the faults that it had."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from lab.chaos.evidence import Disturbance

# A request without an answer is left like this for so long; longer than a device waits.
SILENT_S: Final = 6.0


@dataclass(slots=True)
class Condition:
    """The state of one line. counts: the faults of a run by name; disturbances: their times."""

    device: str
    counts: Counter[str]
    disturbances: list[Disturbance]
    is_honest: bool = False
    is_slow: bool = False
    refuses: bool = False
    flows: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.flows.set()

    def heal(self) -> None:
        """Be good from now on."""
        self.is_honest = True
        self.is_slow = self.refuses = False
        self.flows.set()

    def count(self, fault: str) -> None:
        """Count a fault; "" is none."""
        if fault:
            self.counts[fault] += 1

    @contextmanager
    def disturbed(self) -> Iterator[None]:
        """Note the time in which a fault disturbs this line."""
        began = time.time()
        try:
            yield
        finally:
            self.disturbances.append(Disturbance(self.device, began, time.time()))
