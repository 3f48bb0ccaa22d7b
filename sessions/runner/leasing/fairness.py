"""Turns between users: the queue of one does not keep the agents from the others. Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Waiting:
    """A session with prompts to run and no runner; since: the time of its oldest one."""

    session_id: UUID
    owner_id: int
    since: datetime


def in_turn(
    waiting: Sequence[Waiting],
    *,
    held: Mapping[int, int],
    served: Mapping[int, float],
    limit: int,
) -> list[Waiting]:
    """Return at most limit of the sessions, in the order in which they get an agent.

    The owner with the fewest agents is first, then the owner served longest ago, then the
    prompt that waits longest. held: agents by owner; served: the time of an owner's last turn.
    """
    queues: defaultdict[int, deque[Waiting]] = defaultdict(deque)
    for session in sorted(waiting, key=lambda session: session.since):
        queues[session.owner_id].append(session)
    agents = Counter(held)
    chosen: list[Waiting] = []
    while queues and len(chosen) < limit:
        owner_id = min(
            queues,
            key=lambda owner: (agents[owner], served.get(owner, -math.inf), queues[owner][0].since),
        )
        chosen.append(queues[owner_id].popleft())
        agents[owner_id] += 1
        if not queues[owner_id]:
            del queues[owner_id]
    return chosen


def who_yields(next_owner: int, *, held: Mapping[int, int]) -> int | None:
    """Return the owner to let an agent go for next_owner, None when no other has more."""
    owner_id = max(held, key=lambda owner: held[owner], default=None)
    if owner_id is None or held[owner_id] <= held.get(next_owner, 0):
        return None
    return owner_id
