"""One entry of the audit trail: a row that never changes, and a line of the logger.

An entry names a credential and never holds one: no password, no token, no link, no text of a chat.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import DatabaseError, transaction
from django.utils import timezone

from sessions.core import storage
from sessions.core.clean import clean_text
from sessions.core.source import Source
from sessions.models import AuditEntry
from sessions.trail import head

logger = logging.getLogger(__name__)
# One JSON object per line, independent of LOG_FORMAT.
lines: Final = logging.getLogger("backstay.audit")

NOWHERE: Final = Source()
# A command on the machine itself.
TERMINAL: Final = Source(credential="terminal")
PRUNE_BATCH: Final = 1_000


class Act(StrEnum):
    """The kind of an entry."""

    LOG_IN = "log_in"
    LOG_IN_FAILED = "log_in_failed"
    LOG_OUT = "log_out"
    LINK_MADE = "link_made"
    LINK_USED = "link_used"
    TOKEN_MADE = "token_made"  # noqa: S105 (a word, not a secret)
    TOKEN_USED = "token_used"  # noqa: S105
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    LOG_INS_ENDED = "log_ins_ended"
    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    FACTOR_USED = "factor_used"
    FACTOR_FAILED = "factor_failed"
    RECOVERY_CODES_MADE = "recovery_codes_made"
    RECOVERY_CODE_USED = "recovery_code_used"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    CREDENTIALS_ENDED = "credentials_ended"
    DECISION = "decision"
    RULE_MADE = "rule_made"
    RULE_REMOVED = "rule_removed"
    PROJECT_MADE = "project_made"
    PROJECT_CHANGED = "project_changed"
    PROJECT_REMOVED = "project_removed"
    SESSION_ARCHIVED = "session_archived"
    SESSION_RESTORED = "session_restored"
    SESSION_DELETED = "session_deleted"
    SESSION_EXPORTED = "session_exported"
    SESSION_IMPORTED = "session_imported"
    SESSION_REWOUND = "session_rewound"
    WORKTREE_MERGED = "worktree_merged"
    WORKTREE_DISCARDED = "worktree_discarded"
    CHANGES_DISCARDED = "changes_discarded"
    CHANGES_COMMITTED = "changes_committed"
    MODE_CHANGED = "mode_changed"
    OPTION_CHANGED = "option_changed"
    CLONE_BEGUN = "clone_begun"
    MCP_SERVER_MADE = "mcp_server_made"
    MCP_SERVER_REMOVED = "mcp_server_removed"
    AGENT_ADDED = "agent_added"
    AGENT_REMOVED = "agent_removed"
    AGENT_LOG_IN = "agent_log_in"
    ADMIN = "admin"


def record(
    act: Act, *, who: str = "", about: str = "", source: Source = NOWHERE, **facts: Any
) -> None:
    """Append one entry, in the transaction of the act if there is one.

    A disk without room stops no act: the entry is in the log's line alone.
    """
    append([entry(act, who=who, about=about, source=source, **facts)])


def record_chat(
    act: Act, user: AbstractBaseUser, session_id: UUID, source: Source, **facts: Any
) -> None:
    """Append the entry of a person's act on a chat."""
    about = f"session:{session_id}"
    record(act, who=user.get_username(), about=about, source=source, **facts)


def entry(
    act: Act, *, who: str = "", about: str = "", source: Source = NOWHERE, **facts: Any
) -> AuditEntry:
    """Return an entry that is not in the trail yet."""
    return AuditEntry(
        at=timezone.now(),
        act=act,
        who=_cut("who", who),
        about=_cut("about", about),
        address=_cut("address", source.address),
        credential=_cut("credential", source.credential),
        credential_name=_cut("credential_name", source.name),
        connection=_cut("connection", source.connection),
        facts=facts,
    )


def append(entries: list[AuditEntry]) -> None:
    """Append entries. Raises DatabaseError for every reason but a full disk."""
    try:
        with transaction.atomic():
            AuditEntry.objects.bulk_create(entries)
    except (DatabaseError, MemoryError) as exc:
        if storage.refusal(exc) is None:
            raise
        logger.error("the audit trail has no room", extra={"entries": len(entries)})  # noqa: TRY400 (the kind says it all)
    for one in entries:
        transaction.on_commit(partial(_say, one))


def told(one: AuditEntry) -> dict[str, Any]:
    """Return an entry as a JSON object; "" and {} are left out."""
    fields = {
        "at": one.at.isoformat(timespec="milliseconds"),
        "act": str(one.act),
        "who": one.who,
        "about": one.about,
        "address": one.address,
        "credential": one.credential,
        "credentialName": one.credential_name,
        "connection": one.connection,
        "facts": one.facts,
    }
    return {name: value for name, value in fields.items() if value}


def prune(*, before: datetime) -> int:
    """Remove the entries before a moment and return their number: the one door out of the trail.

    The newest stays: by it a database from a backup is recognised.
    """
    removed = 0
    old = AuditEntry.objects.filter(at__lt=before, pk__lt=head.newest()).order_by("pk")
    while keys := list(old.values_list("pk", flat=True)[:PRUNE_BATCH]):
        rows = AuditEntry.objects.filter(pk__in=keys)
        removed += rows._raw_delete(rows.db)  # noqa: SLF001 (the query set's own delete refuses)
    return removed


def end_of_retention(days: int) -> datetime:
    """Return the moment before which entries are older than so many days."""
    return timezone.now() - timedelta(days=days)


def _say(one: AuditEntry) -> None:
    """Write an entry as one line of the log, which takes plain values alone."""
    if one.pk is not None:
        head.remember(one)
    said = told(one)
    facts = json.dumps(said.get("facts", {}), ensure_ascii=False)
    lines.info(said["act"], extra=said | {"facts": facts})


def _cut(field: str, text: str) -> str:
    longest: int = vars(AuditEntry._meta.get_field(field))["max_length"]  # noqa: SLF001 (a public name)
    return clean_text(text)[:longest]
