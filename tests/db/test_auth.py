"""Authentication: tokens, cookies, the one-time link, the rate limit of passwords."""

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connections
from django.http import HttpRequest
from django.test import AsyncClient, AsyncRequestFactory, Client, RequestFactory
from django.utils import timezone

from sessions.access import auth, links, owner, throttle, tokens
from sessions.access.client_address import client_address
from sessions.core.errors import CsrfFailed, OriginRefused
from sessions.models import ApiToken, LoginLink, LoginThrottle

# Requests read the database in threads of their own: only what is committed is seen there.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ada", password="correct horse")


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


async def test_a_scope_is_authenticated_by_token_or_cookie(user: User) -> None:
    token = await asyncio.to_thread(tokens.create_token, user)
    client = Client()
    await asyncio.to_thread(client.force_login, user)
    assert await auth.authenticate(scope(authorization=f"Bearer {token}")) == user
    assert await auth.authenticate(scope(authorization=f"bearer  {token} ")) == user
    assert await auth.authenticate(scope(cookie=f"a=b; {cookie_of(client)}")) == user
    # The password of a proxy in front is not ours to judge.
    assert await auth.authenticate(scope(authorization="Basic eDp5", cookie=cookie_of(client)))


async def test_a_wrong_token_is_not_saved_by_a_good_cookie(user: User) -> None:
    client = Client()
    await asyncio.to_thread(client.force_login, user)
    wrong = scope(authorization="Bearer no", cookie=cookie_of(client))
    assert await auth.authenticate(wrong) is None


@pytest.mark.parametrize("cookie", ["", "x", f"{settings.SESSION_COOKIE_NAME}=nonsense"])
async def test_a_scope_without_a_log_in_has_no_user(cookie: str) -> None:
    assert await auth.authenticate(scope(cookie=cookie)) is None


async def test_a_cookie_ends_with_the_password_and_with_the_account(user: User) -> None:
    client = Client()
    await asyncio.to_thread(client.force_login, user)
    logged_in = scope(cookie=cookie_of(client))
    assert await auth.authenticate(logged_in) == user
    await User.objects.aupdate(is_active=False)
    assert await auth.authenticate(logged_in) is None
    await User.objects.aupdate(is_active=True, password="another")
    assert await auth.authenticate(logged_in) is None


# --- The API's requests -------------------------------------------------------------------------


def post(client: Client, **headers: str) -> HttpRequest:
    request = AsyncRequestFactory().post("/api/chat/send", headers=headers)
    request.COOKIES = {name: morsel.value for name, morsel in client.cookies.items()}
    return request


@pytest.fixture
def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    client.get("/")  # the page gives the browser its CSRF cookie
    return client


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
    request = AsyncRequestFactory().get("/api/sessions")
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


# --- The one-time link --------------------------------------------------------------------------


def secret_of(path: str) -> str:
    return path.rsplit("/", 1)[1]


def test_the_link_asks_and_then_logs_in_once(user: User) -> None:
    path = links.one_time_link(user)
    browser = Client()
    asked = browser.get(path)
    assert asked.status_code == 200
    assert "Log in as ada" in asked.content.decode()
    assert asked["Referrer-Policy"] == "strict-origin"
    assert browser.get("/").status_code == 302  # nobody is logged in yet
    done = browser.post(path)
    assert (done.status_code, done["Location"]) == (302, "/")
    assert browser.get("/").context["user"] == user
    assert browser.get(path)["Location"] == "/"  # a reload in that browser harms nobody
    stranger = Client()
    for used in (stranger.get(path), stranger.post(path)):
        assert used.status_code == 410
        assert "login_link" in used.content.decode()
    assert stranger.get("/").status_code == 302


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_at_the_link_changes_nothing_and_logs_nothing(
    user: User, caplog, method: str
) -> None:
    path = links.one_time_link(user)
    preview = Client()
    for headers in ({}, {"Sec-Purpose": "prefetch;prerender"}):
        assert getattr(preview, method)(path, headers=headers).status_code == 200
    assert settings.SESSION_COOKIE_NAME not in preview.cookies
    assert secret_of(path) not in caplog.text
    assert links.use_link(secret_of(path)) == user


