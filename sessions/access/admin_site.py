"""The admin: open to staff with the second factor that is wanted; accounts change after a proof.

Its pages come without a script that could send the origin key. So a log-in opens them from the
networks that it was proved from, and where the operator requires a second factor of its user, for
as long as the last proof is recent.
"""

from __future__ import annotations

from functools import update_wrapper
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.http import HttpRequest

from sessions.access.factors import policy
from sessions.access.login import confirmation
from sessions.access.login.origin_key import is_in_form

# Changes of these rows make or take rights.
_APPS: Final = frozenset({"auth"})
_MODELS: Final = frozenset({"apitoken"})
_FORMS: Final = frozenset({"add_view", "change_view", "delete_view", "user_change_password"})


class Admin(AdminSite):
    """Django's admin behind the account's own rules."""

    def has_permission(self, request: Any) -> bool:
        """Return whether the log-in of a request is of staff and had its second factor."""
        return super().has_permission(request) and policy.is_met(request.user, request.session)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:  # noqa: FBT001, FBT002 (Django's)
        """Return a view of the admin, which asks for a proof where it wants one."""
        inner = super().admin_view(view, cacheable)
        if view.__name__ == "logout":
            return inner
        is_of_accounts = _is_of_accounts(view)

        def asking(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            is_change = request.method == "POST" or view.__name__ in _FORMS
            is_enough = _is_proved if is_of_accounts and is_change else _may_read
            if self.has_permission(request) and not is_enough(request):
                return confirmation.ask(request, back=request.get_full_path())
            return inner(request, *args, **kwargs)

        return update_wrapper(asking, inner)


def _may_read(request: Any) -> bool:
    if policy.is_required(request.user):
        return confirmation.is_recent(request)
    return confirmation.is_from_here(request)


def _is_proved(request: HttpRequest) -> bool:
    has_key = request.method != "POST" or is_in_form(request)
    return has_key and confirmation.is_recent(request)


def _is_of_accounts(view: Any) -> bool:
    options = getattr(getattr(getattr(view, "__self__", None), "model", None), "_meta", None)
    return options is not None and (options.app_label in _APPS or options.model_name in _MODELS)
