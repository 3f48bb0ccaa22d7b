"""The second factor: codes of an app, recovery codes, the steps of a log-in, the setting."""

import json
import re
import secrets
import time
from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client

from lab.rig.origin_key import KEY
from sessions.access import links, throttle, tokens
from sessions.access.factors import app_codes, cipher, passkeys, recovery, rows
from sessions.account_models import ApiToken, LoginThrottle, SecondFactor

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = {"username": "ada", "password": "correct horse", "origin_key": KEY}


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ada", password="correct horse")


class App:
    """An authenticator app; each code that it gives is of a later step than the one before."""

    def __init__(self, user: User) -> None:
        self.secret = app_codes.new_secret()
        self._ahead = -1
        assert app_codes.enable(user, self.secret, self.code())

    def code(self) -> str:
        moment = time.time() + self._ahead * app_codes.STEP_S
        self._ahead += 1
        return pyotp.TOTP(self.secret).at(int(moment))


@pytest.fixture
def app(user: User) -> App:
    return App(user)


def second(client: Client, code: str, **more: str):
    return client.post("/login/second/", {"code": code, "origin_key": KEY, **more})


# --- Codes --------------------------------------------------------------------------------------


def test_a_code_is_taken_once_and_no_older_one_after_it(user: User, app: App) -> None:
    first, later = app.code(), app.code()
    assert app_codes.accept(user, later)
    assert not app_codes.accept(user, later)
    assert not app_codes.accept(user, first)


def test_the_code_that_turned_the_app_on_does_not_log_in(user: User) -> None:
    secret = app_codes.new_secret()
    code = pyotp.TOTP(secret).now()
    assert app_codes.enable(user, secret, code)
    assert not app_codes.accept(user, code)


@pytest.mark.parametrize(("ahead", "is_taken"), [(120, True), (8, True), (5, False), (2, False)])
def test_a_clock_that_is_set_back_locks_no_one_out(user: User, ahead: int, is_taken: bool) -> None:
    secret = app_codes.new_secret()
    assert app_codes.enable(user, secret, pyotp.TOTP(secret).now())
    step = int(time.time()) // app_codes.STEP_S
    SecondFactor.objects.update(counter=step + ahead)
    code = pyotp.TOTP(secret).at((step + 1) * app_codes.STEP_S)
    assert app_codes.accept(user, code) is is_taken
    assert not app_codes.accept(user, code)


def test_of_many_uses_of_one_code_at_once_one_gets_in(user: User, app: App) -> None:
    code, [recovered, *_] = app.code(), recovery.renew(user)

    def use(number: int) -> bool:
        try:
            accept = app_codes.accept if number % 2 else recovery.accept
            return accept(user, code if number % 2 else recovered)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(use, range(16))) == 2


@pytest.mark.parametrize("steps", [-3, -2, 2, 3])
def test_a_code_of_another_time_is_wrong(user: User, steps: int) -> None:
    secret = app_codes.new_secret()
    code = pyotp.TOTP(secret).at(int(time.time()) + steps * app_codes.STEP_S)
    assert not app_codes.enable(user, secret, code)


WIDE = "\uff11\uff12\uff13\uff14\uff15\uff16"


@pytest.mark.parametrize("code", ["", "0", WIDE, "12345678", "\0" * 6, "\udcff" * 6])
def test_other_texts_are_wrong(user: User, app: App, code: str) -> None:
    assert not app_codes.accept(user, code)
    assert not recovery.accept(user, code)


def test_the_secret_is_in_the_table_only_encrypted(user: User, app: App, settings) -> None:
    codes = recovery.renew(user)
    stored = json.dumps(list(SecondFactor.objects.values()), default=str)
    assert app.secret not in stored
    assert not [code for code in codes if code.replace("-", "") in stored]
    settings.SECRET_KEY = "another" * 8
    assert cipher.unseal(SecondFactor.objects.get(kind="app").data) is None
    assert not app_codes.accept(user, app.code())


def test_recovery_codes_work_once_each_and_end_with_new_ones(user: User, app: App) -> None:
    first, second_code, *_ = recovery.renew(user)
    assert re.fullmatch(r"[a-z2-9]{5}-[a-z2-9]{5}", first)
    assert recovery.accept(user, first.upper().replace("-", " "))
    assert not recovery.accept(user, first)
    assert recovery.left(user) == recovery.COUNT - 1
    recovery.renew(user)
    assert not recovery.accept(user, second_code)
    other = User.objects.create_user("bob")
    assert not recovery.accept(other, recovery.renew(user)[0])


