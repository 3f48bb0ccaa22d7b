"""The action of a permission request holds every change that is drawn nowhere else."""

from __future__ import annotations

from sessions.agents.acp.translation.tools.action import action_of
from sessions.agents.acp.translation.tools.shown import MAX_ITEMS


def test_changes_behind_the_drawn_ones_come_with_the_input() -> None:
    changes = [{"path": f"{number}.py", "newText": "a"} for number in range(MAX_ITEMS + 2)]
    told = action_of({"input": "a patch of many files"}, changes=changes, paths=[], text="")
    assert told["changes"] == changes[MAX_ITEMS:]
