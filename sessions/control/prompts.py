"""The way of a prompt: accepted → dispatched → done, interrupted or failed.

Each step changes the prompt's row and appends its events in one transaction. A step may be repeated
when its answer was lost: the second time it changes nothing.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from sessions.control import lifecycle
from sessions.control.permissions import cancelled_permissions
from sessions.control.questions import cancelled_questions
from sessions.core.errors import NotWaiting
from sessions.eventlog import drafts, store
from sessions.eventlog.events import Draft, Origin, Resolution, StopReason
from sessions.eventlog.folding.parts import prompt_state
from sessions.eventlog.lease import Lease
from sessions.eventlog.shapes import Attachment
from sessions.models import Message, Prompt, PromptQuerySet, Session
from sessions.workspace.checkpoints.model import Checkpoint

_FINISHED = {
    "answered": Prompt.State.DONE,
    "interrupted": Prompt.State.INTERRUPTED,
    "failed": Prompt.State.FAILED,
}


@dataclass(frozen=True, slots=True)
class AcceptedPrompt:
    """A prompt that was accepted and not yet handed to an agent."""

    row_id: int
    client_msg_id: str
    seq: int
    text: str
    # Of the text: an edit since then makes this one worthless.
    version: int
    # What will answer, as far as it is known when the prompt is handed over.
    model: str | None = None
    effort: str | None = None
    attachments: tuple[Attachment, ...] = ()
    mentions: tuple[str, ...] = ()
    # The state of the folder before it, where it was kept.
    checkpoint: Checkpoint | None = None
    # Put before the text, for an agent that does not know what was said.
    record: str = ""


def next_accepted(session_id: UUID) -> AcceptedPrompt | None:
    """Return the prompt that runs next, or None."""
    row = waiting(session_id).first()
    return None if row is None else _accepted(row)


def waiting(session_id: UUID) -> PromptQuerySet:
    """Return the prompts of a session that wait, in the order in which they run."""
    return Prompt.objects.waiting().filter(session_id=session_id).in_order()


def oldest_waiting(session_id: UUID) -> int | None:
    """Return the seq of the prompt that has waited longest, wherever it was moved."""
    return waiting(session_id).order_by("seq").values_list("seq", flat=True).first()


def _accepted(row: Prompt) -> AcceptedPrompt:
    # The text is read after its version: an edit in between is found at the handover.
    data = Message.objects.values_list("data", flat=True).get(
        session_id=row.session_id, seq=row.seq
    )
    files = tuple(data.get("attachments", ()))
    return AcceptedPrompt(
        row.pk,
        row.client_msg_id,
        row.seq,
        data["text"],
        row.version,
        attachments=files,
        mentions=tuple(data.get("mentions", ())),
    )


def dispatch(lease: Lease, prompt: AcceptedPrompt, turn_id: str) -> None:
    """Record that a prompt is handed to the agent now. From here on it is never run again (I10).

    Raises NotWaiting when it was ended, edited, withdrawn or overtaken before it got there.
    """
    with transaction.atomic():
        session = lifecycle.locked(lease.session_id)
        if prompt.row_id in list(waiting(lease.session_id).values_list("pk", flat=True))[1:]:
            raise NotWaiting
        if _take(prompt, turn_id):
            begun = [*_checkpoint_of(prompt), _turn_start(turn_id, prompt, agent=session.agent)]
            store.append(lease.session_id, begun, lease=lease)


def begin_own(
    lease: Lease, turn_id: str, *, model: str | None = None, effort: str | None = None
) -> None:
    """Record that the agent has begun a turn by itself. Repeated, it changes nothing."""
    with transaction.atomic():
        session = lifecycle.locked(lease.session_id)
        if not _is_open(session, turn_id):
            begun = drafts.turn_start(
                turn_id=turn_id,
                origin=Origin.AGENT,
                agent=session.agent,
                model=model,
                effort=effort,
            )
            store.append(lease.session_id, [begun], lease=lease)


def finish(lease: Lease, turn_id: str, end: Draft) -> None:
    """End a turn: cancel its open permission requests, append its turn_end, settle the prompt."""
    with transaction.atomic():
        session = lifecycle.locked(lease.session_id)
        if not _is_open(session, turn_id):
            return
        cancelled = cancelled_requests(session, reason=Resolution.INTERRUPTED)
        store.append(lease.session_id, [*cancelled, end], lease=lease)
        settle(session, turn_id, end.payload["stopReason"])


def refuse(
    lease: Lease,
    prompt: AcceptedPrompt,
    turn_id: str,
    *,
    stop_reason: StopReason,
    error: str | None = None,
) -> None:
    """End a prompt that no agent ever got: its turn begins and ends at once.

    Raises NotWaiting when it was ended already.
    """
    with transaction.atomic():
        session = lifecycle.locked(lease.session_id)
        if not _take(prompt, turn_id):
            return
        end = drafts.turn_end(turn_id=turn_id, stop_reason=stop_reason, error=error)
        store.append(lease.session_id, [_turn_start(turn_id, prompt), end], lease=lease)
        settle(session, turn_id, stop_reason)


def refuse_waiting(lease: Lease, *, before: int) -> bool:
    """End every prompt that waits and came before seq: a stop means them too.

    Return False, and change nothing, while a turn is open: turns do not begin inside another.
    """
    with transaction.atomic():
        session = lifecycle.locked(lease.session_id)
        if session.live.get("turn"):
            return False
        for row in waiting(session.pk).filter(seq__lt=before):
            refuse(lease, _accepted(row), new_turn_id(), stop_reason=StopReason.INTERRUPTED)
        return True


def cancelled_requests(session: Session, *, reason: Resolution) -> list[Draft]:
    """Return the events that close every open request and question of a locked session."""
    permissions = cancelled_permissions(session, reason=reason)
    return [*permissions, *cancelled_questions(session, reason=reason)]


def new_turn_id() -> str:
    """Return an id for a turn, unique for ever."""
    return f"t-{uuid.uuid4()}"


def _checkpoint_of(prompt: AcceptedPrompt) -> list[Draft]:
    kept = prompt.checkpoint
    if kept is None:
        return []
    name = prompt.client_msg_id
    made = drafts.checkpoint_made(
        checkpoint_id=kept.name, files=kept.files, client_msg_id=name, left_out=kept.left_out
    )
    return [made]


def _turn_start(turn_id: str, prompt: AcceptedPrompt, *, agent: str | None = None) -> Draft:
    return drafts.turn_start(
        turn_id=turn_id,
        client_msg_id=prompt.client_msg_id,
        origin=Origin.PERSON,
        agent=agent,
        model=prompt.model,
        effort=prompt.effort,
        retold=bool(prompt.record),
    )


def _take(prompt: AcceptedPrompt, turn_id: str) -> bool:
    """Take a waiting prompt out of the queue; return False when this turn has it already.

    Raises NotWaiting when another turn has or had it, and when its text is another one by now.
    """
    rows = Prompt.objects.filter(pk=prompt.row_id)
    taken = (
        rows.waiting()
        .filter(version=prompt.version)
        .update(state=Prompt.State.DISPATCHED, turn_id=turn_id, dispatched_at=timezone.now())
    )
    if not taken and not rows.filter(turn_id=turn_id).exists():
        raise NotWaiting
    return bool(taken)


def _is_open(session: Session, turn_id: str) -> bool:
    turn = session.live.get("turn")
    return turn is not None and turn["turnId"] == turn_id


def settle(session: Session, turn_id: str, stop_reason: str) -> None:
    """Record the outcome of a turn on its prompt."""
    Prompt.objects.filter(session=session, turn_id=turn_id).update(
        state=_FINISHED[prompt_state(stop_reason)], finished_at=timezone.now()
    )
