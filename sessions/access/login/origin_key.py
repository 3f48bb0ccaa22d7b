"""The key of a browser's log-in, which belongs to one origin: scheme, host and port.

Cookies know no ports: a server on another port of this host gets the log-in cookie with every
link that leads there. So a log-in has a key beside its cookie. The page that logs in makes it and
keeps it in its storage, which browsers keep by origin. The API and the streams want both.
"""

from __future__ import annotations

import re
import secrets
from typing import Any, Final

from django.http import HttpRequest

from sessions.access.digest import digest

HEADER: Final = "X-Origin-Key"
FIELD: Final = "origin_key"
# The same log-in at several addresses: through a proxy and directly, say.
MAX_KEYS: Final = 5
_KEYS: Final = "origin_keys"
_KEY: Final = re.compile(r"[A-Za-z0-9-]{32,100}")


def bind(request: HttpRequest) -> None:
    """Add the keys of a form to its log-in, which has just been made or confirmed."""
    given = [digest(key) for key in _KEY.findall(request.POST.get(FIELD, ""))]
    known = request.session.get(_KEYS, [])
    fresh = [key for key in dict.fromkeys(given) if key not in known]
    if fresh:
        request.session[_KEYS] = [*known, *fresh][-MAX_KEYS:]


def is_held(session: Any, text: str) -> bool:
    """Return whether a text of keys, with spaces between, has one of a log-in."""
    given = [digest(key) for key in text.split()[:MAX_KEYS]]
    known = session.get(_KEYS, [])
    return any(secrets.compare_digest(key, one) for key in given for one in known)


def is_in_form(request: HttpRequest) -> bool:
    """Return whether a form carries a key of its log-in."""
    return is_held(request.session, request.POST.get(FIELD, ""))
