"""I7: interrupts at random moments never leave a turn open, ended twice, or a process behind."""

import pytest

from tests.agents.storm import PROMPTS, storm
from tests.support.running import running_chat


@pytest.mark.django_db(transaction=True)
async def test_i7_interrupts_at_random_moments(settings):
    settings.CHAT = {"SENDS_PER_MINUTE": 100_000, "INTERRUPT_TIMEOUT_S": 1}
    async with running_chat() as chat:
        tally = await storm(chat, agent="demo", count=60, seed=1, prompts=PROMPTS)
    assert sum(n for what, n in tally.items() if what.startswith("prompt")) == 60
    assert tally["interrupted"] > 0
