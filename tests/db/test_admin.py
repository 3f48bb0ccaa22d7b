"""The admin: looks at every log, changes none, and costs the same however long a list is."""

import re
import uuid

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from lab.rig.origin_key import KEY
from sessions.access import tokens
from sessions.account_models import ApiToken
from sessions.control.send import create_session, send_message
from sessions.eventlog import events, store
from sessions.eventlog.events import Draft
from sessions.models import Event, Message, Prompt, Session
from sessions.reading.describe import MAX_CHARS, describe
from tests.support.browsing import bind_key
from tests.support.payloads import example

pytestmark = pytest.mark.django_db

LOG_MODELS = [Session, Event, Message, Prompt]


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root")


@pytest.fixture
def browser(root: User) -> Client:
    client = Client()
    client.force_login(root)
    return client


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada")


def new_session(owner: User, *prompts: str, title: str = "") -> Session:
    session = create_session(owner=owner, agent="demo", title=title)
    for text in prompts:
        key = uuid.uuid4().hex
        send_message(user=owner, client_msg_id=key, session_id=session.pk, text=text)
    return session


def list_of(model: str, **filters: object) -> str:
    return reverse(f"admin:chat_sessions_{model}_changelist", query=filters)


def page_of(row: Session | Event | Message | Prompt | ApiToken) -> str:
    return reverse(f"admin:chat_sessions_{row._meta.model_name}_change", args=[row.pk])


def text_of(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


# --- Looking ------------------------------------------------------------------------------------


def test_sessions_show_state_owner_and_head(browser: Client, ada: User) -> None:
    new_session(ada, "hello", title="My plan")
    shown = text_of(browser.get(list_of("session")))
    for fact in ("My plan", "ada", "demo", "CREATED", "idle"):
        assert fact in shown


@pytest.mark.parametrize("model", ["session", "event", "message", "prompt"])
def test_a_list_costs_the_same_however_long_it_is(browser: Client, ada: User, model: str) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            text_of(browser.get(list_of(model)))
        return len(queries)

    new_session(ada, "one", title="first")
    few = cost()
    for number in range(6):
        other = User.objects.create_user(f"user{number}")
        new_session(other, "two", "three", title=f"s{number}")
    assert cost() == few


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "plan"}, True),
        ({"q": "ada"}, True),
        ({"q": "nothing"}, False),
        ({"state__exact": "CREATED"}, True),
        ({"state__exact": "ACTIVE"}, False),
        ({"archived": "no"}, True),
        ({"archived": "yes"}, False),
    ],
)
def test_sessions_are_searched_and_filtered(
    browser: Client, ada: User, query: dict[str, str], found: bool
) -> None:
    session = new_session(ada, title="My plan")
    assert (str(session.pk) in text_of(browser.get(list_of("session", **query)))) is found


def test_a_session_is_found_by_the_beginning_of_its_id(browser: Client, ada: User) -> None:
    session, other = new_session(ada, title="one"), new_session(ada, title="two")
    shown = text_of(browser.get(list_of("session", q=str(session.pk)[:13])))
    assert str(session.pk) in shown
    assert str(other.pk) not in shown


def test_a_log_is_shown_in_its_order_page_by_page(browser: Client, ada: User) -> None:
    session, other = new_session(ada, title="one"), new_session(ada, "elsewhere")
    store.append(session.pk, [Draft("title_changed", {"title": f"t{n}"}) for n in range(250)])
    seqs: list[int] = []
    for page in (1, 2, 3):
        address = list_of("event", session__id__exact=session.pk, p=page)
        shown = text_of(browser.get(address))
        assert "elsewhere" not in shown
        numbers = [int(n) for n in re.findall(r'field-seq"><a [^>]*>(\d+)<', shown)]
        assert len(numbers) <= 100
        seqs += numbers
    assert seqs == list(range(1, 252))
    assert "Log of t249" in text_of(browser.get(list_of("event", session__id__exact=session.pk)))
    one_type = list_of("event", session__id__exact=session.pk, type="session_created")
    assert re.findall(r'field-seq"><a [^>]*>(\d+)<', text_of(browser.get(one_type))) == ["1"]
    assert other.pk


