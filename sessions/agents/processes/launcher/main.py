"""The launcher's order of work: limits, view, powers, rules, then the agent's own program."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, NoReturn

from sessions.agents.processes.launcher import identity, landlock, limits, view

# The variable in which the server says how; the agent does not get it.
ORDER = "BACKSTAY_LAUNCH"
FAILED = 126


def main() -> NoReturn:
    """Confine this process as ORDER says, then execute the command in the arguments.

    Ends with FAILED and a sentence where something is missing: an agent never starts half confined.
    """
    try:
        order = json.loads(os.environ.pop(ORDER))
        _confine(order)
        os.chdir(order["cwd"])
        os.execve(order["program"], order["command"], os.environ)  # noqa: S606 (no shell on purpose)
    except (OSError, KeyError, ValueError) as exc:
        sys.stderr.write(f"The agent could not be confined: {exc}.\n")
    sys.exit(FAILED)


def _confine(order: dict[str, Any]) -> None:
    identity.make_folders(order["made"], order["identity"])
    if order["view"]:
        view.enter(
            order["view"],
            read=order["read"],
            write=order["write"],
            links=order["links"],
            hidden=order["hidden"],
            temporary=order["temporary"],
        )
    # After the view: in a user namespace of its own an agent's processes are counted apart.
    limits.apply(processes=order["processes"], open_files=order["open_files"])
    limits.give_up_powers()
    if order["identity"]:
        identity.take(order["identity"])
    if order["landlock"]:
        _rules(order).enforce()
    if order["ports"] is not None:
        landlock.restrict(order["ports"])
        os.close(order["ports"])


def _rules(order: dict[str, Any]) -> landlock.FileRules:
    rules = landlock.FileRules()
    for path in (*order["read"], "/proc", "/sys"):
        rules.allow(path, landlock.READ)
    for path in order["write"]:
        rules.allow(path, landlock.WRITE)
    for name in (*view.DEVICES, "ptmx", "pts"):
        rules.allow(f"/dev/{name}", landlock.DEVICE)
    if order["view"]:
        rules.allow("/", landlock.LIST)  # nothing exists but the allowed paths
        for path in view.TEMPORARY:
            rules.allow(path, landlock.WRITE)
    return rules
