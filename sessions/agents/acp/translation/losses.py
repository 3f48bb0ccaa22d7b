"""Messages of an agent that had to be left out: counted, and told in one sentence.

A flood of them is one sentence, too, at the end of a turn.
"""

from __future__ import annotations

from collections import Counter

from sessions.agents.acp.translation.labels import label
from sessions.agents.port import Notice

CODE = "messages_left_out"
MAX_KINDS = 5


class Losses:
    """The messages of one agent that were left out since the last `told`."""

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._count = 0
        self._kinds: Counter[str] = Counter()

    def add(self, kind: str) -> None:
        """Note a message; kind: a description for a person."""
        self._count += 1
        if kind in self._kinds or len(self._kinds) < MAX_KINDS:
            self._kinds[label(kind)] += 1

    def told(self) -> list[Notice]:
        """Return the sentence about the messages so far, if any, and begin again."""
        if not self._count:
            return []
        kinds = "; ".join(f"{kind} ({n})" if n > 1 else kind for kind, n in self._kinds.items())
        how_many = "1 message" if self._count == 1 else f"{self._count} messages"
        self._count = 0
        self._kinds.clear()
        return [Notice(CODE, f"The server left out {how_many} of {self._agent}: {kinds}.")]
