"""Every route that writes: the audit trail has its act, or a line here says where it is recorded.

The routes come from the URL table, so that nobody can add one and forget the trail.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pyotp
import pytest
from django.contrib.auth.models import User
from django.test import Client

from lab.rig.origin_key import HEADERS, KEY
from sessions.access import links, tokens
from sessions.access.acts import factor_acts
from sessions.access.factors import app_codes, passkeys, recovery
from sessions.account_models import ApiToken, BrowserLogin, SecondFactor
from sessions.agents import added
from sessions.control import send
from sessions.eventlog import store
from sessions.eventlog.events import Draft
from sessions.limits.buckets import TokenBuckets
from sessions.mcp import trial
from sessions.models import AuditEntry, Prompt, Rule
from sessions.trail.record import Act
from sessions.workspace.cloning import job
from sessions.workspace.cloning.records import Record
from tests.db.reviewing import git
from tests.db.test_answers import QUESTION, REQUEST
from tests.db.test_matrix import METHODS, ON_A_STREAM, ROUTES, Access

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("stream_threads"),
]

PASSWORD = {"username": "ada", "password": "correct horse", "origin_key": KEY}
SAFE = {"GET"}


class Browser:
    """A person with an account, logged in and proved a moment ago, and a token for scripts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user = User.objects.create_user("ada", password="correct horse")
        self.client = Client()
        self.client.post("/login/", PASSWORD)
        made = tokens.create_token(self.user, wanted=tokens.Wanted(name="s", scope="admin"))
        self._script = Client(headers={"Authorization": f"Bearer {made}"})
        self._script.get("/api/agents")  # its first use has an entry of its own

    def form(self, path: str, client: Client | None = None, **fields: object) -> None:
        client = client or self.client
        answer = client.post(f"/{path}", {"origin_key": KEY, **fields})
        assert answer.status_code in {200, 302}, answer.content
        assert "confirm" not in answer.headers.get("Location", "")

    def api(self, method: str, path: str, /, **body: object) -> dict:
        answer = self._script.generic(
            method, f"/api/{path}", json.dumps(body), content_type="application/json"
        )
        assert answer.status_code < 300, answer.content
        return json.loads(answer.content)

    def app(self) -> str:
        """Add an app past the pages; return its code of now."""
        secret = app_codes.new_secret()
        totp = pyotp.TOTP(secret)
        assert app_codes.enable(self.user, secret, totp.at(int(time.time()) - app_codes.STEP_S))
        return totp.now()

    def second_step(self) -> tuple[Client, str]:
        """Return a browser behind the first step, and a code for the second."""
        code, other = self.app(), Client()
        other.post("/login/", PASSWORD)
        return other, code

    def token(self) -> int:
        tokens.create_token(self.user, wanted=tokens.Wanted(name="t"))
        return ApiToken.objects.latest("pk").pk

    def project(self) -> str:
        return self.api("POST", "projects", folder=str(self.folder))["project"]["id"]

    def rule(self) -> int:
        self.api("POST", "rules", **RULE)
        return Rule.objects.latest("pk").pk

    def server(self) -> int:
        return self.api("POST", "mcp-servers", **SERVER)["server"]["id"]

    def session(self) -> str:
        session = send.create_session(owner=self.user, agent="demo", cwd=str(self.folder))
        modes = [{"id": name, "label": name} for name in ("ask", "auto")]
        option = {"id": "model", "category": "model", "label": "Model", "kind": "select"}
        choices = [{"id": name, "label": name} for name in ("small", "large")]
        options = [option | {"value": "small", "choices": choices}]
        started = Draft("agent_started", {"modes": modes, "resumed": False})
        store.append(session.pk, [started, Draft("options_offered", {"options": options})])
        return str(session.pk)

    def archived(self) -> str:
        session = self.session()
        self.api("DELETE", f"sessions/{session}")
        return session

    def repository(self) -> str:
        """Return a chat in a repository with one file that differs and one that is staged."""
        git(self.folder, "init")
        (self.folder / "a.txt").write_text("one\n")
        git(self.folder, "add", ".")
        git(self.folder, "commit", "-m", "first")
        session = self.session()
        (self.folder / "a.txt").write_text("two\n")
        (self.folder / "b.txt").write_text("new\n")
        git(self.folder, "add", "b.txt")
        return session

    def request(self) -> dict:
        session = send.create_session(owner=self.user, agent="demo")
        store.append(session.pk, [Draft("permission_request", REQUEST)])
        option = REQUEST["options"][0]["id"]
        return {
            "sessionId": str(session.pk),
            "permId": REQUEST["permId"],
            "optionId": option,
            "digest": REQUEST.get("digest"),
        }


