"""A database of an older version: it starts, is read and grows under today's code."""

import sqlite3
from pathlib import Path

import httpx
import pytest

from tests.support.server import Server, eventually
from tests.support.sse import stream

DUMP = Path(__file__).resolve().parent.parent / "golden" / "older_database.sql"
# Rights that a clerk got under the name that the row of a prompt had.
CLERK = """
INSERT INTO "auth_user" VALUES(3,'!',NULL,0,'clerk','','',1,1,'2026-11-28 17:05:48.089035','');
INSERT INTO "auth_user_user_permissions" ("user_id", "permission_id")
SELECT 3, "id" FROM "auth_permission" WHERE "codename" = 'view_command';
"""
CHAT = "0083c0fa-c3f0-41f8-b935-a1f84d24c66e"
HEAD = 20
ARCHIVED = "aa1196ed-8241-4b29-828d-db12c5b03fc8"


@pytest.fixture
def upgraded(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    database = sqlite3.connect(data / "backstay.sqlite3")
    database.executescript(DUMP.read_text(encoding="utf-8").replace("@DATA_DIR@", str(data)))
    database.executescript(CLERK)
    database.close()
    server = Server(tmp_path)
    try:
        yield server.start()
    finally:
        server.close()


def test_an_older_database_is_migrated_read_and_written(upgraded: Server) -> None:
    assert "0 problems" in upgraded.manage("check_log")
    with upgraded.client("ada") as client:
        [row] = client.get("/api/sessions").json()["sessions"]
        assert (row["sessionId"], row["title"]) == (CHAT, "Kept from before")
        assert row["head"] >= HEAD
        [archived] = client.get("/api/sessions?state=archived").json()["sessions"]
        assert archived["sessionId"] == ARCHIVED
        messages = client.get(f"/api/sessions/{CHAT}/messages").json()["messages"]
        assert [message["role"] for message in messages] == ["user", "assistant"]
        events = client.get(f"/api/sessions/{ARCHIVED}/events").json()["events"]
        assert "permission_resolved" in {event["type"] for event in events}
        assert client.get(f"/api/sessions/{CHAT}/export").status_code == 200
        # The log grows where it ended, and an agent takes the next prompt of the old chat.
        with stream(upgraded.url, upgraded.token("ada"), watch=[f"{CHAT}:{HEAD}"]) as wire:
            body = {"clientMsgId": "next", "sessionId": CHAT, "text": "/slow 2"}
            answer = client.post("/api/chat/send", json=body)
            assert (answer.status_code, answer.json()["seq"] > HEAD) == (202, True)
            assert wire.wait_for_type("turn_end", within_s=60).data["stopReason"] == "end_turn"
        # The receipts of before still count.
        again = {"clientMsgId": "first", "sessionId": None, "agent": "demo", "text": "/slow 3"}
        assert client.post("/api/chat/send", json=again).json()["duplicate"] is True
    eventually(lambda: upgraded.data.call("session", session=CHAT)["runState"] == "idle")
    seqs = [event["seq"] for event in upgraded.data.call("events", session=CHAT)]
    assert seqs == list(range(1, len(seqs) + 1))
    assert "0 problems" in upgraded.manage("check_log")


def test_rights_on_prompts_stay_with_their_owner(upgraded: Server) -> None:
    with httpx.Client(base_url=upgraded.url, cookies=upgraded.login("clerk"), timeout=20) as clerk:
        page = clerk.get("/admin/chat_sessions/prompt/")
        assert (page.status_code, "done" in page.text) == (200, True)
        assert clerk.get("/admin/chat_sessions/session/").status_code == 403


def test_the_stream_of_an_older_database_replays_from_the_first_event(upgraded: Server) -> None:
    with stream(upgraded.url, upgraded.token("ada"), watch=[f"{CHAT}:0"]) as wire:
        wire.wait_for(lambda frame: frame.data.get("seq") == HEAD)
        seqs = [frame.data["seq"] for frame in wire.frames if "seq" in frame.data]
    assert seqs[:HEAD] == list(range(1, HEAD + 1))