# --- Logging in ---------------------------------------------------------------------------------


def test_a_password_alone_does_not_log_in_where_there_is_a_factor(user: User, app: App) -> None:
    client = Client()
    answer = client.post("/login/", {**PASSWORD, "next": "/s/x"})
    assert answer["Location"] == "/login/second/?next=/s/x"
    assert client.get("/").status_code == 302
    assert client.get("/api/sessions").status_code == 401
    assert "Code of your authenticator app" in client.get(answer["Location"]).content.decode()
    wrong = second(client, "000000")
    assert "wrong or was used" in wrong.content.decode()
    assert client.get("/").status_code == 302
    assert second(client, app.code(), next="/s/x")["Location"] == "/s/x"
    assert client.get("/").status_code == 200


def test_a_recovery_code_logs_in(user: User, app: App) -> None:
    [code, *_] = recovery.renew(user)
    client = Client()
    client.post("/login/", PASSWORD)
    assert second(client, f" {code} ")["Location"] == "/"
    assert client.get("/").status_code == 200


def test_the_second_step_needs_the_first(user: User, app: App) -> None:
    for answer in (Client().get("/login/second/"), second(Client(), app.code())):
        assert answer["Location"].startswith("/login/?")


@pytest.mark.parametrize("change", [{"password": "another"}, {"is_active": False}])
def test_the_first_step_ends_with_password_and_account(user: User, app: App, change) -> None:
    client = Client()
    client.post("/login/", PASSWORD)
    User.objects.update(**change)
    assert second(client, app.code())["Location"].startswith("/login/?")


@pytest.mark.parametrize("later_s", [601, -120])
def test_the_first_step_ends_with_time(user: User, app: App, monkeypatch, later_s: int) -> None:
    client = Client()
    client.post("/login/", PASSWORD)
    code, now = app.code(), time.time()
    monkeypatch.setattr("sessions.access.login.second_step.time.time", lambda: now + later_s)
    assert second(client, code)["Location"].startswith("/login/?")


def test_codes_are_rate_limited_by_account_from_all_addresses(user: User, app: App) -> None:
    for number in range(throttle.MAX_CODES):
        client = Client(REMOTE_ADDR=f"203.0.113.{number}")
        client.post("/login/", PASSWORD)
        assert second(client, "000000").status_code == 200
    client = Client(REMOTE_ADDR="203.0.113.99")
    client.post("/login/", PASSWORD)
    refused = second(client, app.code())
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert client.get("/").status_code == 302
    LoginThrottle.objects.all().delete()
    assert second(client, app.code())["Location"] == "/"


def test_next_of_the_second_step_leads_to_no_other_site(user: User, app: App) -> None:
    client = Client()
    client.post("/login/", PASSWORD)
    assert second(client, app.code(), next="https://evil.example/")["Location"] == "/"