def test_the_link_takes_a_post_of_its_own_page_alone(user: User) -> None:
    path = links.one_time_link(user)
    browser = Client(enforce_csrf_checks=True)
    assert browser.post(path).status_code == 403
    token = browser.get(path).context["csrf_token"]
    foreign = {"Origin": "http://evil.example"}
    assert browser.post(path, {"csrfmiddlewaretoken": token}, headers=foreign).status_code == 403
    assert browser.post(path, {"csrfmiddlewaretoken": token}).status_code == 302


def test_the_link_asks_before_it_changes_the_user_of_a_browser(user: User) -> None:
    browser = Client()
    browser.force_login(User.objects.create_user("bob"))
    path = links.one_time_link(user)
    page = browser.get(path).content.decode()
    assert "logged in as bob" in page
    assert "Log in as ada" in page
    assert "Stay bob" in page
    assert browser.get("/").context["user"].username == "bob"
    browser.post(path)
    assert browser.get("/").context["user"] == user


def test_the_link_leads_its_own_user_on_without_being_used_up(
    logged_in: Client, user: User
) -> None:
    path = links.one_time_link(user)
    assert logged_in.get(path)["Location"] == "/"
    assert links.use_link(secret_of(path)) == user


def test_of_many_uses_at_once_one_gets_in(user: User) -> None:
    secret = secret_of(links.one_time_link(user))

    def use(_: int) -> bool:
        try:
            return links.use_link(secret) is not None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(use, range(16))) == 1


def test_only_the_digest_of_a_link_is_stored(user: User) -> None:
    secret = secret_of(links.one_time_link(user))
    assert secret not in str(list(LoginLink.objects.values()))


def test_a_new_link_ends_the_one_before(user: User) -> None:
    first, second = links.one_time_link(user), links.one_time_link(user)
    assert links.use_link(secret_of(first)) is None
    assert links.use_link(secret_of(second)) == user


def test_the_link_ends_with_time(user: User) -> None:
    secret = secret_of(links.one_time_link(user))
    LoginLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert links.use_link(secret) is None


@pytest.mark.parametrize("change", [{"password": "another"}, {"is_active": False}])
def test_the_link_ends_with_password_and_account(user: User, change: dict[str, object]) -> None:
    secret = secret_of(links.one_time_link(user))
    User.objects.update(**change)
    assert links.use_link(secret) is None


def test_logging_in_takes_another_session_key(user: User) -> None:
    browser = Client()
    browser.session["planted"] = True
    browser.session.save()
    before = browser.session.session_key
    browser.post(links.one_time_link(user))
    assert browser.session.session_key != before


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


# --- Logging in by password ---------------------------------------------------------------------


def log_in(client: Client, password: str, username: str = "ada", **extra: str):
    data = {"username": username, "password": password}
    return client.post("/login/", data, **extra)


def test_pages_ask_to_log_in_and_lead_back(user: User) -> None:
    client = Client()
    path = "/s/6f1f6c0e-0a35-4a0c-8d2e-0f7a5a3b1c2d"
    asked = client.get(path)
    assert asked["Location"] == f"/login/?next={path}"
    form = client.get(asked["Location"])
    assert f'value="{path}"' in form.content.decode()
    data = {"username": "ada", "password": "correct horse", "next": path}
    assert client.post("/login/", data)["Location"] == path


def test_next_leads_to_no_other_site(user: User) -> None:
    data = {"username": "ada", "password": "correct horse", "next": "https://evil.example/"}
    assert Client().post("/login/", data)["Location"] == "/"


@pytest.mark.parametrize("target", ["http://[", "//[::1", "http://a:b/", "\0", "javascript:x"])
def test_a_broken_next_leads_home(user: User, target: str) -> None:
    User.objects.update(is_staff=True)
    client = Client()
    assert client.get("/login/", {"next": target}).status_code == 200
    assert client.get("/admin/login/", {"next": target}).status_code == 302
    data = {"username": "ada", "password": "correct horse", "next": target}
    assert client.post("/login/", data)["Location"] == "/"
    assert client.get("/admin/login/", {"next": target})["Location"] == "/admin/"


def test_log_out_takes_a_post(logged_in: Client) -> None:
    assert logged_in.get("/logout/").status_code == 405
    assert logged_in.get("/").status_code == 200
    assert logged_in.post("/logout/").status_code == 302
    assert logged_in.get("/").status_code == 302


