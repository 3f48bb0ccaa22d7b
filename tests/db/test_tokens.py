"""Tokens: their scope, their end, the password they end with, and databases from backups."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from sessions.access import links, tokens
from sessions.access.acts import restore
from sessions.access.tokens import Wanted
from sessions.account_models import ApiToken, LoginLink
from sessions.core.errors import InvalidRequest
from sessions.models import AuditEntry
from sessions.trail import head
from sessions.trail.record import Act, prune, record
from tests.support.server import make_server

__all__ = ["make_server"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", password="correct horse")


@pytest.fixture(autouse=True)
def data(settings, tmp_path) -> None:
    settings.DATA_DIR = tmp_path


def days_left(**wanted: object) -> float | None:
    user = User.objects.get()
    tokens.create_token(user, wanted=Wanted(**wanted))
    end = ApiToken.objects.latest("pk").expires_at
    return None if end is None else round((end - timezone.now()) / timedelta(days=1), 3)


def client_of(user: User, **wanted: object) -> Client:
    token = tokens.create_token(user, wanted=Wanted(**wanted))
    return Client(headers={"Authorization": f"Bearer {token}"})


def test_a_token_has_an_end_within_the_settings(ada: User, settings) -> None:
    assert days_left() == 90
    assert days_left(days=366) == 366
    for days in (0, 367, -1, 10**9):
        with pytest.raises(InvalidRequest, match="1 to 366 days"):
            days_left(days=days)
    settings.CHAT = {"TOKEN_DAYS": "0", "TOKEN_MAX_DAYS": "30"}
    assert days_left() == 30
    settings.CHAT = {"TOKEN_DAYS": "0", "TOKEN_MAX_DAYS": "0"}
    assert days_left() is None
    assert days_left(days=0) is None
    assert days_left(days=3000) == 3000
    with pytest.raises(InvalidRequest, match="scope"):
        days_left(scope="root")


def test_a_token_ends_at_its_date(ada: User) -> None:
    client = client_of(ada)
    assert client.get("/api/sessions").status_code == 200
    digests = set(ApiToken.objects.values_list("digest", flat=True))
    assert tokens.alive(digests) == digests
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get("/api/sessions").status_code == 401
    assert tokens.alive(digests) == set()


def test_a_token_of_before_has_no_end(ada: User) -> None:
    client = client_of(ada)
    ApiToken.objects.update(expires_at=None)
    assert client.get("/api/sessions").status_code == 200


def test_tokens_end_with_the_password_unless_kept_by_choice(ada: User) -> None:
    ending, kept = client_of(ada), client_of(ada, name="kept", outlives_password=True)
    bobs = client_of(User.objects.create_user("bob"))
    ada.first_name = "Ada"
    ada.save()
    assert ending.get("/api/sessions").status_code == 200
    ada.set_password("another horse")
    ada.save()
    answers = [client.get("/api/sessions").status_code for client in (ending, kept, bobs)]
    assert answers == [401, 200, 200]
    assert AuditEntry.objects.filter(act="token_revoked").count() == 1


def test_a_program_lists_makes_and_ends_tokens(ada: User) -> None:
    admin = client_of(ada, name="admin", scope="admin")
    foreign = tokens.create_token(User.objects.create_user("bob"), name="of bob")
    body = {"name": "ci", "scope": "read", "days": 7, "outlivesPassword": True}
    made = admin.post("/api/tokens", body, content_type="application/json")
    assert made.status_code == 201
    reader = Client(headers={"Authorization": f"Bearer {made.json()['token']}"})
    assert reader.get("/api/sessions").status_code == 200
    refused = reader.post("/api/chat/send", {}, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    row, own = admin.get("/api/tokens").json()["tokens"]
    assert (row["name"], row["scope"], row["outlivesPassword"]) == ("ci", "read", True)
    assert own["name"] == "admin"
    assert made.json()["token"] not in str(admin.get("/api/tokens").content)
    of_bob = ApiToken.objects.get(name="of bob").pk
    assert admin.delete(f"/api/tokens/{of_bob}").json()["code"] == "unknown_token"
    assert admin.delete(f"/api/tokens/{10**30}").json()["code"] == "unknown_token"
    assert tokens.user_of_token(foreign) is not None
    assert admin.delete(f"/api/tokens/{row['id']}").status_code == 200
    assert reader.get("/api/sessions").status_code == 401
    entry = AuditEntry.objects.get(act="token_revoked")
    assert (entry.who, entry.credential_name) == ("ada", "admin")


@pytest.mark.parametrize(
    "body",
    [{}, {"name": ""}, {"name": "n", "scope": "root"}, {"name": "n", "days": 9999}, {"name": 7}],
)
def test_an_odd_token_is_refused(ada: User, body: dict[str, object]) -> None:
    admin = client_of(ada, scope="admin")
    refused = admin.post("/api/tokens", body, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")


def test_the_commands_make_list_and_end(ada: User) -> None:
    out = StringIO()
    options = {"scope": "read", "days": 7, "keep": True, "name": "ci"}
    call_command("create_token", "ada", stdout=out, **options)
    token = out.getvalue().splitlines()[-1]
    row = ApiToken.objects.get()
    assert (row.scope, row.outlives_password) == ("read", True)
    listed = StringIO()
    call_command("tokens", "--user", "ada", stdout=listed)
    assert "ada  read   ci" in listed.getvalue()
    assert token not in listed.getvalue()
    call_command("tokens", "--revoke", str(row.pk), stdout=StringIO())
    assert tokens.user_of_token(token) is None
    for arguments in (["tokens", "--revoke", "9"], ["create_token", "ada", "--days", "9999"]):
        with pytest.raises(CommandError):
            call_command(*arguments, stdout=StringIO())


def copy(source: Path, target: Path) -> None:
    """Copy a database as `sqlite3 .backup` and `.restore` do."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


