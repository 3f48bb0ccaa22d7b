"""One-time links: each logs one user in once, within an hour at most."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from sessions.access.digest import digest, password_mark
from sessions.account_models import LoginLink
from sessions.core.source import Source
from sessions.trail.record import TERMINAL, Act, record

# Long enough to walk to another device, short enough for a link left in a scrollback.
LINK_LIFETIME: Final = timedelta(hours=1)
# Of a link that a person makes for a phone, which is at hand.
PHONE_LINK_LIFETIME: Final = timedelta(minutes=10)
# Small corrections of the clock do not end a link.
CLOCK_SLACK: Final = timedelta(minutes=1)
# Prints a link, run in the folder of the product; templates have the same words.
COMMAND: Final = ".venv/bin/python manage.py login_link"


def one_time_link(
    user: User, *, lifetime: timedelta = LINK_LIFETIME, by: str = "", source: Source = TERMINAL
) -> str:
    """Return the path that logs user in once, within its lifetime; an older link ends here.

    lifetime: LINK_LIFETIME at most. by: the name of the person who makes it on a page.
    """
    secret = secrets.token_urlsafe(32)
    LoginLink.objects.update_or_create(
        user=user,
        defaults={
            "digest": digest(secret),
            "password": password_mark(user),
            "expires_at": timezone.now() + lifetime,
        },
    )
    record(Act.LINK_MADE, who=by, about=user.get_username(), source=source)
    return reverse("login-once", args=[secret])


def user_of_link(secret: str) -> User | None:
    """Return the user whom a one-time link would log in, None when it is not valid any more.

    A link ends when it is used, replaced or expired, and with the account or its password.
    """
    link = _find(secret)
    return link.user if link is not None and _is_valid(link) else None


def use_link(secret: str) -> User | None:
    """Return the user of a one-time link and end the link; None when it is not valid any more.

    Of several uses at once the one that deletes the row succeeds.
    """
    link = _find(secret)
    if link is None or not LoginLink.objects.filter(pk=link.pk, digest=link.digest).delete()[0]:
        return None
    if not _is_valid(link):
        return None
    record(Act.LINK_USED, who=link.user.get_username())
    return link.user


def _find(secret: str) -> LoginLink | None:
    return LoginLink.objects.select_related("user").filter(digest=digest(secret)).first()


def _is_valid(link: LoginLink) -> bool:
    same_password = secrets.compare_digest(link.password, password_mark(link.user))
    now = timezone.now()
    # One that ends later than a new one would is of a clock that was set back.
    is_in_time = now < link.expires_at <= now + LINK_LIFETIME + CLOCK_SLACK
    return is_in_time and link.user.is_active and same_password