def test_payloads_are_readable_and_escaped(browser: Client, ada: User) -> None:
    session = new_session(ada, "<script>alert(1)</script>")
    event = Event.objects.get(session=session, type="user_message")
    for address in (list_of("event"), page_of(event), list_of("prompt"), list_of("message")):
        shown = text_of(browser.get(address))
        assert "<script>alert" not in shown
        assert "&lt;script&gt;alert" in shown


def test_every_page_of_one_row_opens(browser: Client, ada: User) -> None:
    session = new_session(ada, "hello")
    tokens.create_token(ada, name="laptop")
    usage = {"inputTokens": 7, "outputTokens": 5, "costUsd": 0.25}
    store.append(session.pk, [Draft("usage", usage)])
    for model in (*LOG_MODELS, ApiToken):
        text_of(browser.get(page_of(model.objects.first())))
    assert "7 tokens in, 5 out, 0.2500 USD" in text_of(browser.get(page_of(session)))
    other = new_session(ada, "elsewhere")
    store.append(other.pk, [Draft("usage", {"inputTokens": 1, "outputTokens": 1})])
    assert "1 token in, 1 out" in text_of(browser.get(page_of(other)))


def test_a_session_leads_to_its_log_messages_and_prompts(browser: Client, ada: User) -> None:
    session = new_session(ada, "hello")
    shown = text_of(browser.get(page_of(session)))
    for address in re.findall(r'href="(/admin/chat_sessions/\w+/\?[^"]+)"', shown):
        text_of(browser.get(address))
    assert f"session__id__exact={session.pk}" in shown


def test_a_session_of_ones_own_leads_to_its_chat(browser: Client, root: User, ada: User) -> None:
    own, other = new_session(root, "hello"), new_session(ada, "hello")
    link = f'<a href="/s/{own.pk}">Open in the chat</a>'
    assert link in text_of(browser.get(page_of(own)))
    assert "Open in the chat" not in text_of(browser.get(page_of(other)))
    assert browser.get(f"/admin/chat_sessions/session/{uuid.uuid4()}/change/").status_code == 302


# --- Changing nothing ---------------------------------------------------------------------------


@pytest.mark.parametrize("model", LOG_MODELS)
def test_not_even_a_superuser_adds_changes_or_deletes(
    browser: Client, root: User, ada: User, rf, model
) -> None:
    new_session(ada, "hello")
    request = rf.get("/")
    request.user = root
    pages = admin.site._registry[model]
    assert not pages.has_add_permission(request)
    assert not pages.has_change_permission(request)
    assert not pages.has_delete_permission(request)
    assert "delete_selected" not in pages.get_actions(request)
    row = model.objects.first()
    name = model._meta.model_name
    assert browser.get(reverse(f"admin:chat_sessions_{name}_add")).status_code == 403
    delete = reverse(f"admin:chat_sessions_{name}_delete", args=[row.pk])
    assert browser.post(delete, {"post": "yes"}).status_code == 403
    assert browser.post(page_of(row), {"title": "other", "state": "ENDED"}).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()


def test_a_token_can_be_ended_but_not_read_or_made(browser: Client, ada: User) -> None:
    token = tokens.create_token(ada, name="laptop")
    stored = ApiToken.objects.get()
    shown = text_of(browser.get(page_of(stored)))
    assert stored.digest not in shown
    assert browser.get(reverse("admin:chat_sessions_apitoken_add")).status_code == 403
    delete = reverse("admin:chat_sessions_apitoken_delete", args=[stored.pk])
    bind_key(browser)
    assert browser.post(delete, {"post": "yes", "origin_key": KEY}).status_code == 302
    assert tokens.user_of_token(token) is None


