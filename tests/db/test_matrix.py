"""Every route of the site, asked by everyone with every method: who gets what (I11).

The routes come from the URL table. A route without a line here fails the suite, so that nobody can
add one and forget to say who may use it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import Enum

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, get_resolver

from sessions.access import tokens
from sessions.control import send
from sessions.models import Session

pytestmark = [
    pytest.mark.django_db(transaction=True),
    # Commands run in the streams' threads.
    pytest.mark.usefixtures("stream_threads"),
]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ASKERS = ("anonymous", "stranger", "owner", "staff")


class Access(Enum):
    """Who may use a route with a method."""

    PUBLIC = "everyone"
    USER = "everyone who is logged in"
    OWNER = "the owner of the session; for others it does not exist"
    STAFF = "staff"
    NOWHERE = "no one: there is nothing at this address"


def reading(access: Access) -> dict[str, Access]:
    return {"GET": access}


COMMAND = {"POST": Access.USER}
COMMAND_ON_A_SESSION = {"POST": Access.OWNER}
ROUTES: dict[str, dict[str, Access]] = {
    "": reading(Access.USER),
    "s/<uuid:session_id>": reading(Access.OWNER),
    "login/": dict.fromkeys(METHODS, Access.PUBLIC),
    "login/once/<str:secret>": {"GET": Access.PUBLIC, "POST": Access.PUBLIC},
    "logout/": {"POST": Access.PUBLIC},
    "favicon.ico": reading(Access.PUBLIC),
    "healthz": reading(Access.PUBLIC),
    "readyz": reading(Access.PUBLIC),
    "metrics": reading(Access.PUBLIC),  # to loopback, as here, and to staff
    # The feed is served beside Django; this route is for a GRIP proxy alone.
    "events/<uuid:session_id>": dict.fromkeys(METHODS, Access.NOWHERE),
    "api/": dict.fromkeys(METHODS, Access.NOWHERE),
    "^api/": dict.fromkeys(METHODS, Access.NOWHERE),
    "api/openapi.json": dict.fromkeys(METHODS, Access.USER),
    "api/docs": dict.fromkeys(METHODS, Access.USER),
    "api/chat/send": COMMAND_ON_A_SESSION,
    "api/chat/interrupt": COMMAND_ON_A_SESSION,
    "api/chat/stop": COMMAND_ON_A_SESSION,
    "api/chat/permission": COMMAND_ON_A_SESSION,
    "api/chat/mode": COMMAND_ON_A_SESSION,
    "api/chat/close": COMMAND_ON_A_SESSION,
    # These name a stream of the user's own first, and are 404 without one for everyone.
    "api/chat/watch": COMMAND,
    "api/chat/unwatch": COMMAND,
    "api/chat/switch": COMMAND,
    "api/chat/suspend": COMMAND,
    "api/chat/resume": COMMAND,
    "api/chat/reconnect": COMMAND,
    "api/chat/ack": COMMAND,
    "api/chat/probe": COMMAND,
    "api/sessions": reading(Access.USER),
    "api/sessions/<uuidstr:session_id>": {
        "GET": Access.OWNER,
        "PATCH": Access.OWNER,
        "DELETE": Access.OWNER,
    },
    "api/sessions/<uuidstr:session_id>/snapshot": reading(Access.OWNER),
    "api/sessions/<uuidstr:session_id>/messages": reading(Access.OWNER),
    "api/sessions/<uuidstr:session_id>/events": reading(Access.OWNER),
    "api/sessions/<uuidstr:session_id>/export": reading(Access.OWNER),
    "api/agents": reading(Access.USER),
    "api/folders": {"GET": Access.USER, "POST": Access.USER},
}
OF_THE_API_PAGE = {"api/docs", "api/openapi.json"}
ON_A_STREAM = tuple(route for route, access in ROUTES.items() if access is COMMAND)
BODIES = {
    "api/chat/send": {"clientMsgId": "m", "text": "hello"},
    "api/chat/permission": {"permId": "p", "optionId": "o"},
    "api/chat/mode": {"mode": "m"},
    "api/sessions/<uuidstr:session_id>": {"title": "t"},
    "api/folders": {"path": "/nowhere/new"},
}
# What a route answers beside success when the asker is the right one.
FINE = {
    "api/chat/permission": {404},  # unknown_permission
    "api/chat/mode": {409},  # unknown_mode
    "api/folders": {400},  # no folders of one's own here
    "login/": {405},
    "login/once/<str:secret>": {404, 405, 410},
    "readyz": {503},
    **{route: {400, 404} for route in ON_A_STREAM},  # connection_required
}


def patterns(resolver: object = None, prefix: str = "") -> Iterator[str]:
    for found in (resolver or get_resolver()).url_patterns:
        path = prefix + str(found.pattern)
        if isinstance(found, URLPattern):
            yield path
        else:
            yield from patterns(found, path)


ALL = sorted(set(patterns()))
# Logging in and out is open to everyone.
OPEN = {"admin/login/", "admin/logout/"}
ADMIN = [pattern for pattern in ALL if pattern.startswith("admin/") and pattern not in OPEN]
OURS = [pattern for pattern in ALL if not pattern.startswith("admin/")]


class Site:
    """The site with its askers and a session of the owner."""

    def __init__(self) -> None:
        self.users = {
            "stranger": User.objects.create_user("stranger"),
            "owner": User.objects.create_user("owner"),
            "staff": User.objects.create_superuser("staff"),
        }
        self.session = send.create_session(owner=self.users["owner"], agent="demo")
        self.tokens = {name: tokens.create_token(user) for name, user in self.users.items()}

    def ask(self, asker: str, method: str, pattern: str):
        client = Client(raise_request_exception=False)
        headers = {}
        takes_token = pattern.startswith("api/") and pattern not in OF_THE_API_PAGE
        if asker in self.users and takes_token:
            headers["Authorization"] = f"Bearer {self.tokens[asker]}"
        elif asker in self.users:
            client.force_login(self.users[asker])
        path = re.sub(r"<(\w+:)?\w+>", str(self.session.pk), "/" + pattern.strip("^$"))
        body = {"sessionId": str(self.session.pk)} if pattern.startswith("api/chat/") else {}
        body |= BODIES.get(pattern, {})
        data = "" if method == "GET" else json.dumps(body)
        return client.generic(method, path, data, content_type="application/json", headers=headers)


@pytest.fixture
def site() -> Site:
    return Site()


def test_every_route_says_who_may_use_it() -> None:
    assert set(OURS) == set(ROUTES)


def is_sent_to_log_in(response) -> bool:
    if response.status_code == 302:
        return response["Location"].startswith("/login/")
    return response.status_code == 401


@pytest.mark.parametrize("pattern", OURS)
def test_a_route_answers_whom_it_may(site: Site, pattern: str) -> None:
    problems = []
    for method in METHODS:
        access = ROUTES[pattern].get(method)
        for asker in ASKERS if access else ("anonymous", "staff"):
            response = site.ask(asker, method, pattern)
            if not is_right(access, asker, pattern, response):
                problems.append((method, asker, response.status_code, access))
            is_archived = Session.objects.exclude(archived_at=None).exists()
            assert not is_archived or asker == "owner"
            Session.objects.update(archived_at=None)
    assert problems == []


def is_right(access: Access | None, asker: str, pattern: str, response) -> bool:
    """Return whether an answer is the right one for an asker."""
    status = response.status_code
    if status in FINE.get(pattern, set()):
        return True
    if access is Access.NOWHERE:
        return status == 404
    if access is None:  # no such method here
        return status in {401, 403, 405} or is_sent_to_log_in(response)
    if access is not Access.PUBLIC and asker == "anonymous":
        return is_sent_to_log_in(response)
    if access is Access.OWNER and asker != "owner":
        return status == 404
    return status < 400


@pytest.mark.parametrize("pattern", ADMIN)
def test_the_admin_is_for_staff(site: Site, pattern: str) -> None:
    for method in ("GET", "POST"):
        for asker in ("anonymous", "stranger"):
            response = site.ask(asker, method, pattern)
            assert response.status_code in {302, 403}, (method, asker)
            if response.status_code == 302:
                assert "login" in response["Location"]
    assert site.ask("staff", "GET", pattern).status_code < 500
