"""Admissions that arrive together share a commit, as drafts of the log do.

An admission that fails costs itself alone: it has a savepoint of its own, and a commit that the
database refuses is tried again prompt by prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

from django.db import DatabaseError, transaction

from sessions.control.admission.sent import Sent
from sessions.control.admission.standing import Receipt
from sessions.control.send import admit, send
from sessions.core.errors import ChatError

# So many share a commit: it holds up the log's own commits on SQLite for some milliseconds.
MOST: Final = 32

Outcome = Receipt | Exception
_FIRST: Final = UUID(int=0)


def send_all(prompts: Sequence[Sent]) -> list[Outcome]:
    """Admit prompts in one transaction; return the receipt or the refusal of each, in order."""
    if len(prompts) == 1:
        return [_tried(send, prompts[0])]
    try:
        with transaction.atomic():
            return _admitted(prompts)
    except (DatabaseError, MemoryError):
        # One of them may be the cause, and a prompt that was admitted after all has its receipt.
        return [_tried(send, sent) for sent in prompts]


def _admitted(prompts: Sequence[Sent]) -> list[Outcome]:
    # In one order everywhere, so that two commits cannot lock each other out.
    in_order = sorted(range(len(prompts)), key=lambda place: prompts[place].session_id or _FIRST)
    outcomes: dict[int, Outcome] = {}
    for place in in_order:
        try:
            prompts[place].check()
            outcomes[place] = admit(prompts[place])
        except ChatError as exc:
            outcomes[place] = exc
    return [outcomes[place] for place in range(len(prompts))]


def _tried(admission: Callable[[Sent], Receipt], sent: Any) -> Outcome:
    try:
        return admission(sent)
    except Exception as exc:  # noqa: BLE001 (the sender gets every error)
        return exc
