"""The environment of an agent: an allow-list, so that no secret of the server ever reaches it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

# Needed by programs to find their files, speak a language and reach the network.
ALLOWED = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "COLORTERM", "TZ", "TMPDIR",
        "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "LC_COLLATE", "LC_TIME",
        "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
        "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
        "http_proxy", "https_proxy", "no_proxy", "all_proxy",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
    }
)  # fmt: skip


def build(pass_names: Iterable[str] = (), fixed: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for an agent: the allow-list, pass_names where set, then fixed."""
    # Handing variables on is not configuration: settings.py alone reads what the server obeys.
    names = ALLOWED | set(pass_names)
    inherited = {name: os.environ[name] for name in names if name in os.environ}
    given = dict(fixed or {})
    if "HOME" in given:  # the folders of another home
        inherited = {name: v for name, v in inherited.items() if not name.startswith("XDG_")}
    return inherited | given


def without_git_helpers(*, trust: bool) -> dict[str, str]:
    """Return variables by which the status of a repository starts no program that it names.

    Agents ask git for the status of a folder at once. These settings stand above the folder's.
    """
    if trust:
        return {}
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": "false",
    }