# --- Interrupt and end --------------------------------------------------------------------------


def act(browser: Client, action: str, *sessions: Session) -> str:
    data = {"action": action, "_selected_action": [str(session.pk) for session in sessions]}
    return text_of(browser.post(list_of("session"), data, follow=True))


def running(owner: User) -> Session:
    session = new_session(owner, "work")
    prompt = Message.objects.get(session=session)
    begun = {"turnId": "t1", "clientMsgId": prompt.client_msg_id}
    store.append(session.pk, [Draft("turn_start", begun)])
    Session.objects.filter(pk=session.pk).update(state="ACTIVE")
    return session


@pytest.mark.parametrize(("action", "stop"), [("interrupt", False), ("end", True)])
def test_an_action_asks_the_runner_in_the_admins_name(
    browser: Client, ada: User, action: str, stop: bool
) -> None:
    session = running(ada)
    assert "Asked the runner of 1 sessions" in act(browser, action, session)
    last = store.read(session.pk, after=0, limit=99)[-1]
    assert last.type == "interrupt_requested"
    assert last.payload == {"by": "root", "stop": stop, "turnId": "t1"}


def test_an_idle_session_is_not_interrupted(browser: Client, ada: User) -> None:
    session = new_session(ada)
    head = store.get_head_seq(session.pk)
    assert "1 sessions had nothing to stop" in act(browser, "interrupt", session)
    assert store.get_head_seq(session.pk) == head


def test_a_session_that_never_started_is_ended_at_once(browser: Client, ada: User) -> None:
    session = new_session(ada)
    act(browser, "end", session)
    session.refresh_from_db()
    assert session.state == "ENDED"


def test_who_may_only_view_gets_no_actions(ada: User) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(
        Permission.objects.get(codename="view_session", content_type__app_label="chat_sessions")
    )
    session = running(ada)
    head = store.get_head_seq(session.pk)
    client = Client()
    client.force_login(viewer)
    assert 'value="interrupt"' not in text_of(client.get(list_of("session")))
    act(client, "interrupt", session)
    assert store.get_head_seq(session.pk) == head


# --- Events in one line -------------------------------------------------------------------------


@pytest.mark.parametrize("event_type", sorted(events.PAYLOADS))
def test_an_event_of_every_type_has_a_line(event_type: str) -> None:
    line = describe(event_type, example(event_type))
    assert line
    assert "\n" not in line
    assert len(line) <= MAX_CHARS


def test_an_event_of_another_version_shows_its_fields() -> None:
    assert describe("from_the_future", {"a": 1, "b": "two\nlines"}) == "a: 1, b: two lines"
    assert describe("turn_end", {"reason": "old name"}) == "reason: old name"


def test_a_long_payload_is_cut() -> None:
    delta = {"messageId": "m", "blockId": "b", "delta": "x" * 100_000}
    assert len(describe("block_delta", delta)) == MAX_CHARS


def test_lists_load_no_long_payload(browser: Client, ada: User) -> None:
    session = new_session(ada)
    long = "long " * 40_000
    ids = {"messageId": "m-long", "turnId": "t"}
    store.append(
        session.pk,
        [
            Draft("message_start", {**ids, "role": "assistant"}),
            Draft("block_start", {"messageId": "m-long", "blockId": "b", "blockType": "text"}),
            Draft("block_end", {"messageId": "m-long", "blockId": "b", "content": long}),
            Draft("message_end", {"messageId": "m-long"}),
        ],
    )
    for model, sign in (("event", "bytes"), ("message", "long long")):
        page = browser.get(list_of(model)).content.decode()
        assert sign in page
        assert len(page) < 200_000
    event = Event.objects.get(session=session, type="block_end", payload__messageId="m-long")
    shown = browser.get(page_of(event)).content.decode()
    assert "long long" in shown