RULE = {"scope": "agent", "agent": "demo", "effect": "deny", "kind": "command", "pattern": "rm"}
SERVER = {"name": "m", "kind": "http", "url": "https://example.org/mcp"}
Step = Callable[[], None]


def app_form(browser: Browser) -> Step:
    page = browser.client.get("/account/app/").content.decode()
    secret = page.split('class="secret">')[1].split("<")[0].replace(" ", "")
    return lambda: browser.form("account/app/", code=pyotp.TOTP(secret).now())


def passkey_form(browser: Browser) -> Step:
    return lambda: browser.form("account/passkey/", credential="{}", name="laptop")


def codes_form(browser: Browser) -> Step:
    return lambda: browser.form("account/codes/")


def remove_form(browser: Browser) -> Step:
    browser.app()
    row = SecondFactor.objects.get(kind="app").pk
    return lambda: browser.form("account/remove/", factor=row)


def second_form(browser: Browser) -> Step:
    other, code = browser.second_step()
    return lambda: browser.form("login/second/", other, code=code)


def confirm_form(browser: Browser) -> Step:
    code = browser.app()
    return lambda: browser.form("account/confirm/", code=code)


def once(browser: Browser) -> Step:
    path = links.one_time_link(browser.user)
    return lambda: browser.form(path.strip("/"), Client())


def end_log_in(browser: Browser) -> Step:
    Client().post("/login/", PASSWORD)
    row = BrowserLogin.objects.latest("pk").pk
    return lambda: browser.form("account/log-ins/end/", log_in=row)


def revoke_form(browser: Browser) -> Step:
    row = browser.token()
    return lambda: browser.form("account/tokens/revoke/", token=row)


def end_token(browser: Browser) -> Step:
    row = browser.token()
    return lambda: browser.api("DELETE", f"tokens/{row}") and None


def remove_rule_form(browser: Browser) -> Step:
    row = browser.rule()
    return lambda: browser.form("account/rules/remove/", rule=row)


def remove_server_form(browser: Browser) -> Step:
    row = browser.server()
    return lambda: browser.form("account/mcp-servers/remove/", server=row)


@pytest.fixture(autouse=True)
def no_added_agents() -> Iterator[None]:
    """Remove the agents that a test has added: their file is one for all tests."""
    yield
    for name in added.read():
        added.remove(name)


def add_agent_form(browser: Browser) -> Step:
    User.objects.filter(pk=browser.user.pk).update(is_staff=True)
    return lambda: browser.form("account/agents/add/", name="mine", command="true")


def remove_agent_form(browser: Browser) -> Step:
    User.objects.filter(pk=browser.user.pk).update(is_staff=True)
    added.add("mine", label="", command="true", by="ada", taken=())
    return lambda: browser.form("account/agents/remove/", agent="mine")


def rewind(browser: Browser) -> Step:
    session = browser.session()
    prompt = {"messageId": "u1", "clientMsgId": "c1", "text": "hello"}
    [event] = store.append(session, [Draft("user_message", prompt)])
    Prompt.objects.filter(session_id=session).delete()
    where = {"sessionId": session, "to": event.seq}
    return lambda: browser.api("POST", "chat/rewind", **where, chat=True) and None


def setting(path: str, **fields: object) -> Callable[[Browser], Step]:
    """Return a command to a chat whose agent runs."""

    def ready(browser: Browser) -> Step:
        where = {"sessionId": browser.session()}
        return lambda: browser.api("POST", f"chat/{path}", **where, **fields) and None

    return ready


def decision(browser: Browser) -> Step:
    answer = browser.request()
    return lambda: browser.api("POST", "chat/permission", **answer) and None


def answer_to_a_question(browser: Browser) -> Step:
    session = browser.session()
    store.append(UUID(session), [Draft("question_asked", QUESTION)])
    answer = {"sessionId": session, "questionId": QUESTION["questionId"], "action": "decline"}
    return lambda: browser.api("POST", "chat/answer", **answer) and None


def by_form(path: str, **fields: object) -> Callable[[Browser], Step]:
    return lambda browser: lambda: browser.form(path, **fields)


def by_form_of_a(kind: str, path: str, **fields: object) -> Callable[[Browser], Step]:
    """Return a form about a thing that is made first."""

    def ready(browser: Browser) -> Step:
        made = getattr(browser, kind)()
        return lambda: browser.form(path, **{kind: made}, **fields)

    return ready


