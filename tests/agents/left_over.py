"""What sessions leave over: processes of their agents, and a log in mid-answer."""

import psutil
from django.db import transaction

from sessions.control.send import Receipt, send_message
from sessions.eventlog.events import Draft
from sessions.eventlog.store import append
from sessions.models import Prompt, Session
from tests.support.running import Chat


def processes_of(session_id) -> list[psutil.Process]:
    """Return the processes of a session's agent."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("BACKSTAY_SESSION") == str(session_id):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


@transaction.atomic
def left_behind(chat: Chat) -> tuple[Receipt, Receipt]:
    """Make a session as a killed runner leaves it: in mid-answer, one prompt waiting."""
    receipt = send_message(
        user=chat.user, client_msg_id="handed", session_id=None, text="/slow 1", agent="demo"
    )
    session_id = receipt.session_id
    waiting = send_message(
        user=chat.user, client_msg_id="waiting", session_id=session_id, text="/slow 2"
    )
    ids = {"messageId": "m", "blockId": "b"}
    append(
        session_id,
        [
            Draft("turn_start", {"turnId": "t", "clientMsgId": "handed"}),
            Draft("message_start", {"messageId": "m", "turnId": "t", "role": "assistant"}),
            Draft("block_start", ids | {"blockType": "text"}),
            Draft("block_delta", ids | {"delta": "half an ans"}),
            Draft(
                "permission_request",
                {
                    "permId": "p",
                    "toolName": "run",
                    "title": "?",
                    "input": None,
                    "options": [],
                    "expiresAt": "2026-11-23T08:00:00.000Z",
                },
            ),
        ],
    )
    live = Session.objects.values_list("live", flat=True).get(pk=session_id)
    Prompt.objects.filter(client_msg_id="handed").update(state="dispatched", turn_id="t")
    Session.objects.filter(pk=session_id).update(state="ACTIVE", live=live)
    return receipt, waiting