def test_the_admin_asks_for_the_second_factor(user: User, app: App) -> None:
    User.objects.update(is_staff=True)
    client = Client()
    [*_, (form, _)] = client.get("/admin/", follow=True).redirect_chain
    assert client.post(form, PASSWORD)["Location"] == "/login/second/?next=/admin/"
    assert client.get("/admin/").status_code == 302
    assert second(client, app.code(), next="/admin/")["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("is_required", [False, True])
def test_the_admin_opens_for_no_copied_cookie(user: User, app: App, settings, is_required) -> None:
    settings.CHAT = {**settings.CHAT, "SECOND_FACTOR": "staff" if is_required else "optional"}
    User.objects.update(is_staff=True, is_superuser=True)
    owner, thief = Client(REMOTE_ADDR="203.0.113.5"), Client(REMOTE_ADDR="198.51.100.9")
    owner.post("/login/", PASSWORD)
    second(owner, app.code())
    listed = "/admin/auth/user/"
    assert owner.get(listed).status_code == 200
    thief.cookies = owner.cookies
    for path in ("/admin/", listed, "/admin/jsi18n/", "/admin/chat_sessions/session/"):
        answer = thief.get(path)
        assert answer["Location"].startswith("/account/confirm/?next=/admin/"), path
    assert thief.post("/account/tokens/make/", {"name": "t", "origin_key": KEY}).status_code == 302
    assert not ApiToken.objects.exists()
    # Another network of the same person: one proof, and both go on.
    answer = thief.post("/account/confirm/", {"code": app.code(), "origin_key": KEY})
    assert answer.status_code == 302
    assert {owner.get(listed).status_code, thief.get(listed).status_code} == {200}


@pytest.mark.parametrize(("is_required", "status"), [(False, 200), (True, 302)])
def test_the_admin_asks_again_where_a_factor_is_required(
    user: User, app: App, settings, monkeypatch, is_required: bool, status: int
) -> None:
    settings.CHAT = {**settings.CHAT, "SECOND_FACTOR": "staff" if is_required else "optional"}
    User.objects.update(is_staff=True, is_superuser=True)
    client = Client()
    client.post("/login/", PASSWORD)
    second(client, app.code())
    assert client.get("/admin/").status_code == 200
    now = time.time() + 901
    monkeypatch.setattr("sessions.access.login.confirmation.time.time", lambda: now)
    assert client.get("/admin/").status_code == status
    assert client.post("/admin/logout/")["Location"] == "/login/"
    assert client.get("/admin/").status_code == 302


def test_a_one_time_link_and_a_token_need_no_factor(user: User, app: App) -> None:
    browser = Client()
    assert browser.post(links.one_time_link(user))["Location"] == "/"
    assert browser.get("/").status_code == 200
    headers = {"Authorization": f"Bearer {tokens.create_token(user)}"}
    assert Client().get("/api/sessions", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "answer", ["x", "{}", "[]", "null", '{"response": {"clientDataJSON": "e30"}}', "9" * 30_000]
)
def test_a_broken_passkey_is_refused(user: User, app: App, answer: str) -> None:
    client = Client(SERVER_NAME="localhost")
    client.post("/login/", PASSWORD)
    refused = client.post("/login/second/", {"credential": answer})
    assert "not accepted" in refused.content.decode()
    assert client.get("/").status_code == 302


def test_random_bytes_for_a_passkey_are_refused(user: User, monkeypatch) -> None:
    """The parsers of the library see them: none of their errors comes out."""
    request = Client().get("/login/").wsgi_request
    request.META["HTTP_HOST"] = "localhost"
    for _ in range(300):
        noise = secrets.token_urlsafe(60)
        parts = {"clientDataJSON": noise, "attestationObject": noise, "authenticatorData": noise}
        answer = {"id": noise, "rawId": noise, "response": {**parts, "signature": noise}}
        passkeys.begin_making(request, user)
        assert not passkeys.make(request, user, json.dumps(answer), "x")
        passkeys.begin_making(request, user)
        assert not passkeys.accept(request, user, json.dumps(answer))


# --- Required by the operator -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "is_staff", "is_asked"),
    [
        ("optional", True, False),
        ("staff", False, False),
        ("staff", True, True),
        ("required", False, True),
    ],
)
def test_the_operator_can_require_a_factor(
    user: User, settings, wanted: str, is_staff: bool, is_asked: bool
) -> None:
    settings.CHAT = {"SECOND_FACTOR": wanted}
    User.objects.update(is_staff=is_staff)
    client = Client()
    client.post("/login/", PASSWORD)
    pages = ["/", "/account/", *(["/admin/"] if is_staff else [])]
    for path in pages:
        chain = client.get(path, follow=True)
        assert ("requires a second factor" in chain.content.decode()) is is_asked, path
    made = client.post("/account/tokens/make/", {"name": "x", "origin_key": KEY}, follow=True)
    assert ("requires a second factor" in made.content.decode()) is is_asked


def test_a_required_factor_is_set_up_at_the_first_log_in(user: User, settings) -> None:
    settings.CHAT = {"SECOND_FACTOR": "required"}
    client = Client()
    client.post("/login/", PASSWORD)
    shown = client.get("/account/app/?next=/").content.decode()
    secret = re.search(r'<code class="secret">([A-Z2-7 ]+)</code>', shown)[1].replace(" ", "")
    assert (
        client.post("/account/app/", {"code": "000000", "next": "/", "origin_key": KEY}).status_code
        == 200
    )
    done = client.post(
        "/account/app/", {"code": pyotp.TOTP(secret).now(), "next": "/", "origin_key": KEY}
    )
    assert len(re.findall(r"<code>[a-z2-9]{5}-[a-z2-9]{5}</code>", done.content.decode())) == 10
    assert client.get("/").status_code == 200
    assert rows.has_factor(user)


def test_a_log_in_from_before_the_factor_is_asked_for_it(user: User, settings) -> None:
    client = Client()
    client.post("/login/", PASSWORD)
    app = App(user)
    assert client.get("/").status_code == 200
    settings.CHAT = {"SECOND_FACTOR": "required"}
    asked = client.get("/")
    assert asked["Location"] == "/account/confirm/?next=/"
    assert client.post(asked["Location"], {"code": app.code()})["Location"] == "/"
    assert client.get("/").status_code == 200
