"""Log-ins by cookie: Django's store of them in the database, under digests of their keys.

A key is as good as a password for as long as its log-in lasts, so the table must not hold it.
A reader of a backup finds digests, and a digest in a cookie is looked up by a digest of itself.
This module is SESSION_ENGINE. The table and its model stay Django's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

from django.contrib.sessions.backends import db
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import DatabaseError
from django.utils import timezone

from sessions.core import storage

# The width of the column in Django's table. 160 bits: a key has about as many, all random.
_DIGEST_CHARS: Final = 40
# Stored keys of log-ins that ended while nothing could be stored.
_ended: Final[set[str]] = set()
# Of a digest, so much tells one log-in from another.
_NAMED_CHARS: Final = 12


def stored_key(session_key: str) -> str:
    """Return the digest that the table holds in place of a log-in's key."""
    digest = hashlib.sha256(session_key.encode(errors="replace")).hexdigest()
    return digest[:_DIGEST_CHARS]


def public_id(session_key: str) -> str:
    """Return the name of a log-in for logs: the beginning of a digest, which opens nothing."""
    return f"login:{stored_key(session_key)[:_NAMED_CHARS]}"


def alive(stored_keys: Iterable[str]) -> set[str]:
    """Return the stored keys whose log-ins exist and have not expired. One query."""
    model = SessionStore.get_model_class()
    rows = model.objects.filter(session_key__in=set(stored_keys), expire_date__gt=timezone.now())
    return set(rows.values_list("session_key", flat=True)) - _ended


class SessionStore(db.SessionStore):
    """Django's store. Outside the database it knows the key, inside its digest."""

    def load(self) -> dict[str, Any]:
        """Return the data of the log-in, empty for one that is unknown or has expired."""
        return self._decoded(None if self._has_ended() else self._rows().first())

    def _has_ended(self) -> bool:
        """Return whether the log-in ended while nothing could be stored; try to delete it."""
        key = stored_key(self.session_key or "")
        if key not in _ended:
            return False
        _ended.discard(key)
        self.delete()  # comes back to _ended where it fails again
        return True

    async def aload(self) -> dict[str, Any]:
        """Return the same as `load`."""
        return self._decoded(await self._rows().afirst())

    def exists(self, session_key: str) -> bool:
        """Return whether there is a log-in of that key."""
        return super().exists(stored_key(session_key))

    async def aexists(self, session_key: str) -> bool:
        """Return the same as `exists`."""
        return await super().aexists(stored_key(session_key))

    def create_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        """Return the row that `save` writes."""
        return _under_digest(super().create_model_instance(data))

    async def acreate_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        """Return the row that `asave` writes."""
        return _under_digest(await super().acreate_model_instance(data))

    def delete(self, session_key: str | None = None) -> None:
        """Delete the log-in of a key, this one's without one.

        Where nothing can be stored, the log-in ends for this process, and is deleted later.
        """
        key = session_key or self.session_key
        if key is None:
            return
        try:
            super().delete(stored_key(key))
        except (DatabaseError, MemoryError) as exc:
            if storage.refusal(exc) is None:
                raise
            _ended.add(stored_key(key))

    async def adelete(self, session_key: str | None = None) -> None:
        """Do the same as `delete`."""
        key = session_key or self.session_key
        if key is not None:
            await super().adelete(stored_key(key))

    def _rows(self) -> Any:
        return self.model.objects.filter(
            session_key=stored_key(self.session_key or ""), expire_date__gt=timezone.now()
        )

    def _decoded(self, row: AbstractBaseSession | None) -> dict[str, Any]:
        if row is None:
            # As in Django's: the next save gets a new key, not one that a stranger chose.
            self._session_key = None
            return {}
        return dict(self.decode(row.session_data))


def _under_digest(row: AbstractBaseSession) -> AbstractBaseSession:
    row.session_key = stored_key(row.session_key)
    return row
