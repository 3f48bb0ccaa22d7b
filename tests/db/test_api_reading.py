"""Reading over HTTP: lists, search, pages, exports; what is not theirs does not exist (I11)."""

import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from sessions.agents import registry
from sessions.control import settings as changes
from sessions.eventlog import store
from sessions.models import Session
from sessions.reading import queries
from tests.db.scripting import Script, answer, new_session, path_of, prompt
from tests.support.browsing import bind_key

# Requests read the database in threads of their own: only what is committed is seen there.
pytestmark = pytest.mark.django_db(transaction=True)


SOME_ID = "6f1f6c0e-0a35-4a0c-8d2e-0f7a5a3b1c2d"


# --- The list -----------------------------------------------------------------------------------


def test_the_last_active_session_comes_first(ada: Script) -> None:
    old, new = new_session(ada, "old"), new_session(ada, "new")
    assert [row["title"] for row in ada.json("/api/sessions")["sessions"]] == ["new", "old"]
    prompt(old, "again")
    page = ada.json("/api/sessions")
    assert [row["sessionId"] for row in page["sessions"]] == [str(old.pk), str(new.pk)]
    assert page["hasMore"] is False
    assert page["nextBefore"] is None
    assert page["sessions"][0]["head"] == 2
    assert page["sessions"][0]["agent"] == "demo"


def test_pages_of_the_list_join_without_hole_or_repeat(ada: Script) -> None:
    moment = timezone.now()
    made = [str(new_session(ada, f"s{number}").pk) for number in range(11)]
    # All at one moment: the place in the list is still one.
    Session.objects.update(last_activity_at=moment)
    seen: list[str] = []
    before = ""
    while True:
        page = ada.json("/api/sessions", limit=3, **({"before": before} if before else {}))
        seen += [row["sessionId"] for row in page["sessions"]]
        if not page["hasMore"]:
            break
        before = page["nextBefore"]
    assert sorted(seen) == sorted(made)


def test_the_list_takes_one_query_however_long_it_is(
    ada: Script, django_assert_num_queries
) -> None:
    for number in range(12):
        new_session(ada, f"s{number}")
    with django_assert_num_queries(1):
        page = queries.session_page(ada.user, text="s", states="CREATED", limit=10)
    assert len(page["sessions"]) == 10


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("docker", ["one"]),
        ("DOCKER compose", ["one"]),
        ("compose docker", ["one"]),
        ("docker missing", []),
        ("100%", ["two"]),
        ("%", ["two"]),
        ("a_b", ["two"]),
        ("_", ["two"]),
        ("\\", ["two"]),
        ("tw", ["two"]),
        ("do " * 10 + "missing", ["one"]),
        ("delta-only", []),
        ("ab", []),
    ],
)
def test_search_finds_words_in_titles_prompts_and_answers(
    ada: Script, text: str, found: list[str]
) -> None:
    one, two = new_session(ada, "one"), new_session(ada, "two")
    prompt(one, "How do I use Docker?")
    answer(one, "With `docker compose up`.")
    prompt(two, "100% of a_b \\ c")
    titles = [row["title"] for row in ada.json("/api/sessions", q=text)["sessions"]]
    assert titles == found


def test_search_never_looks_into_what_is_not_theirs(ada: Script, bob: Script) -> None:
    prompt(new_session(bob, "secret plan"), "secret")
    assert ada.json("/api/sessions", q="secret")["sessions"] == []
    assert ada.json("/api/sessions")["sessions"] == []


def test_the_list_can_be_cut_by_state(ada: Script) -> None:
    created, running, archived = (new_session(ada, t) for t in ("created", "running", "archived"))
    Session.objects.filter(pk=running.pk).update(state="ACTIVE", run_state="running")
    changes.archive(user=ada.user, session_id=archived.pk)

    def titles(state: str) -> list[str]:
        return [row["title"] for row in ada.json("/api/sessions", state=state)["sessions"]]

    assert titles("CREATED") == ["created"]
    assert titles("running") == ["running"]
    assert titles("CREATED,ACTIVE") == ["running", "created"]
    assert titles("archived") == ["archived"]
    assert titles("") == ["running", "created"]
    assert created.pk


# --- One session --------------------------------------------------------------------------------


