"""Authentication: tokens, cookies, the requests of the API, the owner and the commands."""

import asyncio
import json
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.http import HttpRequest
from django.test import AsyncRequestFactory, Client, RequestFactory
from django.utils import timezone

from lab.rig.origin_key import HEADERS, KEY
from sessions.access import auth, links, owner, tokens
from sessions.access.origin import is_same_origin
from sessions.account_models import ApiToken
from sessions.core.errors import CsrfFailed, OriginRefused
from tests.db.logging_in import secret_of
from tests.support.browsing import bind_key

# Requests read the database in threads of their own: only what is committed is seen there.
pytestmark = pytest.mark.django_db(transaction=True)


def scope(**headers: str) -> dict[str, object]:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "headers": pairs}


def cookie_of(client: Client) -> str:
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


# --- Tokens -------------------------------------------------------------------------------------


def test_only_the_digest_of_a_token_is_stored(user: User) -> None:
    token = tokens.create_token(user, name="laptop")
    stored = ApiToken.objects.get()
    assert len(stored.digest) == 64
    assert token not in json.dumps([str(value) for value in vars(stored).values()])


def test_a_token_leads_to_its_user_in_two_queries_then_one(
    user: User, django_assert_num_queries
) -> None:
    token = tokens.create_token(user)
    tokens.user_of_token(token)  # the first use leaves an entry in the audit trail
    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    with django_assert_num_queries(2):
        assert tokens.user_of_token(token) == user
    with django_assert_num_queries(1):  # its last use is written once a minute
        assert tokens.user_of_token(token) == user


def test_last_use_is_written_again_after_a_minute(user: User) -> None:
    token = tokens.create_token(user)
    long_ago = timezone.now() - timedelta(minutes=2)
    ApiToken.objects.update(last_used_at=long_ago)
    tokens.user_of_token(token)
    assert ApiToken.objects.get().last_used_at > long_ago


@pytest.mark.parametrize("spoil", [lambda token: "", lambda token: token[:-1], str.upper])
def test_a_wrong_token_leads_nowhere(user: User, spoil) -> None:
    assert tokens.user_of_token(spoil(tokens.create_token(user))) is None


def test_a_token_ends_with_the_account(user: User) -> None:
    token = tokens.create_token(user)
    User.objects.update(is_active=False)
    assert tokens.user_of_token(token) is None


# --- ASGI scopes --------------------------------------------------------------------------------


def browser_of(user: User) -> Client:
    """Return a browser with a log-in and its origin key."""
    client = Client()
    client.force_login(user)
    bind_key(client)
    return client


async def test_a_scope_is_authenticated_by_token_or_cookie(user: User) -> None:
    token = await asyncio.to_thread(tokens.create_token, user)
    client = await asyncio.to_thread(browser_of, user)
    assert await auth.authenticate(scope(authorization=f"Bearer {token}")) == user
    assert await auth.authenticate(scope(authorization=f"bearer  {token} ")) == user
    cookie = f"a=b; {cookie_of(client)}"
    assert await auth.authenticate(scope(cookie=cookie, x_origin_key=KEY)) == user
    # The password of a proxy in front is not ours to judge.
    basic = {"authorization": "Basic eDp5", "cookie": cookie_of(client)}
    assert await auth.authenticate(scope(**basic, x_origin_key=KEY))


async def test_a_wrong_token_is_not_saved_by_a_good_cookie(user: User) -> None:
    client = await asyncio.to_thread(browser_of, user)
    wrong = scope(authorization="Bearer no", cookie=cookie_of(client), x_origin_key=KEY)
    assert await auth.authenticate(wrong) is None


@pytest.mark.parametrize("cookie", ["", "x", f"{settings.SESSION_COOKIE_NAME}=nonsense"])
async def test_a_scope_without_a_log_in_has_no_user(cookie: str) -> None:
    assert await auth.authenticate(scope(cookie=cookie)) is None


async def test_a_cookie_ends_with_the_password_and_with_the_account(user: User) -> None:
    client = await asyncio.to_thread(browser_of, user)
    logged_in = scope(cookie=cookie_of(client), x_origin_key=KEY)
    assert await auth.authenticate(logged_in) == user
    await User.objects.aupdate(is_active=False)
    assert await auth.authenticate(logged_in) is None
    await User.objects.aupdate(is_active=True, password="another")
    assert await auth.authenticate(logged_in) is None


# --- The API's requests -------------------------------------------------------------------------


def post(client: Client, **headers: str) -> HttpRequest:
    request = AsyncRequestFactory().post("/api/chat/send", headers=HEADERS | headers)
    request.COOKIES = {name: morsel.value for name, morsel in client.cookies.items()}
    return request


async def test_a_post_by_cookie_needs_the_csrf_token(logged_in: Client, user: User) -> None:
    with pytest.raises(CsrfFailed):
        await auth.signed_in(post(logged_in))
    token = logged_in.cookies[settings.CSRF_COOKIE_NAME].value
    headers = {"X-CSRFToken": token, "Referer": "http://testserver/"}
    assert await auth.signed_in(post(logged_in, **headers)) == user


