"""/api/rules: each user's own, tried, made and removed; everywhere needs a proof."""

import json
import time
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from lab.rig.origin_key import HEADERS
from sessions.access import tokens
from sessions.access.tokens import Wanted
from sessions.agents.acp.asking.permissions import Permissions, choices
from sessions.agents.programs.stdio import MESSAGE, Chat
from sessions.control import send
from sessions.control.permissions import answer_permission
from sessions.control.rules import answer_by_rule
from sessions.core.errors import InvalidRequest, LeaseLost
from sessions.eventlog import snapshot, store
from sessions.eventlog.events import Draft
from sessions.eventlog.lease import Lease
from sessions.models import Event, Prompt, Rule
from sessions.runner.leasing import leases
from sessions.web import rules_api
from tests.db.test_api_schemas import check

pytestmark = pytest.mark.django_db(transaction=True)

LS = {"scope": "agent", "agent": "demo", "effect": "allow", "kind": "command", "pattern": "ls"}


def script(user: User, scope: str = "chat") -> Client:
    token = tokens.create_token(user, wanted=Wanted(scope=scope))
    return Client(headers={"Authorization": f"Bearer {token}"})


def post(client: Client, path: str, body: dict, **headers):
    return client.post(path, json.dumps(body), content_type="application/json", headers=headers)


def browser_headers(client: Client) -> dict[str, str]:
    [cookie] = [c for name, c in client.cookies.items() if "backstay_csrf_" in name]
    return {**HEADERS, "X-CSRFToken": cookie.value}


