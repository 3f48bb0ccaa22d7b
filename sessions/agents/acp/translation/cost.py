"""Tokens and costs of a turn: each agent tells them in another place, and costs as a running total.

ACP has agents tell the costs of their whole session alone. Some keep the total over all their
processes (Claude's CLI, opencode), others begin again in each (claude-agent-acp), and none says
which it does: a total below the last one has begun again.
"""

from __future__ import annotations

from typing import Any, TypeGuard

from sessions.agents import port

# Sums of costs are off by the rounding of floats; nothing that is paid for costs as little.
ROUNDING_USD = 1e-6
# JavaScript's largest exact integer, and more than any turn costs: sums stay finite.
MAX_COUNT = 2**53 - 1
MAX_COST_USD = 1e9
INPUT_COUNTS = ("inputTokens", "cachedReadTokens", "cachedWriteTokens")
GEMINI_COUNTS = {"inputTokens": "input_tokens", "outputTokens": "output_tokens"}

Json = dict[str, Any]


class CostMeter:
    """One agent process. total_usd: the last total; None: the next one is where counting begins."""

    def __init__(self) -> None:
        self.total_usd: float | None = 0.0

    def spent(self, total_usd: float) -> float:
        """Return the amount since the last total: all of it where the count began again."""
        before, self.total_usd = self.total_usd, total_usd
        if before is None:
            return 0.0
        if total_usd < before - ROUNDING_USD:
            return total_usd
        return max(total_usd - before, 0.0)


class TurnUsage:
    """The counts that an agent tells in one turn."""

    def __init__(self) -> None:
        self.total_usd: float | None = None  # of the whole session, as the agent counts
        self._counts: dict[str, int] = {}
        self._context: Json = {}

    def take(self, update: Json) -> None:
        """Note the counts of an update: of the context, or of one request, as qwen tells them."""
        if update.get("sessionUpdate") == "usage_update":
            self._context = update
        told = _object(update, "_meta", "usage")
        for name in GEMINI_COUNTS:  # the part that it read from a cache is in its input
            if _is_count(value := told.get(name)):
                self._counts[name] = self._counts.get(name, 0) + value

    def total(self, result: Json, meter: CostMeter) -> port.Usage | None:
        """Return the turn's usage, with the prompt's answer known; None when nothing was told."""
        counts = _counts(result) or self._counts
        cost_usd = None if self.total_usd is None else meter.spent(self.total_usd)
        if not counts and not self._context and cost_usd is None:
            return None
        used, size = self._context.get("used"), self._context.get("size")
        least = used if _is_count(used) else 0
        return port.Usage(
            # Without counts, the size of the context is the least that the turn has read.
            input_tokens=sum(counts.get(name, 0) for name in INPUT_COUNTS) if counts else least,
            output_tokens=counts.get("outputTokens", 0),
            cost_usd=cost_usd,
            context_window=size if _is_count(size) else None,
        )


def total_cost(update: Json) -> float | None:
    """Return the dollars that a usage update tells for the whole session; None for none."""
    cost = _object(update, "cost")
    amount = cost.get("amount")
    if update.get("sessionUpdate") != "usage_update" or cost.get("currency") != "USD":
        return None
    if not isinstance(amount, int | float) or isinstance(amount, bool):
        return None
    return float(amount) if 0 <= amount <= MAX_COST_USD else None


def _counts(result: Json) -> dict[str, int]:
    """Return the tokens that a prompt's answer tells: in ACP's place, or in Gemini's."""
    said = _object(result, "usage")
    if not said:
        told = _object(result, "_meta", "quota", "token_count")
        said = {ours: told.get(theirs) for ours, theirs in GEMINI_COUNTS.items()}
    return {name: value for name, value in said.items() if _is_count(value)}


def _is_count(value: Any) -> TypeGuard[int]:
    """Return whether value counts something: True, -1 and 1.0 do not."""
    return type(value) is int and 0 <= value <= MAX_COUNT


def _object(value: Any, *path: str) -> Json:
    """Return the object at a path; {} where there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
