"""The one-time link that a person makes for a phone: its address, its proof, its end."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import clear_script_prefix, set_script_prefix
from django.utils import timezone

from sessions.access import links, tokens
from sessions.access.factors import qr_code, recovery
from sessions.account_models import LoginLink, SecondFactor
from sessions.models import AuditEntry
from sessions.trail.record import Act
from tests.db.logging_in import secret_of
from tests.db.test_account import logged_in

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/account/phone/"


def made(client: Client, **extra: str) -> str:
    """Press the button; return the link that is shown as a QR code and as text."""
    page = client.post(PATH, **extra).content.decode()
    [link] = re.findall(r'data-copied="the link">([^<]+)<', page)
    assert qr_code.drawing(link) in page
    return link


def test_a_phone_logs_in_once_by_the_link(user: User) -> None:
    link = made(logged_in())
    path = link.removeprefix("http://testserver")
    phone, other = Client(), Client()
    assert "Log in as ada" in phone.get(path).content.decode()
    assert phone.get("/").status_code == 302  # a look at the link logs nobody in
    assert phone.post(path)["Location"] == "/"
    assert phone.get("/").context["user"] == user
    assert other.get(path).status_code == other.post(path).status_code == 410


def test_the_page_makes_no_link_before_the_button(user: User) -> None:
    assert "Make a link" in logged_in().get(PATH).content.decode()
    assert not LoginLink.objects.exists()


def test_the_link_lives_for_minutes(user: User) -> None:
    client = logged_in()
    secret = secret_of(made(client))
    end = LoginLink.objects.get(user=user).expires_at
    assert timedelta(0) < end - timezone.now() <= links.PHONE_LINK_LIFETIME
    assert "within 10 minutes" in client.post(PATH).content.decode()
    LoginLink.objects.update(expires_at=timezone.now())
    assert links.use_link(secret) is None


def test_a_newer_link_ends_it(user: User) -> None:
    client = logged_in()
    first, second = made(client), made(client)
    assert links.use_link(secret_of(first)) is None
    assert links.use_link(secret_of(second)) == user


def test_the_trail_names_the_browser_that_made_it_and_no_secret(user: User) -> None:
    secret = secret_of(made(logged_in()))
    entry = AuditEntry.objects.get(act=Act.LINK_MADE)
    assert (entry.who, entry.about) == ("ada", "ada")
    assert entry.credential.startswith("login:")
    assert secret not in str([vars(one) for one in AuditEntry.objects.all()])


def test_the_link_has_the_address_that_the_browser_has_asked_for(user: User, settings) -> None:
    settings.ALLOWED_HOSTS = ["testserver", "chat.example.org"]
    client = logged_in()
    link = made(client, SERVER_NAME="chat.example.org", SERVER_PORT="8000")
    assert link.startswith("http://chat.example.org:8000/login/once/")
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    behind = {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_HOST": "chat.example.org"}
    assert made(client, **behind).startswith("https://chat.example.org/login/once/")
    before = LoginLink.objects.get()
    assert client.post(PATH, HTTP_HOST="evil.example").status_code == 400
    assert LoginLink.objects.get().digest == before.digest


@pytest.fixture
def below_a_path() -> Iterator[None]:
    """The path that the handler of a server below BASE_PATH sets; the test client sets none."""
    set_script_prefix("/chat/")
    yield
    clear_script_prefix()


@pytest.mark.usefixtures("below_a_path")
def test_the_link_is_below_the_path_of_the_site(user: User) -> None:
    assert made(logged_in()).startswith("http://testserver/chat/login/once/")


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("localhost:8000", True),
        ("chat.localhost", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("192.168.1.7:8000", False),
        ("chat.example.org", False),
    ],
)
def test_the_page_says_when_no_phone_can_reach_it(
    user: User, settings, host: str, is_own: bool
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    client = logged_in()
    for answer in (client.get(PATH, HTTP_HOST=host), client.post(PATH, HTTP_HOST=host)):
        assert ("HOST=0.0.0.0" in answer.content.decode()) is is_own


def test_a_link_of_an_account_with_a_factor_takes_that_factor(user: User) -> None:
    client = logged_in()
    SecondFactor.objects.create(user=user, kind="app", key=f"app:{user.pk}")
    [code, *_] = recovery.renew(user)
    for asked in (client.get(PATH), client.post(PATH)):
        assert asked["Location"].startswith("/account/confirm/?next=/account/")
    assert not LoginLink.objects.exists()
    client.post("/account/confirm/", {"code": code})
    phone = Client()
    phone.post(made(client).removeprefix("http://testserver"))
    assert phone.session["second_factor"]


def test_a_token_makes_no_link(user: User) -> None:
    wanted = tokens.Wanted(scope="admin")
    token = {"Authorization": f"Bearer {tokens.create_token(user, wanted=wanted)}"}
    for answer in (Client().post(PATH, headers=token), Client().get(PATH, headers=token)):
        assert answer["Location"].startswith("/login/")
    assert not LoginLink.objects.exists()