def test_rename_is_an_event_and_shows_everywhere(ada: Script) -> None:
    session = new_session(ada, "before")
    renamed = ada.patch(path_of(session), {"title": "  after \n all "})
    assert renamed.status_code == 200
    assert renamed.json()["session"]["title"] == "after all"
    assert ada.json(path_of(session))["title"] == "after all"
    assert store.read(session.pk, after=1, limit=9)[0].type == "title_changed"


@pytest.mark.parametrize(
    "body", [{}, {"title": ""}, {"title": 3}, {"title": None}, {"title": "x" * 201}, [], "x", None]
)
def test_a_bad_title_is_named(ada: Script, body: object) -> None:
    refused = ada.patch(path_of(new_session(ada)), body)
    assert refused.status_code == 400
    assert refused.json()["code"] == "invalid_request"
    assert refused.json()["ok"] is False


def test_an_archived_session_leaves_the_list_and_keeps_its_log(ada: Script) -> None:
    session = new_session(ada)
    prompt(session, "hello")
    assert ada.delete(path_of(session)).json() == {"ok": True}
    assert ada.json("/api/sessions")["sessions"] == []
    events = ada.json(path_of(session, "/events"))["events"]
    assert [event["type"] for event in events][:2] == ["session_created", "user_message"]


def test_the_snapshot_is_that_of_the_head(ada: Script) -> None:
    session = new_session(ada, "t")
    prompt(session, "hello")
    answer(session, "hi there")
    shown = ada.json(path_of(session, "/snapshot"))
    assert shown["cursor"] == store.get_head_seq(session.pk)
    assert [message["role"] for message in shown["messages"]] == ["user", "assistant"]
    assert shown["full"] is True


def test_pages_of_messages_join_to_the_transcript(ada: Script) -> None:
    session = new_session(ada)
    for number in range(25):
        prompt(session, f"m{number}")
    first = ada.json(path_of(session, "/messages"), limit=10)
    assert [message["text"] for message in first["messages"]] == [f"m{n}" for n in range(15, 25)]
    texts: list[str] = []
    page = first
    while True:
        texts = [message["text"] for message in page["messages"]] + texts
        if not page["hasMore"]:
            break
        page = ada.json(path_of(session, "/messages"), limit=10, before=page["oldestSeq"])
    assert texts == [f"m{number}" for number in range(25)]
    beyond = ada.json(path_of(session, "/messages"), before=1)
    assert beyond == {"messages": [], "hasMore": False, "oldestSeq": None}


def test_pages_of_events_join_to_the_log(ada: Script) -> None:
    session = new_session(ada)
    answer(session, " ".join(["word"] * 120))
    head = store.get_head_seq(session.pk)
    seqs: list[int] = []
    after = 0
    while True:
        page = ada.json(path_of(session, "/events"), after=after, limit=50)
        seqs += [event["seq"] for event in page["events"]]
        assert page["head"] == head
        if not page["hasMore"]:
            break
        after = seqs[-1]
    assert seqs == list(range(1, head + 1))
    bounded = ada.json(path_of(session, "/events"), after=5, upto=9)
    assert [event["seq"] for event in bounded["events"]] == [6, 7, 8, 9]
    assert bounded["hasMore"] is False
    assert ada.json(path_of(session, "/events"), after=head)["events"] == []


def test_pages_take_few_queries_however_long_the_log_is(
    ada: Script, django_assert_max_num_queries
) -> None:
    session = new_session(ada)
    for _ in range(5):
        prompt(session, "hello")
        answer(session, "one two three")
    with django_assert_max_num_queries(6):
        queries.message_page(ada.user, session.pk, before=None, limit=3)
    with django_assert_max_num_queries(6):
        queries.event_page(ada.user, session.pk, after=3, limit=10)


def test_the_default_page_is_a_setting(ada: Script, settings) -> None:
    session = new_session(ada)
    answer(session, "a b c d e f g h")
    settings.CHAT = {**settings.CHAT, "HISTORY_PAGE": "4"}
    assert len(ada.json(path_of(session, "/events"))["events"]) == 4
    settings.CHAT = {**settings.CHAT, "HISTORY_PAGE": "1000"}
    assert len(ada.json(path_of(session, "/events"))["events"]) == store.get_head_seq(session.pk)


