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
SCOPES = ("read", "chat", "admin")


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
    "login/second/": {"GET": Access.USER, "POST": Access.USER},
    "logout/": {"POST": Access.PUBLIC},
    "account/": reading(Access.USER),
    "account/confirm/": {"GET": Access.USER, "POST": Access.USER},
    "account/password/": {"GET": Access.USER, "POST": Access.USER},
    "account/phone/": {"GET": Access.USER, "POST": Access.USER},
    "account/log-ins/end/": {"POST": Access.USER},
    "account/tokens/make/": {"POST": Access.USER},
    "account/tokens/revoke/": {"POST": Access.USER},
    "account/require/": reading(Access.USER),
    "account/app/": {"GET": Access.USER, "POST": Access.USER},
    "account/passkey/": {"GET": Access.USER, "POST": Access.USER},
    "account/codes/": {"POST": Access.USER},
    "account/remove/": {"POST": Access.USER},
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
    "api/chat/unqueue": COMMAND_ON_A_SESSION,
    "api/chat/edit": COMMAND_ON_A_SESSION,
    "api/chat/reorder": COMMAND_ON_A_SESSION,
    "api/chat/rewind": COMMAND_ON_A_SESSION,
    "api/chat/fork": COMMAND_ON_A_SESSION,
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
    "api/sessions/<uuidstr:session_id>/blocks/<str:block_id>": reading(Access.OWNER),
    "api/sessions/<uuidstr:session_id>/export": reading(Access.OWNER),
    "api/sessions/<uuidstr:session_id>/files": reading(Access.OWNER),
    "api/sessions/<uuidstr:session_id>/file": reading(Access.OWNER),
    "api/search": reading(Access.USER),
    "api/history": reading(Access.USER),
    "api/folders/paths": reading(Access.USER),
    "api/sessions/<uuidstr:session_id>/search": reading(Access.OWNER),
    "api/sessions/<uuidstr:session_id>/paths": reading(Access.OWNER),
    "api/sessions/<uuidstr:session_id>/changes": reading(Access.OWNER),
    "api/sessions/<uuidstr:session_id>/changes/discard": {"POST": Access.OWNER},
    "api/sessions/<uuidstr:session_id>/changes/stage": {"POST": Access.OWNER},
    "api/sessions/<uuidstr:session_id>/changes/unstage": {"POST": Access.OWNER},
    "api/sessions/<uuidstr:session_id>/changes/commit": {"POST": Access.OWNER},
    "api/sessions/<uuidstr:session_id>/restore": {"POST": Access.OWNER},
    "api/sessions/<uuidstr:session_id>/name": {"POST": Access.OWNER},
    "api/sessions/<uuidstr:session_id>/draft": {"PUT": Access.OWNER},
    "api/sessions/<uuidstr:session_id>/comments": reading(Access.OWNER),
    "api/sessions/<uuidstr:session_id>/comments/<comment_id>": {
        "PUT": Access.OWNER,
        "DELETE": Access.OWNER,
    },
    "api/sessions/<uuidstr:session_id>/read": {"PUT": Access.OWNER},
    "api/sessions/<uuidstr:session_id>/pin": {"PUT": Access.OWNER, "DELETE": Access.OWNER},
    "api/sessions/<uuidstr:session_id>/worktree": reading(Access.OWNER),
    **{
        f"api/sessions/<uuidstr:session_id>/worktree/{act}": {"POST": Access.OWNER}
        for act in ("merge", "keep", "discard")
    },
    "api/clones": {"POST": Access.USER},
    "api/clones/<uuidstr:clone_id>": {"GET": Access.USER, "DELETE": Access.USER},
    "api/agents": reading(Access.USER),
    "api/agents/offer": reading(Access.USER),
    # Both look at the request before they look at the person: staff, or the only account.
    "api/agents/<str:name>/sessions": reading(Access.USER),
    "api/sessions/import": {"POST": Access.USER},
    "api/sessions/<uuidstr:session_id>/terminal": reading(Access.OWNER),
    "api/folders": {"GET": Access.USER, "POST": Access.USER},
    "api/projects": {
        "GET": Access.USER,
        "POST": Access.USER,
        "PATCH": Access.USER,
        "DELETE": Access.USER,
    },
    "api/projects/<uuidstr:project_id>/branches": reading(Access.USER),
    "api/projects/<uuidstr:project_id>": {"PATCH": Access.USER, "DELETE": Access.USER},
    "api/chat/answer": COMMAND_ON_A_SESSION,
    "api/chat/option": COMMAND_ON_A_SESSION,
    # Reading: of a session that one may read, or of an upload.
    "api/blobs/<sha256>": {"GET": Access.USER, "PUT": Access.USER},
    "api/tokens": {"GET": Access.USER, "POST": Access.USER},
    "api/rules": {"GET": Access.USER, "POST": Access.USER, "DELETE": Access.USER},
    "api/rules/<int:rule_id>": {"DELETE": Access.USER},
    "api/rules/try": {"POST": Access.USER},
    "api/colours": {"POST": Access.USER},
    "api/mcp-servers": {"GET": Access.USER, "POST": Access.USER, "DELETE": Access.USER},
    "api/mcp-servers/<int:server_id>": {"DELETE": Access.USER},
    "account/mcp-servers/": reading(Access.USER),
    "account/agents/": reading(Access.STAFF),
    "account/agents/add/": {"POST": Access.STAFF},
    "account/agents/remove/": {"POST": Access.STAFF},
    "account/agents/try/": {"POST": Access.STAFF},
    "account/agents/ways/": {"POST": Access.STAFF},
    "account/agents/log-in/": {"POST": Access.STAFF},
    "account/agents/terminal/": reading(Access.STAFF),
    "account/agents/turn/": {"POST": Access.STAFF},
    "account/mcp-servers/add/": {"POST": Access.USER},
    "account/mcp-servers/remove/": {"POST": Access.USER},
    "api/rules/suggest": {"POST": Access.OWNER},
    "account/projects/": reading(Access.USER),
    "account/projects/<uuid:project_id>/": reading(Access.USER),
    "account/projects/save/": {"POST": Access.USER},
    "account/projects/remove/": {"POST": Access.USER},
    "account/rules/": {"GET": Access.USER, "POST": Access.USER},
    "account/rules/add/": {"POST": Access.USER},
    "account/rules/remove/": {"POST": Access.USER},
    "api/tokens/<int:token_id>": {"DELETE": Access.USER},
}
OF_THE_API_PAGE = {"api/docs", "api/openapi.json"}
ON_A_STREAM = tuple(route for route, access in ROUTES.items() if access is COMMAND)
# The bodies of commands that name no session.
OF_NO_SESSION: dict[str, dict[str, object]] = {
    **{f"api/chat/{name}": {"sessions": []} for name in ("suspend", "resume", "reconnect", "ack")},
    "api/chat/probe": {"nonce": "n"},
}
BODIES = {
    "api/chat/send": {"clientMsgId": "m", "text": "hello"},
    "api/chat/unqueue": {"clientMsgId": "m"},
    "api/chat/edit": {"clientMsgId": "m", "text": "t", "version": 1},
    "api/chat/reorder": {"clientMsgIds": ["m"]},
    "api/chat/rewind": {"to": 1, "chat": True},
    "api/chat/fork": {"at": 1},
    "api/chat/permission": {"permId": "p", "optionId": "o"},
    "api/chat/mode": {"mode": "m"},
    **OF_NO_SESSION,
    "api/sessions/<uuidstr:session_id>": {"title": "t"},
    "api/folders": {"path": "/nowhere/new"},
    "api/sessions/<uuidstr:session_id>/changes/discard": {"path": "a.txt"},
    "api/sessions/<uuidstr:session_id>/changes/stage": {"paths": ["a.txt"]},
    "api/sessions/<uuidstr:session_id>/changes/unstage": {"paths": ["a.txt"]},
    "api/sessions/<uuidstr:session_id>/changes/commit": {"message": "x"},
    "api/projects": {"folder": "/nowhere"},
    "api/sessions/<uuidstr:session_id>/draft": {"text": "t"},
    "api/sessions/<uuidstr:session_id>/comments/<comment_id>": {
        "path": "a.txt",
        "line": 1,
        "text": "t",
    },
    "api/sessions/<uuidstr:session_id>/read": {"seq": 1},
    "api/sessions/<uuidstr:session_id>/pin": {"pinned": True},
    "api/sessions/<uuidstr:session_id>/worktree/discard": {"digest": "d"},
    "api/clones": {"url": "https://[::1]/x", "path": "/nowhere/new"},
    "api/tokens": {"name": "n"},
    "api/rules": {
        "scope": "agent",
        "agent": "demo",
        "effect": "deny",
        "kind": "command",
        "pattern": "rm",
    },
    "api/rules/try": {"command": "rm x"},
    "api/colours": {"path": "a.py", "texts": ["x = 1"]},
    "api/rules/suggest": {"permId": "p"},
    "api/chat/answer": {"questionId": "q", "action": "decline"},
    "api/chat/option": {"optionId": "o", "value": "v"},
}
FORMS = [
    "password",
    "phone",
    "app",
    "passkey",
    "codes",
    "remove",
    "log-ins/end",
    "tokens/make",
    "tokens/revoke",
    "rules/add",
    "agents/add",
    "agents/remove",
    "agents/try",
    "agents/ways",
    "agents/log-in",
    "mcp-servers/add",
    "mcp-servers/remove",
    "rules/remove",
    "projects/save",
    "projects/remove",
]
# The answer to the right asker, by route and method, where it is not 200; by code where it has one.
EXPECTED: dict[str, dict[str, object]] = {
    # Without words there is nothing to look for.
    "api/chat/send": {"POST": 202},
    "api/chat/interrupt": {"POST": 202},
    "api/chat/stop": {"POST": 202},
    "api/chat/close": {"POST": 202},
    "api/chat/unqueue": {"POST": (404, "unknown_prompt")},
    "api/chat/edit": {"POST": (404, "unknown_prompt")},
    "api/chat/reorder": {"POST": (404, "unknown_prompt")},
    "api/chat/rewind": {"POST": (404, "unknown_message")},
    "api/chat/permission": {"POST": (404, "unknown_permission")},
    "api/chat/mode": {"POST": (409, "unknown_mode")},
    "api/sessions/<uuidstr:session_id>/blocks/<str:block_id>": {"GET": (404, "unknown_block")},
    "api/sessions/<uuidstr:session_id>/name": {"POST": (409, "nothing_to_name")},
    **{route: {"POST": (400, "connection_required")} for route in ON_A_STREAM},
    # No folder is open to chats here.
    "api/folders": dict.fromkeys(("GET", "POST"), (400, "folder_refused")),
    "api/folders/paths": {"GET": (400, "folder_refused")},
    "api/projects": {
        "POST": (400, "folder_refused"),
        **dict.fromkeys(("PATCH", "DELETE"), (400, "invalid_request")),
    },
    "api/projects/<uuidstr:project_id>": dict.fromkeys(
        ("PATCH", "DELETE"), (404, "unknown_project")
    ),
    "api/projects/<uuidstr:project_id>/branches": {"GET": (404, "unknown_project")},
    "api/agents/<str:name>/sessions": {"GET": (400, "invalid_request")},
    "api/sessions/import": {"POST": (400, "invalid_request")},
    "api/sessions/<uuidstr:session_id>/worktree": {"GET": (404, "unknown_worktree")},
    **{
        f"api/sessions/<uuidstr:session_id>/worktree/{act}": {"POST": (404, "unknown_worktree")}
        for act in ("merge", "keep", "discard")
    },
    "api/clones": {"POST": (400, "folder_refused")},
    "api/clones/<uuidstr:clone_id>": dict.fromkeys(("GET", "DELETE"), (404, "unknown_clone")),
    "favicon.ico": {"GET": 302},
    "logout/": {"POST": 302},
    # Without a second factor there is nothing to ask for.
    "login/second/": dict.fromkeys(("GET", "POST"), 302),
    # To the proof first: a body in JSON is no form, and so has no origin key.
    **{f"account/{form}/": {"POST": 302} for form in FORMS},
    "account/projects/<uuid:project_id>/": {"GET": 404},
    # Of no log-in; and without the key of its form.
    "account/agents/terminal/": {"GET": 302},
    "account/agents/turn/": {"POST": 403},
    "login/": dict.fromkeys(("PATCH", "DELETE"), 405),
    "login/once/<str:secret>": dict.fromkeys(("GET", "POST"), 410),
    "api/tokens": {"POST": 201},
    "api/agents/offer": {"GET": (400, "invalid_request")},
    "api/rules": {"POST": 201, "DELETE": (400, "invalid_request")},
    "api/mcp-servers": dict.fromkeys(("POST", "DELETE"), (400, "invalid_request")),
    "api/mcp-servers/<int:server_id>": {"DELETE": (404, "unknown_server")},
    "api/rules/suggest": {"POST": (404, "unknown_permission")},
    "api/rules/<int:rule_id>": {"DELETE": (404, "unknown_rule")},
    "api/chat/answer": {"POST": (404, "unknown_question")},
    "api/chat/option": {"POST": (409, "unknown_option")},
    "api/blobs/<sha256>": {"GET": (404, "unknown_blob"), "PUT": (400, "digest_mismatch")},
    "api/sessions/<uuidstr:session_id>/file": {"GET": (404, "unknown_file")},
    "api/sessions/<uuidstr:session_id>/changes/discard": {"POST": (404, "unknown_file")},
    "api/tokens/<int:token_id>": {"DELETE": (404, "unknown_token")},
    **{
        f"api/sessions/<uuidstr:session_id>/changes/{act}": {"POST": (409, "no_repository")}
        for act in ("stage", "unstage", "commit")
    },
}
# Without it the request is wrong, whoever asks.
QUERIES = dict.fromkeys(("api/search", "api/sessions/<uuidstr:session_id>/search"), "?q=words") | {
    "api/folders/paths": "?path=/nowhere"
}
# A browser that is logged in is led home from the pages for logging in.
LEAD_HOME = {("login/", method) for method in METHODS if method != "POST"}
LEAD_HOME |= {("login/once/<str:secret>", method) for method in ("GET", "POST")}


