"""The right of a reader of the plain feed: checked as long as it reads (I11).

A feed has no row that is renewed, as a stream has; so its right is a value, and all of them are
checked together.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sessions.access.credentials import revoked
from sessions.models import Session


@dataclass(frozen=True, slots=True)
class Right:
    """One reader of one session, with its credential (access.credentials.credential_of)."""

    user_id: int
    session_id: UUID
    credential: str


def lapsed(rights: Collection[Right]) -> set[Right]:
    """Return those rights that are none any more. At most three queries, however many there are.

    The session is another's, the account is closed, or its password is another one; the token or
    the log-in is gone.
    """
    rows = Session.objects.filter(
        pk__in={right.session_id for right in rights}, owner__is_active=True
    )
    passwords = {
        (owner_id, session_id): password
        for owner_id, session_id, password in rows.values_list("owner_id", "pk", "owner__password")
    }
    mine = {right for right in rights if (right.user_id, right.session_id) in passwords}
    bad = revoked((r.credential, passwords[r.user_id, r.session_id]) for r in mine)
    return {right for right in rights if right not in mine or right.credential in bad}