@pytest.mark.parametrize(
    ("part", "query", "field"),
    [
        ("/messages", {"limit": 0}, "limit"),
        ("/messages", {"limit": 201}, "limit"),
        ("/messages", {"limit": "many"}, "limit"),
        ("/messages", {"before": -1}, "before"),
        ("/messages", {"before": "x"}, "before"),
        ("/messages", {"before": 2**63}, "before"),
        ("/events", {"after": -1}, "after"),
        ("/events", {"after": 2**63}, "after"),
        ("/events", {"after": 1.5}, "after"),
        ("/events", {"upto": "9" * 400}, "upto"),
        ("/events", {"limit": 201}, "limit"),
        ("/export", {"format": "pdf"}, "format"),
    ],
)
def test_a_bad_field_is_named(ada: Script, part: str, query: dict[str, object], field: str) -> None:
    refused = ada.get(path_of(new_session(ada), part), **query)
    assert refused.status_code == 400
    body = refused.json()
    assert body["code"] == "invalid_request"
    assert list(body["fields"]) == [field]
    assert field in body["error"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 201}, "limit"),
        ({"state": "SLEEPING"}, "state"),
        ({"state": "archived,ACTIVE"}, "state"),
        ({"before": "yesterday"}, "before"),
        ({"before": f"2026-11-23T08:00:00~{SOME_ID}"}, "before"),
        ({"before": "2026-11-23T08:00:00Z~x"}, "before"),
        ({"before": f"0001-01-01T00:00:00+23:59~{SOME_ID}"}, "before"),
        ({"before": f"9999-12-31T23:59:59-23:59~{SOME_ID}"}, "before"),
        ({"q": "x" * 201}, "q"),
    ],
)
def test_a_bad_field_of_the_list_is_named(
    ada: Script, query: dict[str, object], field: str
) -> None:
    refused = ada.get("/api/sessions", **query)
    assert refused.status_code == 400
    assert list(refused.json()["fields"]) == [field]


def test_a_query_of_nothing_but_control_characters_harms_nobody(ada: Script) -> None:
    assert ada.json("/api/sessions", q="\0 \t")["sessions"] == []


# --- Who may ------------------------------------------------------------------------------------

PARTS = ["", "/snapshot", "/messages", "/events", "/export"]


@pytest.mark.parametrize("part", PARTS)
def test_another_users_session_does_not_exist(ada: Script, bob: Script, part: str) -> None:
    theirs = bob.get(path_of(new_session(ada), part))
    unknown = bob.get(f"/api/sessions/{uuid.uuid4()}{part}")
    for answered in (theirs, unknown):
        assert answered.status_code == 404
        assert answered.json()["code"] == "unknown_session"
    # Nothing but the id that was asked for tells the two apart.
    assert {**theirs.json(), "sessionId": ""} == {**unknown.json(), "sessionId": ""}


def test_another_users_session_cannot_be_changed(ada: Script, bob: Script) -> None:
    session = new_session(ada, "mine")
    assert bob.patch(path_of(session), {"title": "yours"}).status_code == 404
    assert bob.delete(path_of(session)).status_code == 404
    session.refresh_from_db()
    assert session.title == "mine"
    assert session.archived_at is None


def test_staff_read_no_sessions_of_others_either(ada: Script, bob: Script) -> None:
    User.objects.filter(username="bob").update(is_staff=True, is_superuser=True)
    assert bob.get(path_of(new_session(ada))).status_code == 404


@pytest.mark.parametrize(
    "path", ["/api/sessions", "/api/agents", "/api/sessions/00000000-0000-4000-8000-000000000000"]
)
def test_without_a_log_in_every_path_says_so(path: str) -> None:
    refused = Client().get(path)
    assert refused.status_code == 401
    assert refused.json()["code"] == "unauthenticated"


def test_a_change_by_cookie_needs_the_pages_token(ada: Script) -> None:
    session = new_session(ada, "before")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada.user)
    headers = bind_key(browser)
    refused = browser.delete(path_of(session), headers=headers)
    assert refused.status_code == 403
    assert refused.json()["code"] == "csrf_failed"
    assert browser.get(path_of(session), headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("get", "/api/nothing", 404, "not_found"),
        ("get", "/api/sessions/not-a-uuid", 404, "not_found"),
        ("post", "/api/sessions", 405, "method_not_allowed"),
        ("put", "/api/agents", 405, "method_not_allowed"),
    ],
)
def test_every_error_is_json(ada: Script, method: str, path: str, status: int, code: str) -> None:
    response = getattr(ada.client, method)(path, headers=ada.headers)
    assert response.status_code == status
    assert response.json()["code"] == code


