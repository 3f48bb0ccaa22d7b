"""The account page, and the proof that sensitive acts ask for again."""

import re
import time

import pytest
from django.contrib.auth.models import User
from django.test import Client

from lab.rig.origin_key import HEADERS, KEY
from sessions.access import links, tokens
from sessions.access.factors import app_codes, recovery, rows
from sessions.account_models import ApiToken, BrowserLogin, SecondFactor
from sessions.core.conf import chat
from tests.db.test_matrix import ROUTES

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = {"username": "ada", "password": "correct horse"}


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ada", password="correct horse")


class Browser(Client):
    """A browser whose forms carry its origin key."""

    def post(self, path: str, data: dict | None = None, **more):
        return super().post(path, {"origin_key": KEY, **(data or {})}, **more)


def logged_in(**headers: str) -> Client:
    client = Browser(headers=headers)
    client.post("/login/", PASSWORD)
    return client


def age(monkeypatch, seconds: float) -> None:
    """Let time pass for the last proof."""
    now = time.time()
    monkeypatch.setattr("sessions.access.login.confirmation.time.time", lambda: now + seconds)


def shown(client: Client) -> str:
    return client.get("/account/").content.decode()


# --- The page -----------------------------------------------------------------------------------


def test_the_account_lists_log_ins_and_ends_them(user: User) -> None:
    here, there = logged_in(), logged_in(**{"User-Agent": "A phone"})
    stranger = User.objects.create_user("bob")
    elsewhere = Client()
    elsewhere.force_login(stranger)
    page = shown(here)
    assert page.count("This browser") == 1
    assert "A phone" in page
    theirs = BrowserLogin.objects.get(user=stranger)
    here.post("/account/log-ins/end/", {"log_in": theirs.pk})
    assert elsewhere.get("/").status_code == 200
    other = BrowserLogin.objects.get(user_agent="A phone")
    assert here.post("/account/log-ins/end/", {"log_in": other.pk})["Location"] == "/account/"
    assert there.get("/").status_code == 302
    assert "A phone" not in shown(here)


def test_all_other_log_ins_end_at_once(user: User) -> None:
    here, *others = logged_in(), logged_in(), logged_in()
    assert here.post("/account/log-ins/end/").status_code == 302
    assert {other.get("/").status_code for other in others} == {302}
    assert here.get("/").status_code == 200


def test_the_list_of_log_ins_takes_as_many_queries_for_many(
    user: User, django_assert_num_queries
) -> None:
    clients = [logged_in() for _ in range(6)]
    clients[0].get("/account/")
    with django_assert_num_queries(8):
        clients[0].get("/account/")
    clients[1].post("/logout/")
    logged_in()
    assert BrowserLogin.objects.count() == 6  # the row of the one that ended is gone


def test_a_new_password_ends_the_other_log_ins(user: User) -> None:
    here, there = logged_in(), logged_in()
    new = {"new_password1": "battery staple", "new_password2": "battery staple"}
    weak = here.post("/account/password/", {"new_password1": "ada", "new_password2": "ada"})
    assert "too short" in weak.content.decode()
    assert here.post("/account/password/", new)["Location"] == "/account/"
    assert here.get("/").status_code == 200
    assert there.get("/").status_code == 302
    assert shown(here).count("This browser") == 1
    assert Client().post("/login/", {**PASSWORD, "password": "battery staple"})["Location"] == "/"


def test_the_owner_of_a_link_sets_a_password(user: User) -> None:
    user.set_unusable_password()
    user.save()
    client = Browser()
    client.post(links.one_time_link(user))
    assert "Set a password" in shown(client)
    new = {"new_password1": "battery staple", "new_password2": "battery staple"}
    client.post("/account/password/", new)
    assert Client().post("/login/", {**PASSWORD, "password": "battery staple"})["Location"] == "/"


def test_tokens_are_made_shown_once_and_revoked(user: User) -> None:
    client = logged_in()
    made = client.post("/account/tokens/make/", {"name": "laptop"}).content.decode()
    token = re.search(r"backstay_[\w-]{43}", made)[0]
    assert tokens.user_of_token(token) == user
    assert token not in shown(client)
    foreign = ApiToken.objects.create(user=User.objects.create_user("bob"), digest="x")
    client.post("/account/tokens/revoke/", {"token": foreign.pk})
    client.post("/account/tokens/revoke/", {"token": "x"})
    assert ApiToken.objects.filter(pk=foreign.pk).exists()
    client.post("/account/tokens/revoke/", {"token": ApiToken.objects.get(user=user).pk})
    assert tokens.user_of_token(token) is None


