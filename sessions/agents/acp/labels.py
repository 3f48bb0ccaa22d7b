"""What an agent calls things, cut to what a label shows; ids, exchanged for some that fit.

An agent may call a tool by three megabytes. Names are stored with every event of a tool and shown
in one line, so what is longer is a mistake, or worse.
"""

from __future__ import annotations

import hashlib

MAX_LABEL_CHARS = 300
MAX_ID_CHARS = 128
# Of what a person may choose from at once: the answers to a request, the modes.
MAX_CHOICES = 50


def label(text: str) -> str:
    """Return text as a label, an ellipsis in place of what is too long."""
    return text if len(text) <= MAX_LABEL_CHARS else text[: MAX_LABEL_CHARS - 1] + "…"


def short_id(own: str) -> str:
    """Return an id itself where it fits, else one for it: always the same, and for no other id."""
    if len(own) <= MAX_ID_CHARS:
        return own
    digest = hashlib.sha256(own.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{own[:32]}~{digest}"