def test_a_host_that_is_not_ours_gets_json_too(ada: Script) -> None:
    response = ada.client.get("/api/sessions", headers={**ada.headers, "Host": "evil.example"})
    assert response.status_code == 400
    assert response.json()["code"] == "invalid_request"


def test_an_unforeseen_failure_is_json_without_details(ada: Script, monkeypatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(queries, "session_page", fail)
    client = Client(raise_request_exception=False)
    response = client.get("/api/sessions", headers=ada.headers)
    assert response.status_code == 500
    assert response.json()["code"] == "server_error"
    assert "hunter2" not in response.content.decode()


# --- Agents -------------------------------------------------------------------------------------


def test_agents_say_whether_they_can_start(ada: Script) -> None:
    listed = ada.json("/api/agents")["agents"]
    assert [agent["name"] for agent in listed] == [spec.name for spec in registry.available()]
    demo = next(agent for agent in listed if agent["name"] == "demo")
    assert demo["canStart"] is True
    assert all(agent["canStart"] or agent["whyNot"] for agent in listed)


def test_the_page_of_the_api_is_for_those_who_are_logged_in(ada: Script) -> None:
    browser = Client()
    assert browser.get("/api/docs")["Location"].startswith("/login/")
    assert browser.get("/api/openapi.json").status_code == 302
    browser.force_login(ada.user)
    assert "swagger-ui" in browser.get("/api/docs").content.decode()
    paths = browser.get("/api/openapi.json").json()["paths"]
    assert {"/api/sessions", "/api/chat/send", "/api/agents"} <= set(paths)


def test_times_are_utc_with_milliseconds(ada: Script) -> None:
    session = new_session(ada)
    moment = timezone.now().replace(microsecond=5000) - timedelta(days=1)
    Session.objects.filter(pk=session.pk).update(last_activity_at=moment)
    [row] = ada.json("/api/sessions")["sessions"]
    assert row["lastActivityAt"] == f"{moment:%Y-%m-%dT%H:%M:%S}.005Z"


# --- How long requests wait ---------------------------------------------------------------------


def test_the_waiting_time_is_a_persons_change(ada: Script, bob: Script) -> None:
    session = new_session(ada)
    assert ada.json(path_of(session))["waitSeconds"] is None
    for seconds in (3600, 0, None):
        changed = ada.patch(path_of(session), {"waitSeconds": seconds}).json()["session"]
        assert changed["waitSeconds"] == ada.json(path_of(session))["waitSeconds"] == seconds
    told = [event.payload for event in store.read(session.pk, after=1, limit=9)]
    assert [each["kind"] for each in told] == ["waiting"] * 3
    assert told[0]["text"] == "ada: requests wait for 3600 seconds."
    for odd in (-1, 31 * 24 * 3600 + 1, "soon", 1.5):
        assert ada.patch(path_of(session), {"waitSeconds": odd}).status_code == 400
    assert bob.patch(path_of(session), {"waitSeconds": 0}).status_code == 404


def test_a_list_that_a_client_holds_is_not_sent_again(ada: Script) -> None:
    page = ada.get("/api/sessions")
    ada.headers["If-None-Match"] = page.headers["ETag"]
    again = ada.get("/api/sessions")
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["X-User-ID"] == page.headers["X-User-ID"]
    new_session(ada, "another")
    assert len(ada.json("/api/sessions")["sessions"]) == 1


# --- A name from what was said ------------------------------------------------------------------


def test_a_session_is_named_from_its_first_prompt_as_by_any_rename(
    ada: Script, bob: Script
) -> None:
    session = new_session(ada, "old")
    refused = ada.client.post(path_of(session, "/name"), headers=ada.headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_name")
    assert ada.json(path_of(session))["title"] == "old"
    prompt(session, "**Mend** the roof. It leaks.")
    prompt(session, "And the wall.")
    assert bob.client.post(path_of(session, "/name"), headers=bob.headers).status_code == 404
    answered = ada.client.post(path_of(session, "/name"), headers=ada.headers)
    named = answered.json()["session"]
    assert named["title"] == ada.json(path_of(session))["title"] == "Mend the roof"
    last = store.read(session.pk, after=3, limit=9)
    assert [(event.type, event.payload["title"]) for event in last] == [
        ("title_changed", "Mend the roof")
    ]
