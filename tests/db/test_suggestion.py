"""The chat page suggests a password to an account that links alone log in."""

import re
from html import unescape

import pytest
from django.conf import settings as site
from django.contrib.auth.models import User
from django.test import Client

from sessions.access import links
from sessions.account_models import SecondFactor
from tests.db.test_account import Browser, logged_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def new() -> User:
    """An account without a password."""
    return User.objects.create_user("grace")


@pytest.fixture
def browser(new: User) -> Client:
    client = Browser()
    client.post(links.one_time_link(new))
    return client


def suggested(client: Client) -> str:
    """Return the cookie that puts the suggestion away, "" where the page makes none."""
    page = client.get("/").content.decode()
    found = re.findall(r'id="not-now" value="([^"]+)"', page)
    assert ('id="no-password"' in page) is bool(found)
    return unescape(found[0]) if found else ""


def put_away(client: Client) -> None:
    client.cookies.load(suggested(client))


def test_a_password_ends_the_suggestion(browser: Client) -> None:
    page = browser.get("/").content.decode()
    assert '<a class="button" href="/account/">Set a password</a>' in page
    words = {"new_password1": "battery staple", "new_password2": "battery staple"}
    browser.post("/account/password/", words)
    assert not suggested(browser)


def test_a_passkey_ends_the_suggestion(browser: Client, new: User) -> None:
    SecondFactor.objects.create(user=new, kind="app", key="app")
    assert suggested(browser)
    SecondFactor.objects.create(user=new, kind="passkey", key="key")
    assert not suggested(browser)


def test_an_account_with_a_password_sees_none(user: User) -> None:
    assert not suggested(logged_in())


def test_one_that_was_put_away_stays_away_from_that_browser(browser: Client, new: User) -> None:
    assert site.NOT_NOW_COOKIE_NAME not in str(browser.get("/").cookies)
    put_away(browser)
    kept = browser.get("/").cookies[f"{site.NOT_NOW_COOKIE_NAME}_{new.pk}"]
    assert (kept["max-age"], kept["path"], kept["samesite"]) == (365 * 24 * 3600, "/", "Lax")
    browser.post("/logout/")
    browser.post(links.one_time_link(new))
    assert not suggested(browser)
    elsewhere = Browser()
    elsewhere.post(links.one_time_link(new))
    assert suggested(elsewhere)


def test_the_answer_of_one_account_is_not_that_of_another(browser: Client) -> None:
    put_away(browser)
    browser.post(links.one_time_link(User.objects.create_user("bob")))
    assert suggested(browser)


def test_the_cookie_keeps_to_the_site(browser: Client, settings) -> None:
    assert suggested(browser).endswith("; Path=/; SameSite=Lax")
    settings.CSRF_COOKIE_SECURE, settings.CSRF_COOKIE_PATH = True, "/chat/"
    assert suggested(browser).endswith("; Path=/chat/; SameSite=Lax; Secure")
