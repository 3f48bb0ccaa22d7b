"""Bodies and paths of a hostile client, made at random from fixed seeds."""

from __future__ import annotations

import json
import os
import random
import re
import time
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from chatproject.api import api
from sessions.access import tokens
from sessions.control import send
from sessions.core.errors import ChatError
from sessions.models import Session
from sessions.workspace import browse, folders
from tests.db.test_matrix import OF_THE_API_PAGE, ROUTES, Access

pytestmark = [
    pytest.mark.django_db(transaction=True),
    # Commands run in the streams' threads.
    pytest.mark.usefixtures("stream_threads"),
]
# Together they stay below the time that a fuzzer has in the suite.
BUDGET_S = 10.0
MOST_BYTES_OF_AN_ERROR = 64 * 1024

# --- bodies ---

# Every route of the API that takes a body. Archiving would end the session of the others.
TARGETS = [
    (route, method)
    for route, access in ROUTES.items()
    if route.startswith("api/") and route not in OF_THE_API_PAGE
    for method in ("POST", "PATCH", "PUT")
    if access.get(method) not in {None, Access.NOWHERE}
]
SCHEMAS = api.get_openapi_schema()["components"]["schemas"].values()
FIELDS = sorted({name for schema in SCHEMAS for name in schema.get("properties", ())})
FIELDS += ["__proto__", "nobody-knows"]
RAW = [b"", b"{", b"[" * 5000, b'{"a":' * 500, b"\xff\xfe", b"nul", b"1e999", b"NaN", b"{}x", b'"']


def value(chance: random.Random, session: Session, depth: int = 0) -> Any:
    simple = [
        *(None, True, 0, -1, 2**70, 1e308, "", "x", "\x00", "\ud800", "demo", "auto", "x" * 5000),
        *(str(session.pk), "00000000-0000-0000-0000-000000000000", "/etc", "../..", "/\x00", []),
    ]
    if depth < 3 and chance.random() < 0.25:
        inner = [value(chance, session, depth + 1) for _ in range(chance.randint(0, 4))]
        names = chance.choices([*FIELDS, str(session.pk), "\x00"], k=len(inner))
        return chance.choice([inner, dict(zip(names, inner, strict=True))])
    return chance.choice(simple)


def body(chance: random.Random, session: Session) -> bytes:
    if chance.random() < 0.15:
        return chance.choice(RAW)
    named = {name: value(chance, session) for name in chance.sample(FIELDS, chance.randint(0, 6))}
    if chance.random() < 0.7:
        named["sessionId"] = str(session.pk)
    return json.dumps(named).encode()


def address(route: str, session: Session) -> str:
    named = {"session_id": str(session.pk), "sha256": "a" * 64, "name": "demo"}
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda m: named.get(m[1], "1" * 8), route)


@pytest.mark.parametrize("seed", range(2))
def test_no_body_is_more_than_refused(seed: int, settings) -> None:
    settings.CHAT = {"SENDS_PER_MINUTE": 100_000}
    chance = random.Random(seed)
    owner = User.objects.create_user("owner")
    session = send.create_session(owner=owner, agent="demo")
    token = tokens.create_token(owner, wanted=tokens.Wanted(scope="admin"))
    headers = {"Authorization": f"Bearer {token}"}
    client = Client(raise_request_exception=False, headers=headers)
    end = time.monotonic() + BUDGET_S / 2
    for case in range(600):
        if time.monotonic() > end and case >= 60:
            break
        (name, method), sent = chance.choice(TARGETS), body(chance, session)
        answer = client.generic(
            method, address(name, session), sent, content_type="application/json"
        )
        told = answer.content
        assert answer.status_code < 500, (seed, case, name, sent, told)
        assert len(told) < MOST_BYTES_OF_AN_ERROR, (seed, case, name, sent)
        if answer.status_code >= 400:
            assert json.loads(told)["code"], (seed, case, name, sent, told)
    assert Session.objects.exclude(owner=owner).count() == 0


# --- paths ---

PARTS = [
    *("..", ".", "", "inside", "link-out", "link-in", "loop", "file", "closed", "~", "~root"),
    *("~nobody-such", "\x00", "x" * 300, "\ud800", "é", "%2e%2e", "inside ", " inside", "inside/."),
    *("\\..\\..", "link-out/..", "link-in/../..", "proc", "etc", "passwd", "\n", "*", "$HOME"),
]


def path(chance: random.Random, root: Path) -> str:
    start = chance.choice([str(root), str(root) + "/inside", "/", "//", "", "/proc/self/root"])
    return start + "".join("/" + part for part in chance.choices(PARTS, k=chance.randint(0, 6)))


@pytest.mark.parametrize("seed", range(2))
def test_no_path_leads_out_of_the_roots(seed: int, settings, tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    for folder in (outside / "secret", root / "inside/deeper", root / "closed"):
        folder.mkdir(parents=True)
    (root / "link-out").symlink_to(outside)
    (root / "link-in").symlink_to(root / "inside")
    (root / "loop").symlink_to(root / "loop")
    (root / "file").write_text("x")
    settings.CHAT = {"WORKSPACE_ROOTS": str(root)}
    chance = random.Random(seed)
    end = time.monotonic() + BUDGET_S / 2
    taken = 0
    for case in range(4000):
        if time.monotonic() > end and case >= 200:
            break
        asked = path(chance, root)
        try:
            found = folders.check(asked)
        except ChatError as exc:
            str(exc).encode()
        else:
            taken += 1
            assert found.resolve() == found, (seed, case, asked)
            assert found.is_relative_to(root), (seed, case, asked, found)
            assert found.is_dir(), (seed, case, asked)
        try:
            listing = browse.list_folders(asked)
        except ChatError as exc:
            str(exc).encode()
        else:
            assert os.path.realpath(listing.path).startswith(str(root)), (seed, case, asked)
            assert "secret" not in str(listing), (seed, case, asked)
    assert taken > 10