@pytest.mark.parametrize(
    ("origin", "refused"),
    [
        ("http://testserver", CsrfFailed),  # the right address, and no token
        (
            "https://testserver",
            OriginRefused,
        ),  # TLS ends at a proxy that the server does not know of
        ("http://testserver:8443", OriginRefused),
        ("http://elsewhere.example", OriginRefused),
        ("null", OriginRefused),
    ],
)
async def test_a_refusal_tells_a_wrong_address_from_a_wrong_token(
    logged_in: Client, origin: str, refused: type[CsrfFailed]
) -> None:
    with pytest.raises(CsrfFailed) as caught:
        await auth.signed_in(post(logged_in, Origin=origin))
    assert type(caught.value) is refused
    if refused is OriginRefused:
        assert origin in str(caught.value)
        assert "CSRF_TRUSTED_ORIGINS" in str(caught.value)


def test_the_log_in_page_tells_a_wrong_address_from_an_old_page() -> None:
    browser = Client(enforce_csrf_checks=True)
    old = browser.post("/login/", {"username": "a", "password": "b"})
    assert "open for too long" in old.content.decode()
    wrong = browser.post("/login/", {"username": "a"}, headers={"Origin": "https://testserver"})
    assert wrong.status_code == 403
    assert "accepts no requests from pages of https://testserver" in wrong.content.decode()


async def test_a_post_by_token_needs_no_csrf_token(user: User) -> None:
    token = await asyncio.to_thread(tokens.create_token, user)
    assert await auth.signed_in(post(Client(), Authorization=f"Bearer {token}")) == user


async def test_a_get_by_cookie_needs_no_csrf_token(logged_in: Client, user: User) -> None:
    request = AsyncRequestFactory().get("/api/sessions", headers=HEADERS)
    request.COOKIES = {name: morsel.value for name, morsel in logged_in.cookies.items()}
    assert await auth.signed_in(request) == user


@pytest.mark.parametrize(
    ("origin", "let_in"),
    [
        ("http://testserver", True),
        ("https://testserver", True),
        ("http://testserver.evil.example", False),
        ("http://evil.example", False),
        ("null", False),
        ("http://[", False),
        ("http://[::1", False),
        ("http://testserver:port", False),
        ("//testserver", False),
        ("", False),
    ],
)
async def test_a_beacon_is_let_in_by_its_origin(
    logged_in: Client, user: User, origin: str, let_in: bool
) -> None:
    request = post(logged_in, **({"Origin": origin} if origin else {}))
    if let_in:
        assert await auth.signed_in_or_beacon(request) == user
    else:
        with pytest.raises(CsrfFailed):
            await auth.signed_in_or_beacon(request)


@pytest.mark.parametrize(("origin", "let_in"), [("http", False), ("https", True)])
def test_behind_https_a_page_over_http_is_another_origin(origin: str, let_in: bool) -> None:
    request = RequestFactory().post("/", secure=True, headers={"Origin": f"{origin}://testserver"})
    assert is_same_origin(request) is let_in


# --- The owner and the commands -----------------------------------------------------------------


def test_the_first_start_makes_an_owner_without_password() -> None:
    account, created = owner.ensure_owner()
    assert (account.username, created, account.is_superuser) == ("owner", True, True)
    assert not account.has_usable_password()
    assert owner.ensure_owner() == (account, False)


def test_two_first_starts_at_once_agree_on_one_owner(monkeypatch) -> None:
    """As PostgreSQL shows it: the other's owner is there at the insert, not at the look before."""
    make = owner._find_or_make_owner
    outcomes = iter([IntegrityError("owner is taken")])

    def lose_once() -> tuple:
        for lost in outcomes:
            User.objects.create_superuser("owner")
            raise lost
        return make()

    monkeypatch.setattr(owner, "_find_or_make_owner", lose_once)
    account, created = owner.ensure_owner()
    assert (account.username, created) == ("owner", False)


def test_an_ordinary_user_of_the_owners_name_is_not_made_owner() -> None:
    User.objects.create_user("owner")
    account, created = owner.ensure_owner()
    assert (account.username, created) == ("owner2", True)


def run(*args: str) -> list[str]:
    out = StringIO()
    call_command(*args, stdout=out, stderr=StringIO())
    return out.getvalue().splitlines()


def test_create_token_prints_the_token_alone_on_its_last_line() -> None:
    token = run("create_token", "bob", "--create")[-1]
    assert re.fullmatch(r"backstay_[\w-]{43}", token)
    bob = tokens.user_of_token(token)
    assert bob is not None
    assert bob.username == "bob"
    assert not bob.is_staff
    assert tokens.user_of_token(run("create_token", "bob")[-1]) == bob


def test_create_token_makes_no_user_unasked() -> None:
    with pytest.raises(CommandError, match="--create"):
        run("create_token", "bob")
    assert not User.objects.exists()


def test_login_link_prints_a_link_that_works(user: User) -> None:
    link = run("login_link", "ada", "--base-url", "https://chat.example/")[-1]
    assert link.startswith("https://chat.example/login/once/")
    assert links.use_link(secret_of(link)) == user
    assert links.use_link(secret_of(run("login_link")[-1])).username == "owner"
    with pytest.raises(CommandError):
        run("login_link", "nobody")
