"""Interrupts at random moments: the server lives, every turn ends once, no process is left over."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from sessions.agents.base import InterruptCode
from tests.agents.backends import CLAUDE_SDK, CODEX, DEMO
from tests.agents.contract import Backend, driven

# For all three together; INTERRUPTS=30 is a quick look.
INTERRUPTS = int(os.environ.get("INTERRUPTS", "1000"))
TURNS_PER_PROCESS = 50


@pytest.mark.agents
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("backend", [DEMO, CODEX, CLAUDE_SDK], ids=lambda backend: backend.name)
async def test_interrupts_at_random_moments(backend: Backend, tmp_path: Path):
    chance = random.Random(backend.name)
    left = -(-INTERRUPTS // 3)
    codes: dict[InterruptCode, int] = {}
    while left > 0:
        async with driven(backend, tmp_path) as driver:
            for _ in range(min(TURNS_PER_PROCESS, left)):
                first = len(driver.updates)
                await driver.send(chance.choice([backend.long, backend.short, backend.tool]))
                await asyncio.sleep(chance.choice([0.0, 0.02, 0.2, 0.5]) * chance.random())
                result = await driver.agent.interrupt(timeout_s=10)
                codes[result.code] = codes.get(result.code, 0) + 1
                await driver.end_of_turn(first)
                left -= 1
            first = len(driver.updates)
            turn = await driver.turn(backend.short)
            assert turn.done.stop_reason in backend.ends
    print(backend.name, codes)
    assert codes.keys() <= {InterruptCode.ACKNOWLEDGED, InterruptCode.NOT_RUNNING}
