"""`manage.py create_token USERNAME`: a bearer token for scripts, alone on the last line."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from sessions.access.tokens import Wanted, create_token
from sessions.account_models import ApiToken
from sessions.core.errors import ChatError


class Command(BaseCommand):
    """Print a new bearer token of a user; it is not stored and cannot be shown again."""

    help = "Print a new bearer token of a user, alone on the last line."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the user's name, whether to create it, and the token's purpose."""
        parser.add_argument("username")
        parser.add_argument("--create", action="store_true", help="create the user if need be")
        parser.add_argument("--name", default="command line", help="purpose of the token")
        parser.add_argument(
            "--scope", choices=ApiToken.Scope.values, default="chat", help="default: chat"
        )
        parser.add_argument("--days", type=int, help="until its end; default: CHAT_TOKEN_DAYS")
        parser.add_argument(
            "--keep", action="store_true", help="it outlives a change of the account's password"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        """Print the token."""
        user = _user(options["username"], create=options["create"])
        wanted = Wanted(options["name"], options["scope"], options["days"], options["keep"])
        try:
            token = create_token(user, wanted=wanted)
        except ChatError as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(token)


def _user(username: str, *, create: bool) -> User:
    user = User.objects.filter(username=username).first()
    if user is None and not create:
        raise CommandError(f"There is no user {username!r}; --create makes one.")
    if user is None:
        # No password: the token is the user's only way in until it is given one.
        user = User.objects.create_user(username)
    if not user.is_active:
        raise CommandError(f"The account of {username!r} is not active.")
    return user