def by_api(method: str, path: str, make: str = "", /, **body: object) -> Callable[[Browser], Step]:
    """Return an act by a script; make: what it is about is made first, and named in the path."""

    def ready(browser: Browser) -> Step:
        made = getattr(browser, make)() if make else ""
        given = {**body, **({"folder": str(browser.folder)} if body.get("folder") else {})}
        target = path.format(made)
        asked = {key: value.format(made) for key, value in given.items() if value is not None}
        return lambda: browser.api(method, target, **asked) and None

    return ready


# The acts, by route and method: each with the entries that it leaves.
ACTS: dict[tuple[str, str], tuple[Callable[[Browser], Step], list[Act]]] = {
    ("login/", "POST"): (
        lambda browser: lambda: browser.form("login/", Client(), **PASSWORD),
        [Act.LOG_IN],
    ),
    ("login/once/<str:secret>", "POST"): (once, [Act.LINK_USED, Act.LOG_IN]),
    ("login/second/", "POST"): (second_form, [Act.FACTOR_USED, Act.LOG_IN]),
    ("logout/", "POST"): (by_form("logout/"), [Act.LOG_OUT]),
    ("account/confirm/", "POST"): (confirm_form, [Act.FACTOR_USED]),
    ("account/password/", "POST"): (
        by_form("account/password/", new_password1="xq7-long-one", new_password2="xq7-long-one"),
        [Act.PASSWORD_CHANGED, Act.TOKEN_REVOKED],
    ),
    ("account/phone/", "POST"): (by_form("account/phone/"), [Act.LINK_MADE]),
    ("account/log-ins/end/", "POST"): (end_log_in, [Act.LOG_INS_ENDED]),
    ("account/tokens/make/", "POST"): (
        by_form("account/tokens/make/", name="t", scope="chat"),
        [Act.TOKEN_MADE],
    ),
    ("account/tokens/revoke/", "POST"): (revoke_form, [Act.TOKEN_REVOKED]),
    ("account/app/", "POST"): (app_form, [Act.FACTOR_ADDED, Act.RECOVERY_CODES_MADE]),
    ("account/passkey/", "POST"): (passkey_form, [Act.FACTOR_ADDED, Act.RECOVERY_CODES_MADE]),
    ("account/codes/", "POST"): (codes_form, [Act.RECOVERY_CODES_MADE]),
    ("account/remove/", "POST"): (remove_form, [Act.FACTOR_REMOVED]),
    ("account/rules/add/", "POST"): (
        by_form("account/rules/add/", place="agent:demo", **RULE),
        [Act.RULE_MADE],
    ),
    ("account/agents/add/", "POST"): (add_agent_form, [Act.AGENT_ADDED]),
    ("account/agents/remove/", "POST"): (remove_agent_form, [Act.AGENT_REMOVED]),
    ("account/mcp-servers/add/", "POST"): (
        by_form("account/mcp-servers/add/", name="m", kind="http", target="https://example.org/"),
        [Act.MCP_SERVER_MADE],
    ),
    ("account/mcp-servers/remove/", "POST"): (remove_server_form, [Act.MCP_SERVER_REMOVED]),
    ("api/mcp-servers", "POST"): (by_api("POST", "mcp-servers", **SERVER), [Act.MCP_SERVER_MADE]),
    ("api/mcp-servers/<int:server_id>", "DELETE"): (
        by_api("DELETE", "mcp-servers/{}", "server"),
        [Act.MCP_SERVER_REMOVED],
    ),
    ("account/rules/remove/", "POST"): (remove_rule_form, [Act.RULE_REMOVED]),
    ("account/projects/save/", "POST"): (
        by_form_of_a("project", "account/projects/save/", name="new", trust="yes"),
        [Act.PROJECT_CHANGED],
    ),
    ("account/projects/remove/", "POST"): (
        by_form_of_a("project", "account/projects/remove/"),
        [Act.PROJECT_REMOVED],
    ),
    ("api/chat/permission", "POST"): (decision, [Act.DECISION]),
    ("api/chat/answer", "POST"): (answer_to_a_question, [Act.DECISION]),
    ("api/tokens", "POST"): (by_api("POST", "tokens", name="t"), [Act.TOKEN_MADE]),
    ("api/tokens/<int:token_id>", "DELETE"): (end_token, [Act.TOKEN_REVOKED]),
    ("api/rules", "POST"): (by_api("POST", "rules", **RULE), [Act.RULE_MADE]),
    ("api/rules/<int:rule_id>", "DELETE"): (
        by_api("DELETE", "rules/{}", "rule"),
        [Act.RULE_REMOVED],
    ),
    ("api/projects", "POST"): (by_api("POST", "projects", folder="f"), [Act.PROJECT_MADE]),
    ("api/projects/<uuidstr:project_id>", "PATCH"): (
        by_api("PATCH", "projects/{}", "project", name="new"),
        [Act.PROJECT_CHANGED],
    ),
    ("api/projects/<uuidstr:project_id>", "DELETE"): (
        by_api("DELETE", "projects/{}", "project"),
        [Act.PROJECT_REMOVED],
    ),
}
ACTS |= {
    ("api/sessions/<uuidstr:session_id>", "DELETE"): (
        by_api("DELETE", "sessions/{}", "session"),
        [Act.SESSION_ARCHIVED],
    ),
    ("api/sessions/<uuidstr:session_id>/restore", "POST"): (
        by_api("POST", "sessions/{}/restore", "archived"),
        [Act.SESSION_RESTORED],
    ),
    ("api/sessions/<uuidstr:session_id>/changes/discard", "POST"): (
        by_api("POST", "sessions/{}/changes/discard", "repository", path="a.txt"),
        [Act.CHANGES_DISCARDED],
    ),
    ("api/sessions/<uuidstr:session_id>/changes/commit", "POST"): (
        by_api("POST", "sessions/{}/changes/commit", "repository", message="m"),
        [Act.CHANGES_COMMITTED],
    ),
    ("api/chat/rewind", "POST"): (rewind, [Act.SESSION_REWOUND]),
    ("api/chat/mode", "POST"): (setting("mode", mode="auto"), [Act.MODE_CHANGED]),
    ("api/chat/option", "POST"): (
        setting("option", optionId="model", value="large"),
        [Act.OPTION_CHANGED],
    ),
    ("api/clones", "POST"): (
        by_api("POST", "clones", url="https://example.org/a", path="/a"),
        [Act.CLONE_BEGUN],
    ),
}
# Acts whose entries the tests of the feature look at: they take more to make.
ELSEWHERE = {
    "api/sessions/import": (Act.SESSION_IMPORTED, "tests/agents/test_imports.py"),
    "account/agents/log-in/": (Act.AGENT_LOG_IN, "tests/agents/test_agent_log_in.py"),
    **{
        f"api/sessions/<uuidstr:session_id>/worktree/{name}": (act, "tests/db/test_worktrees.py")
        for name, act in (
            ("merge", Act.WORKTREE_MERGED),
            ("discard", Act.WORKTREE_DISCARDED),
        )
    },
}
# The same acts under a second address.
SAME = {
    ("api/rules", "DELETE"): "api/rules/<int:rule_id>",
    ("api/mcp-servers", "DELETE"): "api/mcp-servers/<int:server_id>",
    ("api/projects", "PATCH"): "api/projects/<uuidstr:project_id>",
    ("api/projects", "DELETE"): "api/projects/<uuidstr:project_id>",
}
# Routes that write and leave no entry: the log of the chat names the person, or nothing of value
# changes.
BY_THE_LOG = {
    f"api/chat/{name}"
    for name in (*("send", "interrupt", "stop", "unqueue", "edit", "reorder", "close", "fork"),)
} | {
    "api/sessions/<uuidstr:session_id>/name",
    "api/sessions/<uuidstr:session_id>",  # PATCH: the title, the time that requests wait
    *(f"api/sessions/<uuidstr:session_id>/changes/{act}" for act in ("stage", "unstage")),
    "api/sessions/<uuidstr:session_id>/worktree/keep",
}
WORTHLESS = {
    *ON_A_STREAM,
    "api/folders",  # an empty folder
    "api/clones/<uuidstr:clone_id>",  # the end of a clone of one's own
    "api/blobs/<sha256>",  # bytes that a prompt may name
    "api/rules/try",
    "api/colours",  # a look at texts of the page
    "api/rules/suggest",
    "account/rules/",  # tries a rule
    # A person's own marks in the list, and a text that is not sent yet.
    *(f"api/sessions/<uuidstr:session_id>/{name}" for name in ("read", "pin", "draft")),
    "api/sessions/<uuidstr:session_id>/comments/<comment_id>",
    "account/agents/ways/",  # asks an agent how it logs in
    "account/agents/turn/",  # a look at a log-in that has an entry
    "account/agents/try/",  # one turn in a folder that is gone afterwards
}


