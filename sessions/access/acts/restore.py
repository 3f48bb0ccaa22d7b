"""A database from a backup: the credentials in it end, for some were ended since."""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction

from sessions.access.login_store import SessionStore
from sessions.account_models import ApiToken, BrowserLogin, LoginLink
from sessions.trail import head
from sessions.trail.record import TERMINAL, Act, record

logger = logging.getLogger(__name__)


def check() -> bool:
    """End all credentials of a database that is older than this machine knows; return whether."""
    if not head.is_behind():
        return False
    end_credentials(why="the database comes from a backup")
    logger.warning(
        "the database comes from a backup: all tokens, log-ins and one-time links have ended"
    )
    return True


def end_credentials(*, why: str, keep_tokens: bool = False) -> None:
    """End all tokens, log-ins and one-time links; where tokens are kept, a restore stays known."""
    with transaction.atomic():
        log_ins, _ = SessionStore.get_model_class().objects.all().delete()
        tokens, _ = (0, {}) if keep_tokens else ApiToken.objects.all().delete()
        links, _ = LoginLink.objects.all().delete()
        BrowserLogin.objects.all().delete()
        counts: dict[str, Any] = {"tokens": tokens, "log_ins": log_ins, "links": links}
        record(Act.CREDENTIALS_ENDED, source=TERMINAL, why=why, **counts)
    if not keep_tokens:
        head.reset()
