"""A turn costs what an agent's running total rose by, or all of a total that began anew."""

import pytest

from sessions.agents.acp.translation.cost import CostMeter


@pytest.mark.parametrize(
    ("before", "totals", "turns"),
    [
        (0.0, [0.25, 0.5, 0.5], [0.25, 0.25, 0.0]),
        (0.5, [0.75, 1.0], [0.25, 0.25]),
        (0.5, [0.25, 0.5, 0.75], [0.25, 0.25, 0.25]),
        (0.1 + 0.2, [0.3, 0.4], [0.0, 0.1]),  # a sum is a little more than its parts
        (0.3, [0.1 + 0.2], [0.0]),
    ],
)
def test_what_turns_cost_by_the_totals_told_at_their_ends(before, totals, turns):
    meter = CostMeter()
    meter.total_usd = before
    assert [meter.spent(total) for total in totals] == pytest.approx(turns)
