"""The one-time link: it asks, logs in once, and ends."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import get_commands
from django.db import connections
from django.test import Client
from django.utils import timezone

from sessions.access import links
from sessions.account_models import LoginLink
from tests.db.logging_in import secret_of
from transport.management.commands.serve import how_to_log_in

# Requests read the database in threads of their own: only what is committed is seen there.
pytestmark = pytest.mark.django_db(transaction=True)


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
        assert f"<code>{links.COMMAND}</code>" in used.content.decode()
    assert stranger.get("/").status_code == 302


def test_the_hint_of_a_later_start_is_a_command_that_runs(user: User) -> None:
    user.last_login = timezone.now()
    assert how_to_log_in(user, "http://here").endswith(f" run: {links.COMMAND}")
    python, program, name = links.COMMAND.split()
    makefile = (settings.BASE_DIR / "Makefile").read_text(encoding="utf-8")
    assert f"VENV := {python.partition('/')[0]}\n" in makefile  # `make run` installs there
    assert (settings.BASE_DIR / program).is_file()
    assert name in get_commands()


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
    page = logged_in.get(path).content.decode()
    assert "Go to the chats" in page
    assert "Log in again as ada" in page
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
