"""Settings: what the environment makes of them, in a process of its own each time."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHOW = """
import json, chatproject.settings as s
print(json.dumps({n: getattr(s, n) for n in dir(s) if n.isupper() and n != "LOGGING"}, default=str))
"""


def settings_with(tmp_path: Path, **environment: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_defaults_are_sqlite_in_the_data_folder_on_loopback_without_debug(tmp_path) -> None:
    settings = settings_with(tmp_path)
    assert settings["DATABASES"]["default"]["NAME"] == str(tmp_path / "backstay.sqlite3")
    assert settings["DATABASES"]["default"]["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert (settings["HOST"], settings["PORT"]) == ("127.0.0.1", 8000)
    assert settings["DEBUG"] is False
    assert settings["CHANNEL_LAYERS"]["default"]["BACKEND"].endswith("InMemoryChannelLayer")
    assert "*" not in settings["ALLOWED_HOSTS"]


@pytest.mark.parametrize("host", ["fd00::1", "[FD00::0:1]"])
def test_an_ipv6_address_is_listened_on_and_allowed(tmp_path, host: str) -> None:
    settings = settings_with(tmp_path, HOST=host)
    assert settings["HOST"] == host.strip("[]")
    assert "[fd00::1]" in settings["ALLOWED_HOSTS"]
    assert "[::1]" in settings["ALLOWED_HOSTS"]


def test_an_ipv6_address_is_allowed_with_and_without_brackets(tmp_path) -> None:
    settings = settings_with(tmp_path, ALLOWED_HOSTS="chat.example.org,fd00::1,[fd00::2]")
    assert settings["ALLOWED_HOSTS"] == ["chat.example.org", "[fd00::1]", "[fd00::2]"]


@pytest.mark.parametrize("written", ["/chat", "chat/", "/chat/"])
def test_a_base_path_is_in_addresses_and_cookies(tmp_path, written: str) -> None:
    settings = settings_with(tmp_path, BASE_PATH=written)
    assert settings["FORCE_SCRIPT_NAME"] == "/chat"
    assert settings["SESSION_COOKIE_PATH"] == settings["CSRF_COOKIE_PATH"] == "/chat/"
    assert settings_with(tmp_path, BASE_PATH="/")["SESSION_COOKIE_PATH"] == "/"


@pytest.mark.parametrize("written", ["/a b", "/?x", "http://a/b"])
def test_a_base_path_that_is_none_stops_the_start(tmp_path, written: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        settings_with(tmp_path, BASE_PATH=written)
    assert "BASE_PATH" in caught.value.stderr


def test_secret_key_survives_a_restart(tmp_path) -> None:
    key = settings_with(tmp_path)["SECRET_KEY"]
    assert settings_with(tmp_path)["SECRET_KEY"] == key


def test_chat_variables_are_collected_raw(tmp_path) -> None:
    assert settings_with(tmp_path, CHAT_MAX_REPLAY_GAP="7")["CHAT"] == {"MAX_REPLAY_GAP": "7"}


def test_database_url_chooses_postgresql_with_a_bounded_pool(tmp_path) -> None:
    url = "postgresql://someone:word@127.0.0.1:5432/chat"
    database = settings_with(tmp_path, DATABASE_URL=url, DATABASE_POOL_SIZE="3")["DATABASES"]
    assert database["default"]["ENGINE"] == "django.db.backends.postgresql"
    assert database["default"]["OPTIONS"]["pool"]["max_size"] == 3


def test_redis_url_chooses_a_layer_with_a_key_of_its_own(tmp_path) -> None:
    chosen = {"REDIS_URL": "redis://127.0.0.1:6379/0"}
    layer = settings_with(tmp_path, **chosen)["CHANNEL_LAYERS"]["default"]
    assert layer["BACKEND"] == "chatproject.layer.Layer"
    [key] = layer["CONFIG"]["symmetric_encryption_keys"]
    assert key == (tmp_path / "layer_key").read_text().strip()
    assert key != (tmp_path / "secret_key").read_text().strip()
    assert (tmp_path / "layer_key").stat().st_mode & 0o777 == 0o600
    given = settings_with(tmp_path, LAYER_KEY="k" * 40, **chosen)["CHANNEL_LAYERS"]["default"]
    assert given["CONFIG"]["symmetric_encryption_keys"] == ["k" * 40]


def test_cookies_are_secure_behind_https(tmp_path) -> None:
    settings = settings_with(tmp_path, BEHIND_HTTPS="1")
    assert settings["SESSION_COOKIE_SECURE"] is True
    assert settings["CSRF_COOKIE_SECURE"] is True
    for kind in ("SESSION", "CSRF"):
        assert settings[f"{kind}_COOKIE_NAME"].startswith("__Host-backstay_")
        assert settings[f"{kind}_COOKIE_PATH"] == "/"
        below = settings_with(tmp_path, BEHIND_HTTPS="1", BASE_PATH="/chat")
        assert below[f"{kind}_COOKIE_NAME"].startswith("__Secure-backstay_")
        assert settings_with(tmp_path)[f"{kind}_COOKIE_NAME"].startswith("backstay_")
    assert settings["SECURE_PROXY_SSL_HEADER"] == ["HTTP_X_FORWARDED_PROTO", "https"]


def test_forwarded_proto_is_not_believed_without_a_proxy(tmp_path) -> None:
    assert settings_with(tmp_path)["SECURE_PROXY_SSL_HEADER"] is None


@pytest.mark.parametrize("name", ["PORT", "DATABASE_POOL_SIZE", "HSTS_SECONDS"])
def test_a_bad_number_stops_the_start_and_names_the_variable(tmp_path, name: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        settings_with(tmp_path, **{name: "many", "DATABASE_URL": "postgresql://h/d"})
    assert f"{name}='many'" in caught.value.stderr


def test_the_variables_of_the_process_are_the_documented_ones() -> None:
    source = (ROOT / "chatproject" / "settings.py").read_text(encoding="utf-8")
    documented = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    read = set(re.findall(r'env\.(?:text|flag|number|names|networks|path)\(\s*"(\w+)"', source))
    rows = re.findall(r"^\| `(\w+)` \|", documented, re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert {name for name in rows if not name.startswith("CHAT_")} == {
        name for name in read if not name.startswith("CHAT_")
    }