def test_rules_are_made_listed_and_removed(user) -> None:
    ada, bob = script(user), script(User.objects.create_user("bob"))
    made = post(ada, "/api/rules", LS)
    assert made.status_code == 201
    check(rules_api.MadeRule, made.json())
    rule = made.json()["rule"]
    assert (rule["pattern"], rule["agent"], rule["folder"]) == ("ls", "demo", None)
    check(rules_api.RuleList, ada.get("/api/rules").json())
    assert ada.get("/api/rules").json() == {"rules": [rule]}
    assert bob.get("/api/rules").json() == {"rules": []}
    for path in (f"/api/rules/{rule['id']}", f"/api/rules?id={rule['id']}"):
        assert bob.delete(path).json()["code"] == "unknown_rule"
    assert ada.delete(f"/api/rules/{rule['id']}").json() == {"ok": True}
    assert ada.delete(f"/api/rules/{rule['id']}").status_code == 404
    again = post(ada, "/api/rules", LS).json()["rule"]
    assert ada.delete(f"/api/rules?id={again['id']}").json() == {"ok": True}
    assert ada.delete("/api/rules").json()["code"] == "invalid_request"
    assert ada.delete("/api/rules/99999999999999999999999").status_code == 404
    assert ada.get("/api/rules").json() == {"rules": []}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"scope": "world"}, "scope"),
        ({"effect": "maybe"}, "effect"),
        ({"kind": "regex"}, "kind"),
        ({"pattern": ""}, "pattern"),
        ({"pattern": "x" * 301}, "pattern"),
        ({"pattern": "ls; rm"}, "pattern"),
        ({"pattern": "sudo ls"}, "pattern"),
        ({"pattern": "l\u202es"}, "pattern"),
        ({"scope": "chat"}, "sessionId"),
        ({"scope": "project"}, "folder"),
        ({"agent": ""}, "agent"),
        ({"folders": "/tmp"}, "folders"),
        ({"sessionId": "0" * 32}, "sessionId"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_by_its_field(user, changed, field) -> None:
    refused = post(script(user), "/api/rules", LS | changed)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")
    assert list(refused.json()["fields"]) == [field]
    assert not Rule.objects.exists()


def test_a_chat_of_another_user_has_no_rule(user) -> None:
    theirs = send.create_session(owner=User.objects.create_user("bob"), agent="demo")
    for scope in ("chat", "project", "agent"):
        body = LS | {"scope": scope, "sessionId": str(theirs.pk)}
        assert post(script(user), "/api/rules", body).json()["code"] == "unknown_session"
    tried = {"command": "ls", "sessionId": str(theirs.pk)}
    assert post(script(user), "/api/rules/try", tried).json()["code"] == "unknown_session"


def test_a_browser_proves_itself_for_a_rule_everywhere(logged_in, monkeypatch) -> None:
    headers, everywhere = browser_headers(logged_in), LS | {"scope": "everywhere"}
    assert post(logged_in, "/api/rules", everywhere, **headers).status_code == 201
    later = time.time() + 10**6
    monkeypatch.setattr("sessions.access.login.confirmation.time.time", lambda: later)
    other = everywhere | {"pattern": "cat"}
    refused = post(logged_in, "/api/rules", other, **headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "confirmation_required")
    assert post(logged_in, "/api/rules", LS, **headers).status_code == 201
    confirm = {"password": "correct horse", "origin_key": headers["X-Origin-Key"]}
    assert logged_in.post("/account/confirm/", confirm).status_code == 302
    assert post(logged_in, "/api/rules", other, **headers).status_code == 201
    made = [(rule.scope, rule.pattern) for rule in Rule.objects.order_by("pk")]
    assert made == [("everywhere", "ls"), ("agent", "ls"), ("everywhere", "cat")]


def test_a_token_needs_the_scope_admin_for_a_rule_everywhere(user) -> None:
    everywhere = LS | {"scope": "everywhere"}
    assert post(script(user, "chat"), "/api/rules", everywhere).json()["code"] == "scope_missing"
    assert post(script(user, "admin"), "/api/rules", everywhere).status_code == 201


def test_an_action_is_tried_against_the_rules(user) -> None:
    ada = script(user)
    session = send.create_session(owner=user, agent="demo")
    rule = post(ada, "/api/rules", LS).json()["rule"]
    post(ada, "/api/rules", LS | {"kind": "path", "pattern": "src/**"})
    post(ada, "/api/rules", LS | {"kind": "tool", "pattern": "WebFetch", "effect": "deny"})

    def tried(**body):
        answer = post(ada, "/api/rules/try", {"sessionId": str(session.pk), **body})
        check(rules_api.Tried, answer.json())
        return answer.json()

    assert tried(command="ls -l") == {"ok": True, "effect": "allow", "rule": rule, "isPlain": True}
    assert tried(command="ls; x") == {"ok": True, "effect": "ask", "rule": None, "isPlain": False}
    assert tried(path="src/a.py")["effect"] == "allow"
    assert tried(path="../src/a.py")["effect"] == "ask"
    assert tried(tool="WebFetch")["effect"] == "deny"
    store.append(session.pk, [Draft("mode_changed", {"mode": "plan", "by": "ada"})])
    assert tried(command="ls -l")["effect"] == "ask"
    by_agent = post(ada, "/api/rules/try", {"command": "ls", "agent": "demo"}).json()
    assert by_agent["effect"] == "allow"
    assert post(ada, "/api/rules/try", {}).status_code == 400
    assert not Event.objects.filter(type="permission_request").exists()


# --- The answer of a rule -----------------------------------------------------------------------

ONCE = {"id": "yes", "kind": "allow_once", "label": "Yes"}
NO = {"id": "no", "kind": "reject_once", "label": "No"}
REQUEST = {
    "permId": "p1",
    "toolName": "Bash",
    "toolKind": "execute",
    "title": "ls",
    "input": {"command": "ls"},
    "options": [ONCE, NO],
    "expiresAt": "2099-01-01T00:00:00.000Z",
    "digest": "d1",
}


@pytest.fixture
def asked(user):
    """A session whose agent asks, and its lease."""

    def asking(*drafts: Draft, **request) -> Lease:
        send.send_message(user=user, client_msg_id="c1", session_id=None, text="x", agent="demo")
        session_id = Prompt.objects.get().session_id
        lease = leases.claim(session_id, "one")
        assert lease is not None
        store.append(session_id, [*drafts, Draft("permission_request", REQUEST | request)])
        return lease

    post(script(user), "/api/rules", LS)
    return asking


def resolved(lease: Lease) -> list[str]:
    events = Event.objects.filter(session_id=lease.session_id, type="permission_resolved")
    return [event.payload["decision"] for event in events]


def test_a_rule_answers_a_request_once(user, asked) -> None:
    lease = asked()
    assert answer_by_rule(lease, "p1", mode=None)
    assert not answer_by_rule(lease, "p1", mode=None)
    assert not answer_by_rule(lease, "p2", mode=None)
    assert resolved(lease) == ["yes"]
    assert snapshot.take(lease.session_id)["permissions"] == []


def test_a_person_was_faster(user, asked) -> None:
    lease = asked()
    answer = {"user": user, "session_id": lease.session_id, "perm_id": "p1", "digest": "d1"}
    answer_permission(**answer, option_id="no")
    assert not answer_by_rule(lease, "p1", mode=None)
    assert resolved(lease) == ["no"]


PLANS = {
    "the agent": [],
    "the log": [Draft("mode_changed", {"mode": "plan", "by": "ada"})],
    "a label": [
        Draft("agent_started", {"modes": [{"id": "m2", "label": "Plan mode"}], "resumed": False}),
        Draft("mode_changed", {"mode": "m2", "by": "agent"}),
    ],
    "a setting": [
        Draft(
            "options_offered",
            {
                "options": [
                    {
                        "id": "collaboration_mode",
                        "category": "collaboration_mode",
                        "label": "Collaboration",
                        "kind": "select",
                        "value": "plan",
                        "choices": [{"id": "plan", "label": "Plan"}],
                    }
                ]
            },
        )
    ],
}


@pytest.mark.parametrize("told", PLANS)
def test_no_rule_allows_in_a_mode_that_plans(asked, told) -> None:
    lease = asked(*PLANS[told])
    assert not answer_by_rule(lease, "p1", mode="plan" if told == "the agent" else None)
    assert resolved(lease) == []


@pytest.mark.parametrize(
    "options",
    [
        [NO],
        [{**ONCE, "kind": "allow_always"}, NO],
        [ONCE, {**ONCE, "id": "yes2"}, NO],
        [{**ONCE, "kind": "other"}, NO],
    ],
)
def test_a_rule_chooses_no_option_that_says_more_than_once(asked, options) -> None:
    lease = asked(options=options)
    assert not answer_by_rule(lease, "p1", mode=None)
    assert resolved(lease) == []


def test_a_rule_answers_nothing_after_its_lease(asked) -> None:
    lease = asked()
    leases.release(lease)
    assert leases.claim(lease.session_id, "two") is not None
    with pytest.raises(LeaseLost):
        answer_by_rule(lease, "p1", mode=None)
    assert resolved(lease) == []


# --- A sentence beside a denial -----------------------------------------------------------------


def test_a_sentence_goes_with_a_denial_alone(user, asked) -> None:
    lease = asked()
    answer = {"user": user, "session_id": lease.session_id, "perm_id": "p1", "digest": "d1"}
    with pytest.raises(InvalidRequest, match="denial"):
        answer_permission(**answer, option_id="yes", message="Do it.")
    assert resolved(lease) == []
    body = {"sessionId": str(lease.session_id), "permId": "p1", "optionId": "no", "digest": "d1"}
    too_long = post(script(user), "/api/chat/permission", body | {"message": "x" * 2_001})
    assert too_long.status_code == 400
    told = post(script(user), "/api/chat/permission", body | {"message": "Use `make`.\n"})
    assert told.status_code == 200
    event = Event.objects.get(session_id=lease.session_id, type="permission_resolved")
    assert event.payload["message"] == "Use `make`."
    prompt = Event.objects.filter(session_id=lease.session_id, type="user_message").last()
    assert prompt.payload["text"] == "Use `make`."
    again = post(script(user), "/api/chat/permission", body | {"message": "Use `make`."})
    assert again.status_code == 409
    assert Prompt.objects.count() == 2


def test_an_agent_that_takes_sentences_gets_no_prompt_for_them(user, asked, monkeypatch) -> None:
    monkeypatch.setattr("sessions.agents.registry.takes_messages", lambda name: True)
    lease = asked()
    answer = {"user": user, "session_id": lease.session_id, "perm_id": "p1", "digest": "d1"}
    answer_permission(**answer, option_id="no", message="Use make.")
    assert Prompt.objects.count() == 1


async def test_the_result_of_a_denial_carries_its_sentence_to_an_agent_of_ours() -> None:
    told, permissions = [], Permissions()
    raw = [{"optionId": "no", "name": "No", "kind": "reject_once"}]
    for message in ("", "Use make."):
        permissions.open("p1", 1, choices(raw), told.append)
        assert permissions.answer("p1", "no", message)
    selected = {"outcome": {"optionId": "no", "outcome": "selected"}}
    assert told == [selected, selected | {"_meta": {MESSAGE: "Use make."}}]

    class Answered:
        async def request(self, _method: str, _params: dict) -> dict:
            return told.pop(0)

    chat = Chat(Answered(), "s", Path("/"), "")
    assert await chat.decision({}, raw) == ("no", "")
    assert await chat.decision({}, raw) == ("no", "Use make.")


# --- The pattern that a request suggests --------------------------------------------------------


@pytest.mark.parametrize(
    ("request_fields", "kind", "pattern"),
    [
        ({"input": {"command": "git status --short"}}, "command", "git status"),
        ({"input": {"command": "npm run build x/y"}}, "command", "npm run build"),
        ({"input": {"command": "ls -l src"}}, "command", "ls -l src"),
        ({"input": {"command": ["bash", "-lc", "make test"]}}, "command", "make test"),
        ({"input": {"path": "src/a.py"}, "toolKind": "edit"}, "path", "src/a.py"),
        ({"input": {"paths": ["src/a", "src/b"]}, "toolKind": "read"}, "path", "src/**"),
        ({"input": {"q": "x"}, "toolKind": "other", "toolName": "mcp__a__b"}, "mcp", "a/b"),
        ({"input": {"url": "x"}, "toolKind": "fetch", "toolName": "WebFetch"}, "tool", "WebFetch"),
    ],
)
def test_a_request_suggests_a_narrow_pattern(user, asked, request_fields, kind, pattern) -> None:
    body = {"sessionId": str(asked(**request_fields).session_id), "permId": "p1"}
    told = post(script(user), "/api/rules/suggest", body).json()
    check(rules_api.Suggested, told)
    assert (told["kind"], told["pattern"], told["sentence"]) == (kind, pattern, "")


@pytest.mark.parametrize(
    "request_fields",
    [
        {"input": {"command": "git status; rm x"}},
        {"input": {"command": "sudo ls"}},
        {"input": {}},
        {"input": {"path": "/etc/passwd"}, "toolKind": "edit"},
        {"input": {"plan": "x"}, "toolKind": "switch_mode", "toolName": "ExitPlanMode"},
    ],
)
def test_a_request_that_no_rule_can_allow_suggests_nothing(user, asked, request_fields) -> None:
    body = {"sessionId": str(asked(**request_fields).session_id), "permId": "p1"}
    told = post(script(user), "/api/rules/suggest", body).json()
    assert told["pattern"] == ""
    assert told["sentence"].startswith("No rule can allow this")
    stranger = script(User.objects.create_user("bob"))
    assert post(stranger, "/api/rules/suggest", body).json()["code"] == "unknown_session"


# --- The page -----------------------------------------------------------------------------------


def test_the_page_of_rules_lists_tries_and_deletes(user, logged_in) -> None:
    key = HEADERS["X-Origin-Key"]
    rule = post(script(user), "/api/rules", LS | {"pattern": "ls -l"}).json()["rule"]
    theirs = post(script(User.objects.create_user("bob")), "/api/rules", LS).json()["rule"]
    page = logged_in.get("/account/rules/").content.decode()
    assert f"rule:{rule['id']}" in page
    assert f"rule:{theirs['id']}" not in page
    session = send.create_session(owner=user, agent="demo")
    form = {"kind": "command", "action": "ls -l x", "chat": str(session.pk)}
    assert f"Allow, by rule:{rule['id']}" in posted(logged_in, form)
    assert "You would be asked" in posted(logged_in, form | {"action": "ls"})
    assert "No rule can allow it" in posted(logged_in, form | {"action": "ls -l; <b>"})
    for odd in ({"chat": "x"}, {"chat": str(UNKNOWN)}, {"kind": "session_id"}, {"action": ""}):
        assert 'role="alert"' in posted(logged_in, form | odd)
    gone = {"rule": theirs["id"], "origin_key": key}
    assert logged_in.post("/account/rules/remove/", gone).status_code == 302
    assert Rule.objects.count() == 2
    mine = {"rule": rule["id"], "origin_key": key}
    assert logged_in.post("/account/rules/remove/", mine)["Location"] == "/account/rules/"
    assert [one.pk for one in Rule.objects.all()] == [theirs["id"]]


UNKNOWN = "00000000-0000-4000-8000-000000000000"


def posted(client: Client, form: dict) -> str:
    answer = client.post("/account/rules/", form)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_of_rules_adds_those_that_deny_or_ask(user, logged_in, settings, tmp_path) -> None:
    settings.CHAT = settings.CHAT | {"WORKSPACE_ROOTS": str(tmp_path)}
    session = send.create_session(owner=user, agent="demo", cwd=str(tmp_path))
    assert f"project:{tmp_path}" in logged_in.get("/account/rules/").content.decode()
    for place in ("everywhere", "agent:demo", f"project:{session.cwd}", f"chat:{session.pk}"):
        added = add(
            logged_in, {"effect": "deny", "kind": "command", "pattern": "rm", "place": place}
        )
        assert added["Location"] == "/account/rules/"
    made = [(rule.scope, rule.effect, rule.pattern) for rule in Rule.objects.order_by("pk")]
    scopes = ("everywhere", "agent", "project", "chat")
    assert made == [(scope, "deny", "rm") for scope in scopes]
    form = {"effect": "ask", "kind": "path", "pattern": "*.env", "place": "everywhere"}
    theirs = send.create_session(owner=User.objects.create_user("bob"), agent="demo")
    for odd in (
        {"effect": "allow"},
        {"kind": "regex"},
        {"pattern": "../x<b>"},
        {"place": "chat:x"},
        {"place": f"chat:{theirs.pk}"},
        {"place": "world"},
    ):
        refused = add(logged_in, form | odd)
        assert refused.status_code == 200
        page = refused.content.decode()
        assert 'role="alert"' in page
        assert "<b>" not in page.split("add-pattern")[-1].split("try-title")[0]
    assert Rule.objects.count() == len(scopes)
    assert add(Client(), form)["Location"].startswith("/login/")


def add(client: Client, form: dict):
    key = {"origin_key": HEADERS["X-Origin-Key"]}
    return client.post("/account/rules/add/", form | key)
