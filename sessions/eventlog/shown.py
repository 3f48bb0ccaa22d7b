"""The digest of a permission request: it names the action and the answers that a person was shown.

Pure. A client holds the digest of the request that it drew and sends it back with the answer, so an
answer to another action is refused.
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


def digest_of(request: Payload) -> str:
    """Return the SHA-256 of a request's canonical JSON, in hex.

    Sorted keys, no spaces, ASCII: one request has one digest, however its fields are ordered.
    """
    shown = clean({name: request.get(name) for name in FIELDS})
    text = json.dumps(shown, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
