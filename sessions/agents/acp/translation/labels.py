"""Names and ids from an agent, made short enough to store with every event and to show in a line.

An agent may call a tool by three megabytes. A longer name is cut; a longer id is exchanged for one
that fits.
"""

from __future__ import annotations

import hashlib

from sessions.core.clean import clean_text

MAX_LABEL_CHARS = 300
# The narrowest column that holds an id of an agent: the mode of a session.
MAX_ID_CHARS = 64
# The most answers to a request, or modes, that a person may choose from.
MAX_CHOICES = 50
# Ids that are remembered, to know one that comes again.
MAX_REMEMBERED = 10_000


def label(text: str) -> str:
    """Return text as a label, an ellipsis in place of the part that is too long."""
    text = clean_text(text)
    return text if len(text) <= MAX_LABEL_CHARS else text[: MAX_LABEL_CHARS - 1] + "…"


def short_id(own: str) -> str:
    """Return an id itself where it fits, also in bytes, else a digest.

    The same each time, unique to the id.
    """
    if fits(own) and len(own.encode()) <= MAX_ID_CHARS:
        return own
    digest = hashlib.sha256(own.encode("utf-8", "surrogatepass")).hexdigest()
    beginning = "".join(filter(str.isprintable, own[:16]))
    return f"{beginning}~{digest[:32]}"


def fits(own: str) -> bool:
    """Return whether an id can be stored as it is."""
    return len(own) <= MAX_ID_CHARS and own.isprintable()


class Ids:
    """Ids for the log, made of an agent's own: it may use one again for another thing."""

    def __init__(self) -> None:
        self._times: dict[str, int] = {}

    def new(self, own: str) -> str:
        """Return the id itself, or one of a further occurrence."""
        candidate = first = short_id(own)
        while candidate in self._times:
            self._times[first] += 1
            candidate = short_id(f"{own}~{self._times[first]}")
        self._times[candidate] = 1
        if len(self._times) > MAX_REMEMBERED:
            del self._times[next(iter(self._times))]
        return candidate
