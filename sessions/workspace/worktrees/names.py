"""Names of branches, by git's own rules (git check-ref-format). Pure."""

from __future__ import annotations

import re
from typing import Final

from sessions.core.clean import clean_text

MAX_CHARS: Final = 200
# A part is a name on the disk, with ".lock" behind it for a moment.
MAX_PART_BYTES: Final = 250
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")


def is_branch(name: str) -> bool:
    """Return whether git takes a name for a branch, and no option, revision or path for it."""
    parts = name.split("/")
    return (
        0 < len(name) <= MAX_CHARS
        and clean_text(name) == name
        and name.isprintable()
        and name not in {"@", "HEAD"}
        and not name.startswith("-")
        and not _FORBIDDEN.search(name)
        and all(_is_part(part) for part in parts)
    )


def _is_part(part: str) -> bool:
    return (
        bool(part)
        and not part.startswith(".")
        and not part.endswith((".", ".lock"))
        and len(part.encode()) <= MAX_PART_BYTES
    )
