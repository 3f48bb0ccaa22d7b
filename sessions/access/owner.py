"""The owner: the account that the first start makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

OWNER_NAME: Final = "owner"


def ensure_owner() -> tuple[User, bool]:
    """Return (the owner, whether this call made it).

    The owner is the oldest active superuser. A new one has no password: it logs in by a one-time
    link until `manage.py changepassword` or the admin gives it one. Several processes may do
    their first start at once: they agree on one owner.
    """
    try:
        return _find_or_make_owner()
    except IntegrityError:
        # Another process was faster, and its owner is found now.
        return _find_or_make_owner()


def _find_or_make_owner() -> tuple[User, bool]:
    users = User.objects
    with transaction.atomic():
        owner = users.filter(is_superuser=True, is_active=True).order_by("pk").first()
        if owner is not None:
            return owner, False
        taken = set(
            users.filter(username__startswith=OWNER_NAME).values_list("username", flat=True)
        )
        free = next(name for name in _owner_names() if name not in taken)
        owner = users.create(username=free, is_superuser=True, is_staff=True)
        owner.set_unusable_password()
        owner.save(update_fields=["password"])
    return owner, True


def _owner_names() -> Iterator[str]:
    yield OWNER_NAME
    number = 2
    while True:
        yield f"{OWNER_NAME}{number}"
        number += 1
