"""Every response of the site: headers, static files, no thread-holding middleware."""

import gzip
import json
import re
from functools import cache

import brotli
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.templatetags.static import static
from django.test import AsyncClient, Client
from django.utils.module_loading import import_string

from chatproject.assets import ahead, files, middleware
from chatproject.assets.files import Assets
from tests.support import processor

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


@pytest.fixture
def versioned() -> str:
    """Return the address of the page's script."""
    address = static("sessions/main.js")
    assert re.fullmatch(r"/static/[0-9a-f]{16}/sessions/main\.js", address)
    return address


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("GZIP", "gzip"),
        ("br;q=0.0", None),
        ("", None),
        ("\0,;;q=,,", None),
    ],
)
async def test_a_file_of_a_version_is_kept_for_a_year_and_compressed(
    async_client: AsyncClient, versioned: str, accepted: str, encoding: str | None
) -> None:
    answer = await async_client.get(versioned, headers={"Accept-Encoding": accepted})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "max-age=31536000, public, immutable"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers.get("Content-Encoding") == encoding
    assert answer.headers["Content-Length"] == str(len(answer.content))
    unpack = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[encoding]
    assert b"Backstay" in unpack(answer.content)
    head = await async_client.head(versioned, headers={"Accept-Encoding": accepted})
    assert (head.content, head.headers["Content-Length"]) == (b"", str(len(answer.content)))
    assert (await async_client.post(versioned)).status_code == 405


async def test_other_versions_and_names_are_not_found(
    async_client: AsyncClient, versioned: str
) -> None:
    version = versioned.split("/")[2]
    wrong = ["0" * 16, version.upper(), version[:-1], "..", ""]
    paths = [f"/static/{name}/sessions/main.js" for name in wrong]
    paths += [f"/static/{version}/{name}" for name in ("", "none.js", "../manage.py", "sessions")]
    paths += [f"/static/{version}/%2e%2e/%2e%2e/manage.py", f"/static/{version}//etc/passwd"]
    for path in paths:
        assert (await async_client.get(path)).status_code == 404, path


def test_the_scripts_and_the_sheets_of_the_pages_are_whole(client: Client) -> None:
    script = client.get(static("sessions/main.js")).content.decode()
    assert not re.search(r"\bimport\s*\{", script)
    later = client.get(static("sessions/main.later.js")).content.decode()
    assert re.findall(r"\bimport\s*\{[^}]*\}\s*from\s*(\S+?);", later) == ['"./main.js"']
    for name, rule in (("page", ".prompt-text"), ("chat", ".code-frame"), ("site", ".codes")):
        sheet = client.get(static(f"sessions/{name}.css")).content.decode()
        assert "@import" not in sheet
        assert rule in sheet


async def test_the_first_request_finds_the_files_of_the_page_packed(
    async_client: AsyncClient, versioned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "assets", cache(Assets))  # as in a process that has just started
    await ahead.pack()
    monkeypatch.setattr(Assets, "_pack", None)  # none is left to be packed
    monkeypatch.setattr(middleware, "assets", files.assets)
    for name in ("main.js", "main.later.js", "page.css", "chat.css", "site.css"):
        for encoding in ("br", "gzip"):
            answer = await async_client.get(
                static(f"sessions/{name}"), headers={"Accept-Encoding": encoding}
            )
            assert answer.headers["Content-Encoding"] == encoding, name


def test_a_file_that_is_not_packed_ahead_takes_little_time() -> None:
    name = "ninja/swagger-ui-bundle.js"
    taken = [processor.seconds(lambda: Assets().packed(name, "br")) for _ in range(3)]
    assert min(taken) < 0.5


async def test_nothing_is_packed_in_development(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "assets", cache(Assets))
    monkeypatch.setattr(settings, "DEBUG", True)
    await ahead.pack()
    assert not any(files.assets().held(name, "br") for name in files.AHEAD)


def test_files_keep_their_plain_addresses_in_development(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "DEBUG", True)
    assert static("sessions/main.js") == "/static/sessions/main.js"


def test_long_pages_and_answers_are_compressed_where_no_secret_can_be_guessed(
    client: Client,
) -> None:
    client.force_login(User.objects.create_user("ada"))
    wants = {"Accept-Encoding": "gzip, br"}

    page = client.get("/", headers=wants)
    assert page.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in page.headers["Vary"]
    assert b'id="transcript"' in gzip.decompress(page.content)
    lengths = {len(client.get("/", headers=wants).content) for _ in range(12)}
    assert len(lengths) > 3  # a random length beside the masked tokens

    answer = client.get("/api/openapi.json", headers=wants)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer.content))["info"]["title"] == "Backstay"
    assert "Content-Encoding" not in client.get("/", headers={"Accept-Encoding": "br"}).headers

    for path in ("/account/", "/login/?again=1&next=/x", "/account/password/", "/api/chat/none"):
        assert "Content-Encoding" not in client.get(path, headers=wants).headers, path
    post = client.post("/login/", {"username": "a" * 2_000, "password": "b"}, headers=wants)
    assert "Content-Encoding" not in post.headers


async def test_a_static_path_cannot_leave_its_folder(async_client: AsyncClient) -> None:
    for path in ("/static/../manage.py", "/static/%2e%2e/manage.py", "/static//etc/passwd"):
        assert (await async_client.get(path)).status_code == 404


def test_a_page_without_an_icon_of_its_own_finds_one(client: Client) -> None:
    answer = client.get("/favicon.ico", follow=True)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/svg+xml"
    answer.close()
