"""The digest of a request or a question: it names what a person was shown, and the answers to it.

Pure. A client holds the digest of the request that it drew and sends it back with the answer, so an
answer to another one is refused.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

from sessions.core.clean import clean
from sessions.eventlog.shapes import Payload

# Everything that a client draws, and the name of the request.
FIELDS: Final = (
    "permId",
    "toolName",
    "toolKind",
    "title",
    "input",
    "options",
    "diffs",
    "locations",
)
QUESTION_FIELDS: Final = ("questionId", "title", "schema", "url")


def digest_of(request: Payload, fields: tuple[str, ...] = FIELDS) -> str:
    """Return the SHA-256 of the canonical JSON of a request's fields, in hex.

    Sorted keys, no spaces, ASCII: one request has one digest, however its fields are ordered.
    """
    shown = clean({name: request.get(name) for name in fields})
    text = json.dumps(shown, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