def test_the_sixth_guess_at_a_name_is_refused_even_if_it_is_right(user: User) -> None:
    client = Client()
    for _ in range(throttle.MAX_PER_NAME):
        assert log_in(client, "wrong").status_code == 200
    refused = log_in(client, "correct horse", username="Ada")
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= throttle.WINDOW.total_seconds()
    assert "Too many attempts" in refused.content.decode()


@pytest.mark.parametrize("address", ["/login/", "/admin/login/"])
def test_every_log_in_address_is_rate_limited(user: User, address: str) -> None:
    User.objects.update(is_staff=True)
    client = Client()
    passwords = ["wrong"] * throttle.MAX_PER_NAME + ["correct horse"]
    data = [{"username": "ada", "password": password} for password in passwords]
    answers = [client.post(address, form) for form in data]
    if answers[0].status_code == 302:  # it sends people to the page with the rate limit
        assert {urlsplit(answer["Location"]).path for answer in answers} == {"/login/"}
        answers = [client.post(answers[0]["Location"], form) for form in data]
    assert [answer.status_code for answer in answers] == [200] * throttle.MAX_PER_NAME + [429]
    assert client.get("/admin/").status_code == 302


def test_the_admin_leads_to_the_log_in_and_back(user: User) -> None:
    User.objects.update(is_staff=True)
    client = Client()
    data = {"username": "ada", "password": "correct horse"}
    asked = client.get("/admin/auth/user/?q=x", follow=True)
    [*_, (form, _)] = asked.redirect_chain
    assert urlsplit(form).path == "/login/"
    assert client.post(form, data)["Location"] == "/admin/auth/user/?q=x"
    # Whoever is let in already is led on, but to no other site.
    assert client.get("/admin/login/?next=/admin/auth/")["Location"] == "/admin/auth/"
    assert client.get("/admin/login/?next=//evil.example/")["Location"] == "/admin/"


def test_who_is_not_staff_is_told_so_and_not_sent_in_a_circle(logged_in: Client) -> None:
    answer = logged_in.get("/admin/", follow=True)
    assert answer.status_code == 403
    assert len(answer.redirect_chain) == 1
    assert "not open the admin" in answer.content.decode()


def test_another_address_is_not_locked_out_by_it(user: User) -> None:
    for _ in range(throttle.MAX_PER_NAME + 1):
        log_in(Client(), "wrong", REMOTE_ADDR="203.0.113.5")
    assert log_in(Client(), "correct horse", REMOTE_ADDR="203.0.113.6").status_code == 302


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.5", "127.0.0.1"),  # nobody in front: the header is the client's own word
        (1, "198.51.100.7, 203.0.113.5", "203.0.113.5"),
        (2, "198.51.100.7, 203.0.113.5", "198.51.100.7"),
        (3, "198.51.100.7, 203.0.113.5", "127.0.0.1"),
        (1, "", "127.0.0.1"),
        (1, "203.0.113.5:41000", "203.0.113.5"),
        (1, "::ffff:203.0.113.5", "203.0.113.5"),
        (1, "[2001:DB8::5]:41000", "2001:db8::5"),
        (1, "http://[", "http://["),
    ],
)
def test_addresses_are_believed_as_far_as_our_proxies(
    settings, proxies: int, forwarded: str, address: str
) -> None:
    settings.PROXY_COUNT = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert client_address(RequestFactory().get("/", headers=headers)) == address


def test_one_address_cannot_go_through_many_names(user: User) -> None:
    for number in range(throttle.MAX_PER_ADDRESS):
        assert throttle.attempt(f"name{number}", "203.0.113.5") == 0
    assert throttle.attempt("another", "203.0.113.5") > 0


def test_a_right_password_buys_no_more_guesses_at_others(user: User) -> None:
    for number in range(throttle.MAX_PER_ADDRESS):
        throttle.attempt(f"name{number}", "203.0.113.5")
        assert throttle.attempt("mine", "203.0.113.5") == 0 or number >= 29
        throttle.forget("mine", "203.0.113.5")
    assert throttle.attempt("another", "203.0.113.5") > 0


def test_a_right_password_forgives_the_typos_before(user: User) -> None:
    client = Client()
    for _ in range(3):
        for _ in range(throttle.MAX_PER_NAME - 1):
            log_in(client, "wrong")
        assert log_in(client, "correct horse").status_code == 302
        client.post("/logout/")