# --- A database from a backup -------------------------------------------------------------------


def not_in_the_backup(further: int) -> AuditEntry:
    """Return an entry that this machine has seen, and the database has not."""
    return AuditEntry(pk=head.newest() + further, at=timezone.now(), act=Act.LOG_OUT)


def test_credentials_of_a_database_from_a_backup_end(ada: User, caplog) -> None:
    token = tokens.create_token(ada)
    links.one_time_link(ada)
    browser = Client()
    browser.force_login(ada)
    assert restore.check() is False
    head.remember(not_in_the_backup(1))
    assert restore.check() is True
    assert "comes from a backup" in caplog.text
    assert tokens.user_of_token(token) is None
    assert browser.get("/api/sessions").status_code == 401
    assert not LoginLink.objects.exists()
    [entry] = AuditEntry.objects.filter(act="credentials_ended")
    assert entry.facts["tokens"] == entry.facts["links"] == entry.facts["log_ins"] == 1
    fresh = tokens.create_token(ada)
    assert restore.check() is False
    assert tokens.user_of_token(fresh) == ada


def test_everybody_is_logged_out_while_tokens_stay(ada: User) -> None:
    token = tokens.create_token(ada)
    browser = Client()
    browser.force_login(ada)
    head.remember(not_in_the_backup(1))
    call_command("end_credentials", "--keep-tokens", stdout=StringIO())
    assert tokens.user_of_token(token) == ada
    assert browser.get("/api/sessions").status_code == 401
    [entry] = AuditEntry.objects.filter(act="credentials_ended")
    assert (entry.facts["tokens"], entry.facts["log_ins"]) == (0, 1)
    assert head.is_behind()  # the tokens of a backup have still to end


def test_a_command_before_the_start_hides_no_backup(ada: User) -> None:
    record(
        Act.LOG_OUT, who="ada"
    )  # the numbers of PostgreSQL continue behind entries that were rolled back
    head.remember(not_in_the_backup(1_000))
    tokens.create_token(ada)
    assert head.is_behind()


@pytest.mark.parametrize("commands", [1, 2, 30])
def test_as_many_commands_as_acts_were_lost_hide_no_backup(ada: User, commands: int) -> None:
    record(Act.LOG_OUT, who="ada")
    head.remember(not_in_the_backup(1))
    for _ in range(commands):
        tokens.create_token(ada)  # the numbers of SQLite begin again where the backup ends
    assert head.is_behind()
    assert restore.check() is True
    record(Act.LOG_OUT, who="ada")
    assert restore.check() is False


def test_a_head_of_an_older_version_is_read(ada: User, tmp_path) -> None:
    record(Act.LOG_OUT, who="ada")
    (tmp_path / head.FILE).write_text(str(head.newest()))
    assert not head.is_behind()
    (tmp_path / head.FILE).write_text(str(head.newest() + 1))
    assert head.is_behind()


def test_a_folder_that_was_copied_is_a_backup(ada: User, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(head, "COPY_SLACK_S", -1)  # as if the copy were made minutes later
    record(Act.LOG_OUT, who="ada")
    file = tmp_path / head.FILE
    file.chmod(0o640)
    file.chmod(0o600)
    assert not head.is_behind()  # a change of the mode is no copy
    copied = tmp_path / "copied"
    shutil.copy2(file, copied)
    copied.replace(file)
    assert restore.check() is True
    assert restore.check() is False


def test_a_file_system_that_numbers_its_files_again_is_no_backup(ada: User, tmp_path) -> None:
    record(Act.LOG_OUT, who="ada")
    file = tmp_path / head.FILE
    number, moment, inode, written = file.read_text().split()
    file.write_text(f"{number} {moment} {int(inode) + 1} {written}")
    assert not head.is_behind()


def test_a_pruned_trail_is_no_backup(ada: User) -> None:
    record(Act.LOG_OUT, who="ada")
    assert prune(before=timezone.now() + timedelta(days=1)) == AuditEntry.objects.count() - 1 == 0
    assert not head.is_behind()
    seen = (head.data_dir() / head.FILE).read_text()
    record(Act.LOG_OUT, who="ada")
    prune(before=timezone.now() + timedelta(days=1))
    (head.data_dir() / head.FILE).write_text(seen)  # another machine has seen less
    assert not head.is_behind()


def test_an_unreadable_head_stops_no_act(ada: User, settings, tmp_path) -> None:
    (tmp_path / head.FILE).write_text("nonsense")
    assert not head.is_behind()
    settings.DATA_DIR = tmp_path / "nowhere"
    record(Act.LOG_OUT, who="ada")
    assert AuditEntry.objects.filter(act="log_out").exists()


@pytest.mark.parametrize("command", [None, ["login_link"], ["create_token", "ada"]])
def test_a_server_on_a_restored_database_knows_no_revoked_token(make_server, command) -> None:
    server = make_server()
    token = server.manage("create_token", "ada", "--create").splitlines()[-1]
    headers = {"Authorization": f"Bearer {token}"}
    with server.client("bob") as http:
        assert http.get("/api/sessions", headers=headers).status_code == 200
        server.stop()
        database = server.folder / "data" / "backstay.sqlite3"
        backup = server.folder / "backup.sqlite3"
        copy(database, backup)
        number = server.manage("tokens", "--user", "ada").split()[0]
        server.manage("tokens", "--revoke", number)
        copy(backup, database)
        if command:
            server.manage(*command)
        server.start()
        assert http.get("/api/sessions", headers=headers).status_code == 401
        assert "comes from a backup" in server.log()