def patterns(resolver: object = None, prefix: str = "") -> Iterator[str]:
    for found in (resolver or get_resolver()).url_patterns:
        path = prefix + str(found.pattern)
        if isinstance(found, URLPattern):
            yield path
        else:
            yield from patterns(found, path)


ALL = sorted(set(patterns()))
# Logging in and out is open to everyone; the third leads to the page of the account.
OPEN = {"admin/login/", "admin/logout/", "admin/password_change/"}
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
        every = tokens.Wanted(scope="admin")
        self.tokens = {
            name: tokens.create_token(user, wanted=every) for name, user in self.users.items()
        }
        for scope in SCOPES:
            self.users[scope] = self.users["owner"]
            wanted = tokens.Wanted(scope=scope)
            self.tokens[scope] = tokens.create_token(self.users["owner"], wanted=wanted)

    def ask(self, asker: str, method: str, pattern: str):
        client = Client(raise_request_exception=False)
        headers = {}
        takes_token = pattern.startswith("api/") and pattern not in OF_THE_API_PAGE
        if asker in self.users and takes_token:
            headers["Authorization"] = f"Bearer {self.tokens[asker]}"
        elif asker in self.users:
            client.force_login(self.users[asker])
        path = re.sub(r"<int:\w+>", "999999", pattern.strip("^$"))
        path = re.sub(r"<(\w+:)?\w+>", str(self.session.pk), f"/{path}")
        path += QUERIES.get(pattern, "")
        body = BODIES.get(pattern, {})
        is_on_a_session = pattern.startswith("api/chat/") or pattern == "api/rules/suggest"
        if is_on_a_session and pattern not in OF_NO_SESSION:
            body = {"sessionId": str(self.session.pk), **body}
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
        for asker in ASKERS:
            response = site.ask(asker, method, pattern)
            expected = expected_of(access, pattern, method, asker)
            if (said := answered(response, expected)) != expected:
                problems.append((method, asker, said, expected))
            is_archived = Session.objects.exclude(archived_at=None).exists()
            assert not is_archived or asker == "owner"
            Session.objects.update(archived_at=None)
    assert problems == []


