"""Secrets of second factors: in the database only under a key that is not in the database."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from sessions.core.hardening import sealing

_PURPOSE: Final = b"backstay second factors: "


def seal(text: str) -> str:
    """Return a text encrypted."""
    return sealing.seal(text, purpose=_PURPOSE + b"encryption")


def unseal(sealed: str) -> str | None:
    """Return the text of `seal`, None when it was sealed under another SECRET_KEY."""
    return sealing.unseal(sealed, purpose=_PURPOSE + b"encryption")


def digest(text: str) -> str:
    """Return a digest that a reader of the database cannot compare guesses with."""
    key = sealing.key(_PURPOSE + b"digest")
    return hmac.new(key, text.encode(errors="replace"), hashlib.sha256).hexdigest()
