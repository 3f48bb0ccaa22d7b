"""Texts of a fixed form, as JSON Schema names them: email, uri, date and date-time. Pure.

Each check takes time that grows with the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

MAX_EMAIL_CHARS: Final = 254
# The rule of HTML's field for an address, so that a page and the server agree.
_LABEL: Final = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_EMAIL: Final = re.compile(rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*")
# RFC 3986, with a scheme; further characters are percent-encoded.
_URI: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+"
)
_WEB: Final = frozenset({"http", "https"})
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# RFC 3339; a leap second is one.
_TIME: Final = re.compile(
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])",
    re.IGNORECASE,
)


def is_email(text: str) -> bool:
    """Return whether a text is the address of a mailbox."""
    return len(text) <= MAX_EMAIL_CHARS and _EMAIL.fullmatch(text) is not None


def is_uri(text: str) -> bool:
    """Return whether a text is a whole URI; one of the web names a host."""
    if _URI.fullmatch(text) is None:
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme not in _WEB or bool(parts.hostname)
    except ValueError:
        return False


def is_date(text: str) -> bool:
    """Return whether a text is a day, as 2026-12-31."""
    if _DATE.fullmatch(text) is None:
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_moment(text: str) -> bool:
    """Return whether a text is a moment of RFC 3339, which names its zone."""
    return is_date(text[:10]) and text[10:11] in ("T", "t") and bool(_TIME.fullmatch(text[11:]))


# By their names in JSON Schema.
CHECKS: Final[Mapping[str, Callable[[str], bool]]] = MappingProxyType(
    {"email": is_email, "uri": is_uri, "date": is_date, "date-time": is_moment}
)
