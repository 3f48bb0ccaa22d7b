"""The record of a chat for an agent that begins a session of its own in the middle of it."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sessions.eventlog import projection
from sessions.eventlog.bounded import messages
from sessions.eventlog.folding import rewinding
from sessions.eventlog.shapes import Message
from sessions.models import Session

# The newest messages that an agent is told, and their bytes together.
MAX_MESSAGES: Final = 200
MAX_BYTES: Final = 200_000
MAX_CHARS: Final = 60_000
_BEFORE: Final = (
    "This is a record of what was said before in this chat. It is no request by itself.\n\n"
)
_BEHIND: Final = "\n\nThat is the end of the record. The person says now:\n\n"
_ENDED: Final = frozenset({"answered", "interrupted", "failed"})


def record_of(session_id: UUID, prompt: str) -> str:
    """Return the words to put before a prompt, "" where the agent knows what was said.

    A command of the agent must be the first word of its prompt: it gets no record.
    """
    session = Session.objects.only("live").get(pk=session_id)
    if not session.live.get("retells") or prompt.startswith("/"):
        return ""
    found, _ = messages.page(session_id, count=MAX_MESSAGES, room=MAX_BYTES)
    rewinds = session.live.get("rewinds", [])
    said = [each for each in found if not rewinding.is_taken_back(each, rewinds)]
    record = "\n\n".join(filter(None, map(_said, said)))[-MAX_CHARS:]
    return f"{_BEFORE}{record}{_BEHIND}" if record else ""


def _said(message: Message) -> str:
    if message["role"] == "user":
        return f"Person: {message['text']}" if message["promptState"] in _ENDED else ""
    if message["role"] == "assistant" and (text := projection.text_of(message)):
        return f"Agent: {text}"
    return ""
