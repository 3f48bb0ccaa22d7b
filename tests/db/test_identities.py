"""Requests of one credential share the read of it, and a revocation holds for the next request."""

import asyncio
import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import RequestFactory

from sessions.access import auth

pytestmark = pytest.mark.django_db(transaction=True)


class Reads:
    """The reads of credentials; the first waits until it may end."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.revoked: set[str] = set()
        self.began = threading.Event()
        self.may_end = threading.Event()

    def identify(self, headers: Any, _cookies: Any, *, address: str, needs_key: bool) -> Any:
        token = headers["authorization"]
        user = None if token in self.revoked else User(username=f"{token} {address} {needs_key}")
        self.tokens.append(token)
        if len(self.tokens) == 1:
            self.began.set()
            self.may_end.wait(30)
        return auth._Asker(user, by_cookie=False)


@pytest.fixture
def reads(monkeypatch) -> Reads:
    made = Reads()
    monkeypatch.setattr(auth, "_identify", made.identify)
    return made


def asking(token: str, address: str = "192.0.2.1") -> asyncio.Task[Any]:
    request = RequestFactory().post("/", headers={"authorization": token}, REMOTE_ADDR=address)
    return asyncio.create_task(auth._asker_of(request, needs_key=True))


async def first_read(reads: Reads, token: str) -> asyncio.Task[Any]:
    first = asking(token)
    await asyncio.to_thread(reads.began.wait, 30)
    return first


async def test_requests_of_one_credential_share_a_read_and_no_user(reads):
    first = await first_read(reads, "good")
    others = [asking("good") for _ in range(7)]
    await asyncio.sleep(0)
    reads.may_end.set()
    users = [asker.user for asker in await asyncio.gather(first, *others)]
    assert {user.username for user in users} == {"good 192.0.2.1 True"}
    assert reads.tokens == ["good", "good"]
    assert len({id(user) for user in users}) == 8


async def test_a_request_after_a_revocation_is_refused_though_a_read_is_under_way(reads):
    first = await first_read(reads, "good")
    reads.revoked.add("good")
    later = asking("good")
    await asyncio.sleep(0)
    reads.may_end.set()
    assert (await first).user is not None
    assert (await later).user is None


async def test_another_credential_or_address_has_a_read_of_its_own_and_waits_for_none(reads):
    first = await first_read(reads, "slow")
    found = await asyncio.gather(asking("other"), asking("slow", "192.0.2.2"))
    assert [each.user.username[:15] for each in found] == ["other 192.0.2.1", "slow 192.0.2.2 "]
    assert not first.done()
    reads.may_end.set()
    assert (await first).user.username == "slow 192.0.2.1 True"
