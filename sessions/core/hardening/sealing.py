"""Texts under a key that is not in the database: it is derived from SECRET_KEY, for one purpose."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


def seal(text: str, *, purpose: bytes) -> str:
    """Return a text encrypted."""
    return _fernet(purpose).encrypt(text.encode()).decode("ascii")


def unseal(sealed: str, *, purpose: bytes) -> str | None:
    """Return the text of `seal`, None when it was sealed under another SECRET_KEY."""
    try:
        return _fernet(purpose).decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


def key(purpose: bytes) -> bytes:
    """Return the 32 bytes that belong to a purpose."""
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose)
    return derived.derive(settings.SECRET_KEY.encode())


def _fernet(purpose: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(key(purpose)))
