"""Log-ins by cookie: the table knows no key that lets anybody in."""

import json
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import AsyncClient, Client
from django.utils import timezone

from sessions.access.login_store import SessionStore, alive, stored_key

pytestmark = pytest.mark.django_db(transaction=True)


def rows() -> list[dict[str, object]]:
    return list(Session.objects.values())


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ada", password="correct horse")


def key_of(client: Client | AsyncClient) -> str:
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def test_key_is_in_no_column_and_what_is_there_lets_nobody_in(user: User) -> None:
    client = Client()
    client.force_login(user)
    assert client.get("/").status_code == 200
    assert key_of(client) not in json.dumps(rows(), default=str)
    thief = Client()
    thief.cookies[settings.SESSION_COOKIE_NAME] = Session.objects.get().session_key
    assert thief.get("/").status_code == 302


def test_log_in_of_a_table_with_keys_in_clear_is_none(user: User) -> None:
    client = Client()
    client.force_login(user)
    Session.objects.update(session_key=key_of(client))
    assert client.get("/").status_code == 302


def test_store_makes_reads_changes_and_flushes() -> None:
    store = SessionStore()
    store["word"] = "one"
    store.save()
    key = store.session_key
    assert SessionStore(key)["word"] == "one"
    assert store.exists(key)
    again = SessionStore(key)
    again["word"] = "two"
    again.save()
    assert SessionStore(key)["word"] == "two"
    assert Session.objects.count() == 1
    again.cycle_key()
    assert again.session_key != key
    assert not store.exists(key)
    assert SessionStore(again.session_key)["word"] == "two"
    again.flush()
    assert not Session.objects.exists()
    again.delete()  # there is none: nothing happens


async def test_store_does_the_same_without_a_thread() -> None:
    store = SessionStore()
    await store.aset("word", "one")
    await store.asave()
    key = store.session_key
    assert await SessionStore(key).aget("word") == "one"
    assert await store.aexists(key)
    again = SessionStore(key)
    await again.aset("word", "two")
    await again.asave()
    assert await SessionStore(key).aget("word") == "two"
    assert await Session.objects.acount() == 1
    await again.acycle_key()
    assert again.session_key != key
    assert not await store.aexists(key)
    assert await SessionStore(again.session_key).aget("word") == "two"
    await again.aflush()
    assert not await Session.objects.aexists()
    await again.adelete()


@pytest.mark.parametrize("key", ["planted-by-a-stranger", "x", "\0" * 32, "\udcff" * 32])
def test_unknown_key_is_empty_and_is_not_taken_over(key: str) -> None:
    store = SessionStore(key)
    assert store.get("word") is None
    store["word"] = "mine"
    store.save()
    assert store.session_key != key


async def test_unknown_key_is_not_taken_over_without_a_thread_either() -> None:
    store = SessionStore("planted-by-a-stranger")
    assert await store.aget("word") is None
    await store.asave()
    assert store.session_key != "planted-by-a-stranger"


def test_expired_log_in_is_none_and_clearsessions_removes_it(user: User) -> None:
    client, other = Client(), Client()
    client.force_login(user)
    other.force_login(user)
    over = stored_key(key_of(client))
    Session.objects.filter(pk=over).update(expire_date=timezone.now() - timedelta(seconds=1))
    assert client.get("/").status_code == 302
    assert alive([over, stored_key(key_of(other)), "unknown"]) == {stored_key(key_of(other))}
    call_command("clearsessions")
    assert not Session.objects.filter(pk=over).exists()
    assert other.get("/").status_code == 200


def test_log_in_and_log_out(user: User) -> None:
    client = Client()
    data = {"username": "ada", "password": "correct horse"}
    assert client.post("/login/", data).status_code == 302
    assert client.get("/").status_code == 200
    first = key_of(client)
    assert client.post("/logout/").status_code == 302
    assert not SessionStore().exists(first)
    assert client.get("/").status_code == 302


async def test_log_in_and_log_out_without_a_thread(user: User) -> None:
    client = AsyncClient()
    await client.aforce_login(user)
    assert (await client.get("/")).status_code == 200
    await client.alogout()
    assert (await client.get("/")).status_code == 302
