"""What a turn cost, from an agent's running total: ACP has agents tell that of their session alone.

Some keep the total over all their processes (Claude's CLI, opencode), others begin anew in each
(claude-agent-acp), and none says which it does: a total below the last one has begun anew.
"""

from __future__ import annotations

# Sums of costs are off by the rounding of floats; nothing that is paid for costs as little.
ROUNDING_USD = 1e-6


class CostMeter:
    """One agent process. total_usd: what was told, or counted before this process, so far."""

    def __init__(self) -> None:
        self.total_usd = 0.0

    def spent(self, total_usd: float) -> float:
        """Return what was added since the last total: all of it where the count began anew."""
        before, self.total_usd = self.total_usd, total_usd
        if total_usd < before - ROUNDING_USD:
            return total_usd
        return max(total_usd - before, 0.0)