BY_TOKEN = [
    pattern
    for pattern in ROUTES
    if pattern.startswith("api/")
    and pattern not in OF_THE_API_PAGE
    and Access.NOWHERE not in ROUTES[pattern].values()
]


def scope_of(pattern: str, method: str) -> str:
    """Return the least scope of a token for a route: what is new here needs one to change."""
    if pattern.startswith("api/tokens"):
        return "admin"
    return "read" if method == "GET" or pattern in ON_A_STREAM else "chat"


@pytest.mark.parametrize("pattern", BY_TOKEN)
def test_a_token_does_what_its_scope_says(site: Site, pattern: str) -> None:
    problems = []
    for method in ROUTES[pattern]:
        for scope in SCOPES:
            response = site.ask(scope, method, pattern)
            is_refused = response.status_code == 403
            if is_refused:
                assert response.json()["code"] == "scope_missing"
            should_be = SCOPES.index(scope) < SCOPES.index(scope_of(pattern, method))
            if is_refused is not should_be:
                problems.append((method, scope, response.status_code))
            Session.objects.update(archived_at=None)
    assert problems == []


def test_a_browser_makes_no_token_past_the_account_page(site: Site) -> None:
    client = Client()
    client.force_login(site.users["owner"])
    for method, path in (("GET", "tokens"), ("POST", "tokens"), ("DELETE", "tokens/1")):
        assert client.generic(method, f"/api/{path}").status_code == 401


