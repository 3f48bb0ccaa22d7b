"""Digests of secrets: the only form in which the database keeps them.

A token or link is 256 random bits, so a plain SHA-256 is enough: there is nothing to guess from.
"""

from __future__ import annotations

import hashlib

from django.contrib.auth.models import User


def digest(secret: str) -> str:
    """Return the SHA-256 of a secret, in hex."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def password_mark(user: User) -> str:
    """Return a digest that changes with the user's password."""
    return digest(user.password)