def test_with_the_last_factor_the_recovery_codes_go(user: User) -> None:
    client = logged_in()
    SecondFactor.objects.create(user=user, kind="app", key=f"app:{user.pk}")
    recovery.renew(user)
    stranger = User.objects.create_user("bob")
    other = SecondFactor.objects.create(user=stranger, kind="app", key="other")
    client.post("/account/remove/", {"factor": other.pk})
    assert rows.has_factor(stranger)
    client.post("/account/remove/", {"factor": SecondFactor.objects.get(user=user, kind="app").pk})
    assert not SecondFactor.objects.filter(user=user).exists()


def test_passkeys_cannot_be_made_for_an_address(user: User) -> None:
    client = Browser(SERVER_NAME="127.0.0.1")
    client.post("/login/", PASSWORD)
    page = client.get("/account/passkey/").content.decode()
    assert "localhost" in page
    assert "passkey-options" not in page
    assert client.post("/account/passkey/", {"credential": "{}"}).status_code == 200


def test_the_admin_leads_to_the_one_page_that_changes_a_password(user: User) -> None:
    User.objects.update(is_staff=True)
    answer = logged_in().get("/admin/password_change/")
    assert answer["Location"] == "/account/password/"


# --- The proof ----------------------------------------------------------------------------------

# Every form of the account, but the proof itself, the one that tries a rule, and what a page says
# in a log-in to an agent, which has begun with a proof: without its key it is refused alone.
FORMS = [
    f"/{route}"
    for route, access in ROUTES.items()
    if route.startswith("account/") and "POST" in access
    if route not in {"account/confirm/", "account/rules/", "account/agents/turn/"}
]
SENSITIVE = [
    *(("POST", path) for path in FORMS),
    ("GET", "/account/password/"),
    ("GET", "/account/phone/"),
    ("GET", "/account/app/"),
    ("GET", "/account/passkey/"),
    ("GET", "/admin/auth/user/add/"),
    ("GET", "/admin/auth/user/1/password/"),
    ("POST", "/admin/auth/user/"),
    ("POST", "/admin/auth/user/add/"),
    ("POST", "/admin/chat_sessions/apitoken/"),
]


@pytest.mark.parametrize(("method", "path"), SENSITIVE)
@pytest.mark.parametrize("seconds", [chat.CONFIRM_AFTER_S + 1, -60])
def test_a_sensitive_act_asks_again(
    user: User, monkeypatch, method: str, path: str, seconds: float
) -> None:
    User.objects.update(is_staff=True, is_superuser=True)
    client = logged_in()
    age(monkeypatch, seconds)
    asked = client.generic(method, path)
    assert asked.status_code == 302
    assert asked["Location"].startswith("/account/confirm/?next=/")
    wrong = client.post(asked["Location"], {"password": "wrong"})
    assert "not the password" in wrong.content.decode()
    assert client.generic(method, path)["Location"] == asked["Location"]
    confirmed = client.post(asked["Location"], {"password": "correct horse"})
    assert confirmed["Location"] == (path if method == "GET" or "/admin/" in path else "/account/")
    after = client.get("/account/password/")
    assert after.status_code == 200


def test_other_pages_do_not_ask(user: User, monkeypatch) -> None:
    User.objects.update(is_staff=True, is_superuser=True)
    client = logged_in()
    age(monkeypatch, chat.CONFIRM_AFTER_S + 1)
    for path in ("/", "/account/", "/admin/", "/admin/auth/user/", "/admin/transport/connection/"):
        assert client.get(path).status_code == 200, path


def test_with_a_factor_the_password_is_no_proof(user: User, monkeypatch) -> None:
    client = logged_in()
    SecondFactor.objects.create(user=user, kind="app", key=f"app:{user.pk}")
    [code, *_] = recovery.renew(user)
    age(monkeypatch, chat.CONFIRM_AFTER_S + 1)
    path = "/account/confirm/?next=/account/password/"
    assert client.post(path, {"password": "correct horse"}).status_code == 200
    assert client.post(path, {"code": code})["Location"] == "/account/password/"


