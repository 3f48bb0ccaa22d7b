"""The log-in form: Django's own, behind the rate limit of passwords."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from sessions.access import links, throttle
from sessions.access.client_address import client_address
from sessions.core import metrics


class LoginForm(AuthenticationForm):
    """User name and password; after too many wrong ones it asks to wait."""

    wait_s = 0

    def clean(self) -> dict[str, Any]:
        """Return the cleaned fields, the user found. Raises ValidationError, also while limited."""
        username = self.cleaned_data.get("username")
        if not username or not self.cleaned_data.get("password"):
            return super().clean()
        address = client_address(self.request) if self.request else ""
        self.wait_s = throttle.attempt(username, address)
        if self.wait_s:
            metrics.LOG_INS.labels(result="braked").inc()
            minutes = -(-self.wait_s // 60)
            raise ValidationError(
                f"Too many attempts. Try again in {minutes} min. A link works at once: run "
                f"{links.COMMAND} on the server.",
                code="throttled",
            )
        try:
            cleaned = super().clean()
        except ValidationError:
            metrics.LOG_INS.labels(result="wrong").inc()
            raise
        metrics.LOG_INS.labels(result="ok").inc()
        throttle.forget(username, address)
        return cleaned
