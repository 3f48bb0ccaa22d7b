"""The fault suite itself, shortly: one process on SQLite, then several on PostgreSQL and Redis."""

import asyncio
import os

import pytest

from lab.chaos import hostile
from lab.chaos.people.hostile_agent import ATTACKS
from lab.chaos.report import table
from lab.chaos.run import play, why_no_page

SECONDS = 6.0


# Slow: it breaks things for SECONDS, and then waits until leases, turns and queues have ended.
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("system", "seed"), [("embedded", 1), ("distributed", 2)])
def test_no_promise_is_broken_while_everything_else_is(system, seed):
    assert why_no_page() == ""
    run = asyncio.run(play(system, seed=seed, seconds=SECONDS, devices=4, has_page=True))
    print(table(run))
    assert [str(violation) for violation in run.violations] == []
    # A run in which nothing happened would prove nothing.
    assert sum(run.evidence.faults.values()) >= 5
    assert len(run.evidence.prompts) >= 3
    assert run.delays
    (page,) = (record for record in run.evidence.records if record.device == "page")
    assert page.shown
    assert any(life.applied for life in page.lives)
    assert not [pid for pid in run.pids if _runs(pid)]


# Slow: as above, and each attack is a turn, some of which end by their deadline.
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hostile_agent_harms_nobody(tmp_path):
    run = asyncio.run(play("embedded", seed=3, seconds=SECONDS, devices=3, is_hostile=True))
    print(table(run))
    assert [str(violation) for violation in run.violations] == []
    [attacked] = [s for s in run.evidence.sessions.values() if s.owner == hostile.OWNER]
    told = str(attacked.events)
    # A turn that a fault of the schedule has cut off may be silent.
    tried = [name for name in ATTACKS if f"tried {name}" in told]
    assert {"files", "signals", "ports"} & set(tried)
    assert len(tried) >= len(ATTACKS) // 2
    assert len(run.evidence.prompts) > len(ATTACKS)
    assert not [pid for pid in run.pids if _runs(pid)]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