def test_wrong_passwords_at_the_confirmation_are_rate_limited(user: User) -> None:
    client = logged_in()
    answers = [client.post("/account/confirm/", {"password": "wrong"}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]


def test_the_confirmation_leads_to_no_other_site(user: User) -> None:
    data = {"password": "correct horse", "next": "//evil.example/"}
    assert logged_in().post("/account/confirm/", data)["Location"] == "/"


def test_an_account_without_a_password_is_sent_to_a_new_link(user: User, monkeypatch) -> None:
    client = logged_in()
    user.set_unusable_password()
    user.save()
    client = Browser()
    client.post(links.one_time_link(user))
    age(monkeypatch, chat.CONFIRM_AFTER_S + 1)
    asked = client.get("/account/password/", follow=True).content.decode()
    assert f"<code>{links.COMMAND}</code>" in asked
    client.post(links.one_time_link(user))
    assert client.get("/account/password/").status_code == 200
    assert app_codes.new_secret() != app_codes.new_secret()


# --- The origin key -----------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), [pair for pair in SENSITIVE if pair[0] == "POST"])
@pytest.mark.parametrize("key", ["", "x", "f" * 40])
def test_a_cookie_without_its_key_changes_no_account(
    user: User, method: str, path: str, key: str
) -> None:
    User.objects.update(is_staff=True, is_superuser=True)
    thief = Client()
    thief.cookies = logged_in().cookies
    asked = thief.post(path, {"origin_key": key, "name": "x"})
    assert asked["Location"].startswith("/account/confirm/?next=/")
    assert not ApiToken.objects.exists()


def test_a_cookie_alone_reads_no_api(user: User) -> None:
    client = logged_in()
    assert client.get("/api/sessions", headers=HEADERS).status_code == 200
    for headers in ({}, {"X-Origin-Key": "f" * 40}, {"X-Origin-Key": ""}):
        refused = client.get("/api/sessions", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (401, "origin_key_missing")
    # The page that asks has no transcript in it, and says who it is for.
    assert client.get("/").status_code == 200


def test_logging_in_again_adds_a_key_and_another_user_has_none_of_them(user: User) -> None:
    client = logged_in()
    other = {"X-Origin-Key": "e" * 40}
    assert client.get("/api/sessions", headers=other).status_code == 401
    assert client.get("/login/").status_code == 302
    assert "this page cannot use it" in client.get("/login/?again=1").content.decode()
    client.post("/login/", {**PASSWORD, "origin_key": "e" * 40})
    for headers in (HEADERS, other, {"X-Origin-Key": f"{KEY} {'e' * 40}"}):
        assert client.get("/api/sessions", headers=headers).status_code == 200
    bob = User.objects.create_user("bob", password="battery staple")
    bobs = {"username": "bob", "password": "battery staple", "origin_key": "d" * 40}
    client.post("/login/", bobs)
    assert client.get("/api/sessions", headers=HEADERS).status_code == 401
    answer = client.get("/api/sessions", headers={"X-Origin-Key": "d" * 40})
    assert answer["X-User-ID"] == str(bob.pk)


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_requests_of_other_ports_are_refused_for_cookies(user: User, site: str) -> None:
    client = logged_in()
    headers = HEADERS | {"Sec-Fetch-Site": site}
    for path in ("/api/sessions", "/api/agents"):
        refused = client.get(path, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "origin_refused")
    refused = client.get("/metrics", headers=headers, REMOTE_ADDR="203.0.113.5")
    assert refused.status_code == 403
    token = {"Authorization": f"Bearer {tokens.create_token(user)}"}
    assert client.get("/api/sessions", headers=headers | token).status_code == 200
    for fine in ("same-origin", "none", ""):
        answer = client.get("/api/sessions", headers=HEADERS | {"Sec-Fetch-Site": fine})
        assert answer.status_code == 200


def test_a_log_in_without_its_required_factor_reads_no_api(user: User, settings) -> None:
    client = logged_in()
    settings.CHAT = {"SECOND_FACTOR": "required"}
    refused = client.get("/api/sessions", headers=HEADERS)
    assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required")


@pytest.mark.parametrize(("path", "kept"), [("", '"cache", "storage"'), ("/chat", '"cache"')])
def test_log_out_clears_what_the_browser_keeps_for_this_site(
    user: User, settings, path: str, kept: str
) -> None:
    settings.BASE_PATH = path
    for accept, status in (("application/json", 204), ("text/html", 302)):
        answer = logged_in().post("/logout/", headers={"Accept": accept})
        assert answer.status_code == status
        assert answer["Clear-Site-Data"] == kept