def writing() -> set[tuple[str, str]]:
    return {
        (route, method)
        for route, access in ROUTES.items()
        for method in METHODS
        if method not in SAFE and access.get(method) not in {None, Access.NOWHERE}
    }


def test_every_route_that_writes_says_where_it_is_recorded() -> None:
    unnamed = {
        (route, method)
        for route, method in writing() - ACTS.keys() - SAME.keys()
        if route not in BY_THE_LOG | WORTHLESS | ELSEWHERE.keys()
    }
    # Pages that take no form, and the API's own page, answer every method alike.
    assert {pair for pair in unnamed if pair[0] not in {"api/docs", "api/openapi.json"}} == {
        ("login/", method) for method in METHODS if method not in {"GET", "POST"}
    }
    assert ACTS.keys() <= writing()
    assert ELSEWHERE.keys() <= {route for route, _ in writing()}
    for act, test in ELSEWHERE.values():
        assert f"Act.{act.name}" in Path(test).read_text()
    assert {(route, method) for (_, method), route in SAME.items()} <= ACTS.keys()


async def one_tool(*_args: object, **_more: object) -> int:
    """Return the answer of an MCP server that is not there."""
    return 1


def begun(owner: int, url: str, path: str, *, may_use_keys: bool) -> Record:
    """Return the record of a clone that no thread makes."""
    assert may_use_keys
    return Record("c1", owner, url, path)


