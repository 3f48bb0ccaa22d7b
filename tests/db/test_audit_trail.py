"""The audit trail: who did what, from where, with which credential; never a secret."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import DatabaseError, OperationalError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from lab.rig.origin_key import KEY
from sessions.access import links, throttle, tokens
from sessions.access.acts import log_ins
from sessions.account_models import ApiToken, LoginLink
from sessions.core.errors import AppendOnly
from sessions.core.source import Source
from sessions.models import AuditEntry
from sessions.trail import failures as counted
from sessions.trail import record as trail
from sessions.trail.record import Act, prune, record
from tests.support.browsing import bind_key

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse"


@pytest.fixture
def ada() -> User:
    return User.objects.create_superuser("ada", password=PASSWORD)


@pytest.fixture(autouse=True)
def failures(monkeypatch) -> counted.Failures:
    """The counts of failed log-ins, on a clock that stands still."""
    made = counted.Failures(clock=lambda: 1_000_000.0)
    for module in (log_ins, throttle):
        monkeypatch.setattr(module, "failures", made)
    return made


def acts(**filters: object) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(**filters).order_by("pk"))


def log_in(client: Client, password: str = PASSWORD, **extra: str):
    return client.post("/login/", {"username": "ada", "password": password}, **extra)


# --- The rows -----------------------------------------------------------------------------------


def test_an_entry_never_changes(ada: User) -> None:
    record(Act.LOG_OUT, who="ada")
    [entry] = acts()
    entry.who = "bob"
    for change in (entry.save, entry.delete, AuditEntry.objects.all().delete):
        with pytest.raises(AppendOnly):
            change()
    with pytest.raises(AppendOnly):
        AuditEntry.objects.update(who="bob")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        super(type(AuditEntry.objects.all()), AuditEntry.objects.all()).update(who="bob")
    assert [entry.who for entry in acts()] == ["ada"]


def test_an_entry_of_an_act_that_failed_is_not_there(caplog) -> None:
    caplog.set_level(logging.INFO, "backstay.audit")
    with transaction.atomic():
        record(Act.LOG_OUT, who="ada")
        transaction.set_rollback(True)
    assert acts() == []
    assert caplog.records == []


def test_odd_text_is_cut_and_cleaned() -> None:
    source = Source("c" * 500, "n\x00" * 500, "x" * 500, "a\ud800" * 500)
    record(Act.ADMIN, who="w" * 500, about="a" * 500, source=source)
    [entry] = acts()
    assert [len(entry.who), len(entry.about), len(entry.credential_name)] == [150, 200, 100]


def test_a_disk_without_room_stops_no_act(monkeypatch, capsys) -> None:
    class Full(OperationalError):
        sqlite_errorcode = 13

    def no_room(*_: object, **__: object) -> None:
        raise Full("database or disk is full")

    monkeypatch.setattr(type(AuditEntry.objects.all()), "bulk_create", no_room)
    record(Act.LOG_OUT, who="ada")
    monkeypatch.undo()
    trail.storage.found_room()
    assert acts() == []


def test_each_entry_is_a_line_of_the_log(caplog) -> None:
    logger = logging.getLogger("backstay.audit")
    caplog.set_level(logging.INFO, "backstay.audit")
    logger.addHandler(caplog.handler)
    try:
        record(Act.LOG_IN, who="ada", source=Source(address="203.0.113.5"), device="Firefox")
    finally:
        logger.removeHandler(caplog.handler)
    [line] = caplog.records
    assert (line.getMessage(), line.who, line.address) == ("log_in", "ada", "203.0.113.5")
    assert json.loads(line.facts) == {"device": "Firefox"}


def test_old_entries_leave_by_one_door(settings) -> None:
    settings.CHAT = {"AUDIT_DAYS": "30"}
    for days in (100, 31, 29, 0):
        entry = trail.entry(Act.LOG_OUT, who=f"{days}")
        entry.at = timezone.now() - timedelta(days=days)
        entry.save()
    out = StringIO()
    call_command("audit", "--prune", stdout=out)
    assert out.getvalue() == "2 entries older than 30 days removed\n"
    assert [entry.who for entry in acts()] == ["29", "0"]
    assert prune(before=timezone.now() - timedelta(days=30)) == 0


def test_the_command_prints_json_lines(ada: User) -> None:
    record(Act.LOG_OUT, who="bob")
    record(Act.DECISION, who="ada", about="session:x", kind="allow_once")
    out = StringIO()
    call_command("audit", "--since", "1h", "--who", "ada", "--act", "decision", stdout=out)
    [line] = [json.loads(line) for line in out.getvalue().splitlines()]
    assert line.pop("at")
    assert line == {
        "act": "decision",
        "who": "ada",
        "about": "session:x",
        "facts": {"kind": "allow_once"},
    }


# --- The acts -----------------------------------------------------------------------------------


def test_a_log_in_and_its_end_name_the_same_credential(ada: User) -> None:
    client = Client(headers={"User-Agent": "Firefox on a desk"})
    assert log_in(client, REMOTE_ADDR="203.0.113.5").status_code == 302
    client.post("/logout/", REMOTE_ADDR="203.0.113.6")
    begin, end = acts()
    assert (begin.act, end.act) == ("log_in", "log_out")
    assert {begin.who, end.who} == {"ada"}
    assert (begin.address, end.address) == ("203.0.113.5", "203.0.113.6")
    assert begin.facts == {"device": "Firefox on a desk"}
    assert begin.credential.startswith("login:")
    assert end.credential == begin.credential


def test_strangers_cause_no_row_for_each_attempt(ada: User, failures) -> None:
    for number in range(12):
        log_in(Client(), "wrong", REMOTE_ADDR=f"2606:4700:1:2::{number:x}")
    log_in(Client(), "wrong", REMOTE_ADDR="203.0.113.5")
    assert acts() == []
    failures.flush(all_of_it=True)
    found = {entry.address: entry.facts["attempts"] for entry in acts(act="log_in_failed")}
    assert found == {"2606:4700:1:2::/64": 12, "203.0.113.5": 1}
    assert all(PASSWORD not in str(vars(entry)) and "wrong" not in entry.who for entry in acts())


def test_a_minute_of_many_networks_is_bounded() -> None:
    now = [0.0]
    failures = counted.Failures(clock=lambda: now[0])
    for number in range(3 * counted.MAX_NETWORKS):
        failures.note(f"10.0.{number // 250}.{number % 250}")
    failures.flush()
    assert acts() == []
    now[0] = 60.0
    failures.note("10.9.9.9")
    found = {entry.address: entry.facts["attempts"] for entry in acts()}
    assert len(found) == counted.MAX_NETWORKS + 1
    assert found[counted.OTHERS] == 2 * counted.MAX_NETWORKS
    failures.flush()
    assert len(acts()) == counted.MAX_NETWORKS + 1


def test_a_link_leaves_no_secret(ada: User) -> None:
    path = links.one_time_link(ada)
    Client().post(path)
    assert [entry.act for entry in acts()] == ["link_made", "link_used", "log_in"]
    made, used, _ = acts()
    assert (made.about, made.credential, used.who) == ("ada", "terminal", "ada")
    rows = str(list(AuditEntry.objects.values()))
    assert path.split("/")[-1] not in rows
    assert not LoginLink.objects.exists()


def test_a_token_is_named_and_its_first_use_is_recorded_once(ada: User) -> None:
    token = tokens.create_token(ada, name="ci")
    row = ApiToken.objects.get()
    number = row.pk
    headers = {"Authorization": f"Bearer {token}"}
    for _ in range(3):
        Client(headers=headers).get("/api/sessions", REMOTE_ADDR="203.0.113.5")
    tokens.revoke([row], by="ada")
    made, used, revoked = acts()
    assert [made.act, used.act, revoked.act] == ["token_made", "token_used", "token_revoked"]
    assert made.about == revoked.about == f"token:{number} ci of ada"
    assert (used.who, used.address, used.credential_name) == ("ada", "203.0.113.5", "ci")
    assert token not in str(list(AuditEntry.objects.values()))


def test_a_password_changes_by_whatever_way(ada: User) -> None:
    ada.set_password("another one")
    ada.save()
    ada.set_unusable_password()
    ada.save(update_fields=["password"])
    found = acts(act="password_changed")
    assert [entry.about for entry in found] == ["ada", "ada"]


def test_a_renewed_hash_is_no_change_of_a_password(ada: User, settings) -> None:
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    before = ada.password
    log_in(Client())
    ada.refresh_from_db()
    assert ada.password != before
    assert acts(act="password_changed") == []


def test_acts_in_the_admin_are_recorded_and_looks_are_not(ada: User) -> None:
    bob = User.objects.create_user("bob")
    browser = Client()
    browser.force_login(ada)
    edit = reverse("admin:auth_user_change", args=[bob.pk])
    browser.get(edit)
    refused = browser.post(edit, {"username": ""})
    assert refused["Location"].startswith("/account/confirm/")  # nothing has changed yet
    assert acts(act="admin") == []
    tokens.create_token(bob, name="ci")
    chosen = {"action": "delete_selected", "_selected_action": [ApiToken.objects.get().pk]}
    chosen |= {"post": "yes", "origin_key": KEY}
    bind_key(browser)
    listed = reverse("admin:chat_sessions_apitoken_changelist")
    browser.post(listed, chosen, REMOTE_ADDR="203.0.113.5")
    [entry] = acts(act="admin")
    assert (entry.who, entry.about, entry.address) == ("ada", listed, "203.0.113.5")
    assert entry.facts["action"] == "delete_selected"
    assert entry.credential.startswith("login:")
    [revoked] = acts(act="token_revoked")
    assert revoked.who == "ada"


def test_the_admin_shows_the_trail_and_changes_nothing(ada: User) -> None:
    record(Act.DECISION, who="bob", about="session:x", kind="allow_once")
    browser = Client()
    browser.force_login(ada)
    page = browser.get(reverse("admin:chat_sessions_auditentry_changelist")).content.decode()
    assert "session:x" in page
    one = reverse("admin:chat_sessions_auditentry_change", args=[acts(act="decision")[0].pk])
    assert "allow_once" in browser.get(one).content.decode()
    assert browser.post(one, {"who": "eve"}).status_code == 403
    assert browser.post(f"{one[: -len('change/')]}delete/", {"post": "yes"}).status_code == 403