def test_the_rate_limit_ends_with_its_window(user: User) -> None:
    for _ in range(throttle.MAX_PER_NAME + 1):
        throttle.attempt("ada", "203.0.113.5")
    LoginThrottle.objects.update(resets_at=timezone.now() - timedelta(seconds=1))
    assert throttle.attempt("ada", "203.0.113.5") == 0
    assert LoginThrottle.objects.count() == 2


def test_guesses_at_once_do_not_slip_through(user: User) -> None:
    def guess(_: int) -> bool:
        try:
            return throttle.attempt("ada", "203.0.113.5") == 0
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(guess, range(20))) == throttle.MAX_PER_NAME


def test_typed_names_are_not_kept(user: User) -> None:
    throttle.attempt("my-password-in-the-wrong-field", "203.0.113.5")
    assert "my-password" not in str(list(LoginThrottle.objects.values()))


# --- For machines -------------------------------------------------------------------------------


async def test_healthz_answers_without_a_log_in() -> None:
    response = await AsyncClient().get("/healthz")
    assert (response.status_code, response.json()) == (200, {"ok": True})


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("::ffff:127.0.0.1", {}, 200),
        ("::ffff:203.0.113.5", {}, 401),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.5"}, 401),
        ("127.0.0.1", {"Forwarded": "for=203.0.113.5"}, 401),
        ("127.0.0.1", {"X-Forwarded-Proto": "https"}, 401),
        ("127.0.0.1", {"Via": "1.1 proxy"}, 401),
        ("203.0.113.5", {}, 401),
    ],
)
def test_metrics_are_for_this_machine_itself(
    address: str, headers: dict[str, str], status: int
) -> None:
    response = Client().get("/metrics", headers=headers, REMOTE_ADDR=address)
    assert response.status_code == status


def test_metrics_are_for_staff_from_elsewhere(user: User) -> None:
    headers = {"Authorization": f"Bearer {tokens.create_token(user)}"}
    assert Client().get("/metrics", headers=headers, REMOTE_ADDR="203.0.113.5").status_code == 403
    User.objects.update(is_staff=True)
    response = Client().get("/metrics", headers=headers, REMOTE_ADDR="203.0.113.5")
    assert response.status_code == 200
    assert "backstay_log_ins_total" in response.content.decode()


@pytest.mark.parametrize(
    "path", ["/login/", "/static/sessions/main.js", "/api/sessions", "/metrics", "/favicon.ico"]
)
def test_nothing_else_is_answered_for_a_strange_host(settings, path: str) -> None:
    settings.ALLOWED_HOSTS = ["chat.example.org", "[fd00::1]"]
    for host in ("evil.example", "127.0.0.1:8000", "[fd00::2]", "http://[", ""):
        assert Client().get(path, headers={"Host": host}).status_code == 400
    for host in ("chat.example.org", "[fd00::1]:8000"):
        assert Client().get(path, headers={"Host": host}).status_code in {200, 302, 401}


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_are_answered_whatever_host_they_ask_for(settings, path: str) -> None:
    settings.ALLOWED_HOSTS = ["chat.example.org"]
    for host in ("127.0.0.1:8000", "10.0.0.7", "no.such.name", "not a host"):
        assert Client().get(path, headers={"Host": host}).status_code == 200
        assert Client().get("/login/", headers={"Host": host}).status_code == 400
    assert Client().get("/login/", headers={"Host": "chat.example.org"}).status_code == 200


def test_readyz_names_each_check() -> None:
    response = Client().get("/readyz")
    assert response.json() == {
        "ok": True,
        "checks": {"database": "ok", "disk": "ok", "layer": "ok", "runner": "ok"},
    }


def test_error_pages_are_for_people() -> None:
    response = Client().get("/no/such/page")
    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()


def test_a_form_without_its_token_says_what_to_do(user: User) -> None:
    response = log_in(Client(enforce_csrf_checks=True), "correct horse")
    assert response.status_code == 403
    assert "Reload" in response.content.decode()


def test_a_failure_shows_a_page_without_details() -> None:
    from sessions.web.pages import server_error

    response = server_error(RequestFactory().get("/"))
    assert response.status_code == 500
    assert "It has been logged" in response.content.decode()
