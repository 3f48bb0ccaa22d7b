"""System users of accounts: where CHAT_AGENT_USER names them, an agent runs as its owner's."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from sessions.core.conf import chat
from sessions.core.errors import InvalidSetting

# The variable by which an agent's start knows its system user.
SYSTEM_USER = "BACKSTAY_SYSTEM_USER"


class NoSystemUser(InvalidSetting):
    """An account whose agents cannot run; a prompt fails with the sentence."""


def variables(account: str) -> dict[str, str]:
    """Return the variables of an account's system user, none where all agents run as the server.

    Raises NoSystemUser.
    """
    if not chat.AGENT_USER:
        return {}
    user = find(chat.AGENT_USER.replace("{account}", account))
    names = dict.fromkeys(("USER", "LOGNAME", SYSTEM_USER), user.pw_name)
    return {**names, "HOME": user.pw_dir, "SHELL": user.pw_shell}


def name_of(account: str) -> str:
    """Return the name of the system user that the agents of an account run as.

    "" where there is none such: none of its agents can start.
    """
    try:
        own = variables(account).get(SYSTEM_USER)
    except NoSystemUser:
        return ""
    return own or _server()


def _server() -> str:
    """Return the name of this process's user, its number where it has none."""
    number = os.geteuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def find(name: str) -> pwd.struct_passwd:
    """Return a system user who is not root. Raises NoSystemUser."""
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise NoSystemUser(f"There is no system user {name!r} for this account's agents.") from None
    if user.pw_uid == 0:
        raise NoSystemUser("The agents of an account do not run as root.")
    return user


def identity(env: Mapping[str, str]) -> list[int] | None:
    """Return user, group and all groups of the system user in an environment, if there is one."""
    if not env.get(SYSTEM_USER):
        return None
    user = find(env[SYSTEM_USER])
    return [user.pw_uid, user.pw_gid, *os.getgrouplist(user.pw_name, user.pw_gid)]


def give(folder: Path, identity: list[int]) -> None:
    """Make a system user the owner of a folder of the server's."""
    user, group, *_ = identity
    os.chown(folder, user, group, follow_symlinks=False)