@pytest.fixture
def browser(tmp_path: Path, settings, monkeypatch) -> Browser:
    settings.CHAT = settings.CHAT | {"WORKSPACE_ROOTS": str(tmp_path)}
    monkeypatch.setattr(passkeys, "make", lambda *_: True)
    monkeypatch.setattr(trial, "count_tools", one_tool)
    monkeypatch.setattr(job, "start", begun)
    monkeypatch.setattr(factor_acts, "_failures", TokenBuckets(lambda: 5, clock=lambda: 0.0))
    return Browser(tmp_path)


@pytest.mark.parametrize(("route", "method"), ACTS, ids=lambda value: value)
def test_an_act_leaves_its_entries(browser: Browser, route: str, method: str) -> None:
    ready, expected = ACTS[route, method]
    act = ready(browser)
    before = AuditEntry.objects.latest("pk").pk
    act()
    entries = AuditEntry.objects.filter(pk__gt=before).order_by("pk")
    assert [entry.act for entry in entries] == expected
    assert {entry.who or entry.about for entry in entries} <= {"ada", *(e.about for e in entries)}
    assert "correct horse" not in str([vars(entry) for entry in entries])


def test_an_export_leaves_an_entry_although_it_writes_nothing(browser: Browser) -> None:
    session = browser.session()
    answer = browser.client.get(f"/api/sessions/{session}/export?format=jsonl", headers=HEADERS)
    assert answer.status_code == 200
    answer.close()
    entry = AuditEntry.objects.latest("pk")
    assert (entry.act, entry.who, entry.about) == (
        Act.SESSION_EXPORTED,
        "ada",
        f"session:{session}",
    )
    assert entry.facts["format"] == "jsonl"
    assert entry.credential.startswith("login:")


def test_an_act_that_changes_nothing_leaves_no_entry(browser: Browser) -> None:
    archived, session = browser.archived(), browser.session()
    before = AuditEntry.objects.latest("pk").pk
    browser.api("DELETE", f"sessions/{archived}")
    browser.api("POST", f"sessions/{session}/restore")
    browser.api("POST", "chat/option", sessionId=session, optionId="model", value="small")
    assert AuditEntry.objects.latest("pk").pk == before


def test_recovery_codes_and_wrong_answers_are_recorded(browser: Browser) -> None:
    other, _ = browser.second_step()
    [code, *_] = recovery.renew(browser.user)
    before = AuditEntry.objects.latest("pk").pk
    for wrong in ({"code": "000000"}, {"code": "abcde-fghij"}, {"credential": "{}"}):
        browser.form("login/second/", other, **wrong)
    browser.form("login/second/", other, code=code)
    entries = list(AuditEntry.objects.filter(pk__gt=before).order_by("pk"))
    assert [(entry.act, entry.facts.get("kind")) for entry in entries] == [
        *((Act.FACTOR_FAILED, kind) for kind in ("app", "recovery", "passkey")),
        (Act.RECOVERY_CODE_USED, None),
        (Act.LOG_IN, None),
    ]
    assert code not in str([vars(entry) for entry in entries])


def test_many_wrong_passkeys_leave_few_rows(browser: Browser) -> None:
    other, _ = browser.second_step()
    for _ in range(3 * factor_acts.FAILURES_PER_MINUTE):
        browser.form("login/second/", other, credential="{}")
    found = AuditEntry.objects.filter(act=Act.FACTOR_FAILED).count()
    assert found == factor_acts.FAILURES_PER_MINUTE
