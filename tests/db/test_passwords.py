"""Logging in by password, and the rate limit of guesses."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from ipaddress import ip_network
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from sessions.access import links, throttle
from sessions.access.client_address import client_address
from sessions.account_models import LoginThrottle
from tests.db.logging_in import log_in

# Requests read the database in threads of their own: only what is committed is seen there.
pytestmark = pytest.mark.django_db(transaction=True)


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
    text = refused.content.decode()
    assert "Too many attempts" in text
    assert f"run {links.COMMAND} on the server" in text
    assert "`" not in text.partition("Too many attempts")[2].partition("</p>")[0]


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


@pytest.mark.parametrize(
    ("peer", "trusted", "address"),
    [
        ("127.0.0.1", [], "203.0.113.5"),
        ("::ffff:10.0.0.7", [], "203.0.113.5"),
        ("fd00::7", [], "203.0.113.5"),
        ("", [], "203.0.113.5"),  # a socket in the file system
        ("8.8.8.8", [], "8.8.8.8"),  # past the proxy: the header is the peer's own word
        ("2606:4700::1", [], "2606:4700::1"),
        ("8.8.8.8", ["8.8.8.0/24"], "203.0.113.5"),
        ("127.0.0.1", ["8.8.8.0/24"], "127.0.0.1"),  # a process on the machine
        ("fd00::7", ["fd00::7"], "203.0.113.5"),
        ("unix", ["fd00::7"], "unix"),
    ],
)
def test_only_a_trusted_proxy_tells_the_address(settings, peer, trusted, address) -> None:
    settings.PROXY_COUNT = 1
    settings.TRUSTED_PROXIES = [ip_network(one) for one in trusted]
    headers = {"X-Forwarded-For": "203.0.113.5:4711"}
    request = RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer)
    assert client_address(request) == address


def test_an_ipv6_network_counts_as_one_client(user: User) -> None:
    for number in range(throttle.MAX_PER_NAME):
        assert throttle.attempt("ada", f"2606:4700:1:2::{number:x}") == 0
    assert throttle.attempt("ada", "2606:4700:1:2:ffff::1") > 0
    assert throttle.attempt("ada", "2606:4700:1:3::1") == 0
    throttle.forget("ada", "2606:4700:1:2::9")
    assert throttle.attempt("ada", "2606:4700:1:2::a") == 0


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


def test_a_guess_that_has_to_wait_writes_nothing(user: User) -> None:
    for _ in range(throttle.MAX_PER_NAME + 1):
        throttle.attempt("ada", "203.0.113.5")
    before = [*LoginThrottle.objects.order_by("pk").values()]
    with CaptureQueriesContext(connection) as captured:
        for _ in range(10):
            assert throttle.attempt("ada", "203.0.113.5") > 0
    assert {query["sql"].split()[0] for query in captured} == {"SELECT"}
    assert [*LoginThrottle.objects.order_by("pk").values()] == before


def test_an_ipv6_client_is_its_network(user: User) -> None:
    for number in range(throttle.MAX_PER_NAME + 1):
        throttle.attempt("ada", f"2001:db8:1:2::{number:x}")
    assert throttle.attempt("ada", "2001:db8:1:2:ffff::1") > 0
    assert throttle.attempt("ada", "2001:db8:1:3::1") == 0


def test_typed_names_are_not_kept(user: User) -> None:
    throttle.attempt("my-password-in-the-wrong-field", "203.0.113.5")
    assert "my-password" not in str(list(LoginThrottle.objects.values()))