LOG_IN = "sent to log in"
UNKNOWN = (404, "unknown_session")


def expected_of(access: Access | None, pattern: str, method: str, asker: str) -> object:
    """Return the one right answer to an asker: a status, (status, code) or LOG_IN."""
    is_api = pattern.startswith("api/") and pattern not in OF_THE_API_PAGE
    if access is Access.NOWHERE:
        return UNKNOWN if pattern.startswith("events/") else (404, "not_found")
    if access is None:
        return (405, "method_not_allowed") if is_api else 405
    if access is not Access.PUBLIC and asker == "anonymous":
        return (401, "unauthenticated") if is_api else LOG_IN
    if access is Access.OWNER and asker != "owner":
        return UNKNOWN if is_api else 404
    if asker != "anonymous" and (pattern, method) in LEAD_HOME:
        return 302
    is_closed = access is Access.STAFF and asker != "staff"
    return 403 if is_closed else EXPECTED.get(pattern, {}).get(method, 200)


def answered(response, expected: object) -> object:
    """Return an answer in the form of the expected one."""
    if expected == LOG_IN:
        return LOG_IN if is_sent_to_log_in(response) else response.status_code
    if isinstance(expected, tuple):
        is_json = response["Content-Type"].startswith("application/json")
        return (response.status_code, json.loads(response.content).get("code") if is_json else "")
    return response.status_code


