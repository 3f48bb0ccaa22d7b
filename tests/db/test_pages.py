"""Every response of the site: headers, static files, no thread-holding middleware."""

import re

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import AsyncClient, Client
from django.utils.module_loading import import_string

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", settings.MIDDLEWARE)
def test_middleware_is_async_capable(path: str) -> None:
    assert import_string(path).async_capable


def test_the_page_brings_what_its_script_reads_and_no_more(client: Client) -> None:
    client.force_login(User.objects.create_user("ada"))
    script = (settings.BASE_DIR / "sessions/static/sessions/main.js").read_text(encoding="utf-8")
    read = set(re.findall(r"\bboot\.(\w+)", script))
    assert set(client.get("/").context["bootstrap"]) == read


async def test_static_files_come_without_collecting_and_are_revalidated(
    async_client: AsyncClient,
) -> None:
    first = await async_client.get("/static/admin/js/theme.js")
    assert first.status_code == 200
    assert first.headers["Content-Type"].startswith("text/javascript")
    assert "max-age=0" in first.headers["Cache-Control"]
    assert "immutable" not in first.headers["Cache-Control"]
    first.close()
    again = await async_client.get(
        "/static/admin/js/theme.js", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert again.status_code == 304
    again.close()


async def test_a_static_path_cannot_leave_its_folder(async_client: AsyncClient) -> None:
    for path in ("/static/../manage.py", "/static/%2e%2e/manage.py", "/static//etc/passwd"):
        assert (await async_client.get(path)).status_code == 404


def test_a_page_without_an_icon_of_its_own_finds_one(client: Client) -> None:
    answer = client.get("/favicon.ico", follow=True)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/svg+xml"
    answer.close()
