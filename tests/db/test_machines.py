"""Answers for machines: probes, metrics, refusals of strange hosts."""

from typing import Any, NoReturn

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient, Client, RequestFactory

from chatproject.asgi import application
from sessions.access import tokens
from sessions.core.hardening import files as private_files
from tests.db.logging_in import log_in

# Requests read the database in threads of their own: only what is committed is seen there.
pytestmark = pytest.mark.django_db(transaction=True)


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


CHECKS = ("database", "disk", "descriptors", "memory", "layer", "runner", "files")


def test_readyz_names_each_check(settings, tmp_path, monkeypatch) -> None:
    tmp_path.chmod(0o700)
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(private_files, "own_database_files", list)
    response = Client().get("/readyz")
    assert response.json() == {
        "ok": True,
        "checks": dict.fromkeys(CHECKS, "ok"),
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


async def test_healthz_is_answered_before_django() -> None:
    answers: dict[str, list[Any]] = {"GET": [], "HEAD": []}
    for method, sent in answers.items():

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        scope = {"type": "http", "method": method, "path": "/healthz", "headers": []}
        # Nothing is received: a request that reached Django would wait for its body.
        await application(scope | {"query_string": b"", "scheme": "http"}, unasked, send)
    assert [start["status"] for start, _ in answers.values()] == [200, 200]
    assert [body["body"] for _, body in answers.values()] == [b'{"ok": true}', b""]
    headers = dict(answers["HEAD"][0]["headers"])
    assert (headers[b"cache-control"], headers[b"content-length"]) == (b"no-store", b"12")
    assert (await AsyncClient().post("/healthz")).status_code == 405


async def unasked() -> NoReturn:
    raise AssertionError("the probe asked for a body")