OF_STAFF = {
    # Lists, forms and pages of the admin itself.
    "": (200, 200),
    "add/": (403, 403),
    "<path:object_id>/": (302, 302),
    "<path:object_id>/change/": (302, 403),
    "<path:object_id>/delete/": (403, 403),
    "<path:object_id>/history/": (302, 302),
}
# Rows that the admin may change; none of them has the id of the session.
CHANGED = {"add/": (200, 200), "<path:object_id>/change/": (302, 302)}
CHANGED |= {"<path:object_id>/delete/": (302, 302)}
# GET and POST of a superuser, where no list of rows tells.
STAFF: dict[str, tuple[int, int]] = {
    "admin/": (200, 200),
    "admin/(?P<url>.*)$": (404, 404),
    "admin/^(?P<app_label>auth|chat_sessions|transport)/$": (404, 404),
    "admin/auth/user/<id>/password/": (404, 404),
    "admin/autocomplete/": (403, 405),
    "admin/jsi18n/": (200, 405),
    "admin/password_change/": (200, 200),
    "admin/password_change/done/": (200, 405),
    "admin/r/<path:content_type_id>/<path:object_id>/": (404, 404),
    # The one row of the logs that the asked id names.
    "admin/chat_sessions/session/<path:object_id>/change/": (200, 403),
    "admin/chat_sessions/session/<path:object_id>/history/": (200, 200),
    # A token is shown once, in the terminal.
    "admin/chat_sessions/apitoken/add/": (403, 403),
}
CHANGEABLE = ("admin/auth/user/", "admin/auth/group/", "admin/chat_sessions/apitoken/")


def of_staff(pattern: str) -> tuple[int, int]:
    """Return the statuses of GET and POST for a superuser whose last proof is too long ago."""
    may_change = pattern.startswith(CHANGEABLE)
    statuses = STAFF.get(pattern)
    if statuses is None:
        rest = "".join(pattern.split("/", 3)[3:])
        statuses = (OF_STAFF | (CHANGED if may_change else {}))[rest]
    return (statuses[0], 302) if asks_for_a_proof(pattern) else statuses


def asks_for_a_proof(pattern: str) -> bool:
    """Return whether a POST changes an account; the bare path of an object only redirects."""
    return pattern.startswith(CHANGEABLE) and not pattern.endswith("/<path:object_id>/")


@pytest.mark.parametrize("pattern", ADMIN)
def test_the_admin_is_for_staff(site: Site, pattern: str) -> None:
    for method in ("GET", "POST"):
        for asker in ("anonymous", "stranger"):
            response = site.ask(asker, method, pattern)
            assert response.status_code == 302, (method, asker)
            assert response["Location"].startswith("/admin/login/?next="), (method, asker)
    read, written = (site.ask("staff", method, pattern) for method in ("GET", "POST"))
    assert (read.status_code, written.status_code) == of_staff(pattern)
    if asks_for_a_proof(pattern):
        assert written["Location"].startswith("/account/confirm/")
