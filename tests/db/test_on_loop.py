"""Django's middleware takes no thread for a step that reads and writes nothing."""

from typing import Any, NoReturn

import pytest
from django.test import AsyncClient
from django.utils import deprecation

from chatproject.middleware import on_loop

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_options: Any) -> NoReturn:
        raise AssertionError("a thread was asked for")

    for module in (on_loop, deprecation):
        monkeypatch.setattr(module, "sync_to_async", refuse)


@pytest.mark.usefixtures("no_threads")
async def test_requests_that_save_nothing_take_no_thread_for_middleware() -> None:
    client = AsyncClient()
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/api/sessions")).status_code == 401
    assert (await client.post("/api/chat/ack")).status_code in {401, 403}


async def test_a_log_in_saves_its_session_and_a_form_without_a_token_is_refused(user) -> None:
    client = AsyncClient(enforce_csrf_checks=True)
    form = {"username": user.username, "password": "correct horse"}
    assert (await client.post("/login/", form)).status_code == 403
    page = await client.get("/login/")
    token = page.cookies[next(name for name in page.cookies if "csrf" in name)].value
    answer = await client.post("/login/", form | {"csrfmiddlewaretoken": token})
    assert answer.status_code == 302
    assert any("login" in name for name in answer.cookies)
