"""Changes of passwords by a form, the admin or a command. Tokens end with them.

A hash that Django renews at a log-in is of the same password and changes nothing.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth.models import User
from django.db.models.signals import post_save, pre_save

from sessions.access import tokens
from sessions.trail.record import Act, record

# Between the two signals of one save.
_MARK: Final = "_backstay_has_new_password"


def connect() -> None:
    """Listen for changes of passwords."""
    pre_save.connect(_look, sender=User, dispatch_uid="password")
    post_save.connect(_act, sender=User, dispatch_uid="password")


def _look(*, instance: User, update_fields: frozenset[str] | None, **_: Any) -> None:
    vars(instance)[_MARK] = _is_new(instance, update_fields)


def _is_new(user: User, update_fields: frozenset[str] | None) -> bool:
    if user.pk is None or (update_fields is not None and "password" not in update_fields):
        return False
    before = User.objects.filter(pk=user.pk).values_list("password", flat=True).first()
    if before is None or before == user.password:
        return False
    # A renewed hash is saved alone, and Django keeps no text of it for the validators.
    is_renewed = update_fields is not None and vars(user).get("_password") is None
    return not is_renewed or not user.has_usable_password()


def _act(*, instance: User, **_: Any) -> None:
    if vars(instance).pop(_MARK, False):
        record(Act.PASSWORD_CHANGED, about=instance.get_username())
        tokens.end_with_password(instance)
