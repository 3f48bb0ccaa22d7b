"""Times from the future, which a clock that was set back leaves in the rows.

Such a lease would be held for as long as the clock was set back, such a prompt would wait, such a
chat would stay at the head of the list. The log itself keeps its times: an event never changes.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from sessions.core.conf import chat
from sessions.models import Prompt, Session

logger = logging.getLogger(__name__)

# Clocks of several hosts differ by less; a time that is further ahead comes from before.
SLACK_S: Final = 5.0
# Chats that keep their order among one another; those beyond share one moment.
KEPT_IN_ORDER: Final = 1_000


def bring_back() -> int:
    """Change times from the future to now; return how many rows were changed.

    A lease gets LEASE_S from now: its runner, if there is one, renews it in that time.
    """
    now = timezone.now()
    ahead = now + timedelta(seconds=SLACK_S)
    lease_s = timedelta(seconds=chat.LEASE_S)
    leases = Session.objects.filter(lease_until__gt=ahead + lease_s)
    unwatched = Session.objects.filter(unwatched_since__gt=ahead)
    prompts = Prompt.objects.filter(created_at__gt=ahead)
    changed = (
        leases.update(lease_until=now + lease_s)
        + unwatched.update(unwatched_since=now)
        + prompts.update(created_at=now)
        + _reorder(now, ahead)
    )
    if changed:
        logger.warning("the clock was set back", extra={"rows": changed})
    return changed


def _reorder(now: datetime, ahead: datetime) -> int:
    """Bring the last activity of chats back to now, in the order that they have."""
    early = Session.objects.filter(last_activity_at__gt=ahead)
    newest = list(early.order_by("-last_activity_at", "-pk").only("pk")[:KEPT_IN_ORDER])
    for place, session in enumerate(newest):
        session.last_activity_at = now - timedelta(microseconds=place)
    Session.objects.bulk_update(newest, ["last_activity_at"], batch_size=100)
    oldest = now - timedelta(microseconds=len(newest))
    return len(newest) + early.update(last_activity_at=oldest)
