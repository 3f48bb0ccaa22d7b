"""The credentials that an agent would use: their names, never a value, found without a start.

They are looked for as this process sees them: its environment, and the home of the system user.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Final

from sessions.agents import registry
from sessions.agents.definitions import Definition
from sessions.agents.processes import accounts
from sessions.agents.processes.environment import build

NONE_NEEDED: Final = "none needed"
NONE_FOUND: Final = "none found"
# Of an agent whose definition names neither a variable nor a file of a log-in.
UNKNOWN: Final = "its own, which its definition does not name"
# A variable of such a name holds a secret.
_SECRET: Final = re.compile(r"(^|_)(KEY|TOKEN|SECRET|PASSWORD)($|_)")
_VARIABLE: Final = re.compile(r"^\$([A-Za-z_][A-Za-z0-9_]*)")


def of(name: str, account: str = "") -> str:
    """Return the names of the credentials of an agent as words. Blocking. Raises UnknownAgent.

    account: the name of the user whose chat it is; "": that of the server. The agent chooses among
    several.
    """
    definition = registry.find(name)
    secrets = [one for one in (*definition.pass_env, *definition.env) if _SECRET.search(one)]
    found = list(_found(definition, secrets, account))
    if found:
        return " or ".join(found)
    if secrets or definition.log_in_files:
        return NONE_FOUND
    return NONE_NEEDED if definition.is_ours else UNKNOWN


def _found(definition: Definition, secrets: list[str], account: str) -> Iterator[str]:
    env = _environment(definition, account)
    for one in dict.fromkeys(secrets):
        if one in definition.env:
            yield f"{one} of its definition"
        elif env.get(one):
            yield f"{one} of the server's environment"
    # A file that is closed to this process is there, too, but not seen.
    if any(os.path.isfile(_expanded(path, env)) for path in definition.log_in_files):  # noqa: PTH113
        yield f"the log-in of {definition.name} on this server"


def _environment(definition: Definition, account: str) -> dict[str, str]:
    try:
        of_account = accounts.variables(account) if account else {}
    except accounts.NoSystemUser:
        of_account = {}
    return build(definition.pass_env, {**definition.env, **of_account})


def _expanded(path: str, env: Mapping[str, str]) -> str:
    """Return a path of an environment; "" where a variable of it is not set."""
    if path.startswith("~/"):
        path = f"$HOME{path[1:]}"
    named = _VARIABLE.match(path)
    if named is None:
        return path
    value = env.get(named[1], "")
    return value + path[named.end() :] if value else ""
