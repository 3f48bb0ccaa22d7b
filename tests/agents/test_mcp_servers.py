"""MCP servers: tried for real before they are added, sealed, given to agents that take them."""

import json
import shlex
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from lab.rig.origin_key import HEADERS
from sessions.access import tokens
from sessions.access.tokens import Wanted
from sessions.account_models import Project
from sessions.agent_models import McpServer
from sessions.control import settings as changes
from sessions.core.db import in_thread
from sessions.mcp import rows
from sessions.mcp.address import resolved
from sessions.mcp.refusals import ServerFailed
from sessions.mcp.rows import Wanted as NewServer
from sessions.models import Session
from tests.agents.test_odd_tools import playing
from tests.support.browsing import bind_key

pytestmark = pytest.mark.django_db(transaction=True)

SMALL = [sys.executable, str(Path(__file__).with_name("mcp_server.py"))]


class Answers(BaseHTTPRequestHandler):
    """An MCP server over http: its first answer is JSON, the next one a stream of events."""

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["X-Key"] != "right":
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if message["method"] == "initialize":
            self.answer({"protocolVersion": "2025-06-18", "serverInfo": {}}, message["id"])
        elif "id" not in message:
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.headers["Mcp-Session-Id"] == "s1":
            self.answer({"tools": [{"name": "a"}]}, message["id"], is_stream=True)

    def answer(self, result: dict, number: int, *, is_stream: bool = False) -> None:
        told = json.dumps({"jsonrpc": "2.0", "id": number, "result": result})
        body = (f": hello\ndata: {told}\n\n" if is_stream else told).encode()
        self.send_response(200)
        self.send_header("Mcp-Session-Id", "s1")
        kind = "text/event-stream" if is_stream else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/mcp"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def script(user: User, scope: str = "admin") -> Client:
    token = tokens.create_token(user, wanted=Wanted(scope=scope))
    return Client(headers={"Authorization": f"Bearer {token}"})


# JSON that no parser follows to its end.
DEEP = "print('[' * 100_000, flush=True); input()"


def add(client: Client, **body: object):
    return client.post("/api/mcp-servers", body, content_type="application/json")


@pytest.fixture
def ada(settings, tmp_path) -> User:
    settings.DATA_DIR = tmp_path / "data"
    return User.objects.create_user("ada", is_staff=True)


def test_a_server_over_http_is_tried_added_and_tells_no_secret(ada: User) -> None:
    client = script(ada)
    with served() as url:
        body = {"name": "one", "kind": "http", "url": url}
        refused = add(client, **body, secrets={"X-Key": "wrong"})
        assert (refused.status_code, refused.json()["code"]) == (400, "server_failed")
        assert "401" in refused.json()["error"]
        made = add(client, **body, secrets={"X-Key": "right"})
    assert made.status_code == 201, made.content
    server = made.json()["server"]
    assert (server["tools"], server["secrets"]) == (1, ["X-Key"])
    told = client.get("/api/mcp-servers").json()
    assert told == {"servers": [server], "mayRun": True}
    assert "right" not in json.dumps(told)
    [row] = McpServer.objects.all()
    assert "right" not in str(vars(row))
    session = Session(owner=ada)
    assert rows.of_session(session)[0].secrets == {"X-Key": "right"}
    again = add(client, **body, secrets={"X-Key": "right"})
    assert again.json()["fields"] == {"name": "There is a server of this name already."}
    other = script(User.objects.create_user("bob"))
    assert other.get("/api/mcp-servers").json() == {"servers": [], "mayRun": False}
    assert other.delete(f"/api/mcp-servers/{server['id']}").json()["code"] == "unknown_server"
    assert client.delete(f"/api/mcp-servers/{server['id']}").json() == {"ok": True}
    assert rows.of_session(session) == []


def test_a_command_is_tried_and_for_staff_alone(ada: User) -> None:
    body = {"name": "small", "kind": "stdio", "command": SMALL[0], "args": SMALL[1:]}
    client = script(ada)
    refused = add(client, **body, secrets={"MCP_SECRET": "wrong"})
    assert "no access" in refused.json()["error"]
    made = add(client, **body, secrets={"MCP_SECRET": "right"})
    assert (made.status_code, made.json()["server"]["tools"]) == (201, 2)
    gone = add(client, name="gone", kind="stdio", command="no-such-program")
    assert gone.json()["code"] == "server_failed"
    deep = add(client, name="deep", kind="stdio", command=SMALL[0], args=["-c", DEEP])
    assert deep.json()["error"] == "Its answer is not one of an MCP server."
    silent = add(client, name="ends", kind="stdio", command=SMALL[0], args=["-c", "1/0"])
    assert "ZeroDivisionError" in silent.json()["error"]
    bob = script(User.objects.create_user("bob"))
    assert add(bob, **body).json()["code"] == "commands_for_staff"
    assert add(script(ada, "chat"), **body).json()["code"] == "scope_missing"
    User.objects.filter(pk=ada.pk).update(is_staff=False)
    ada.refresh_from_db()
    assert rows.of_session(Session(owner=ada)) == []


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"url": "ftp://example.org"}, "invalid_request"),
        ({"url": "https://u:p@example.org"}, "invalid_request"),
        ({"name": "a b"}, "invalid_request"),
        ({"secrets": {"X-Key": "a\r\nB: c"}}, "invalid_request"),
        ({"secrets": {"X Key": "a"}}, "invalid_request"),
        ({"projectId": "00000000-0000-4000-8000-000000000000"}, "unknown_project"),
        ({"url": "http://127.0.0.1:1/"}, "server_failed"),
        ({"url": "http://169.254.169.254/latest"}, "server_failed"),
        ({"url": "http://nowhere.invalid/"}, "server_failed"),
        ({"url": "http://[::1"}, "invalid_request"),
        ({"url": "http://example.org:99999/"}, "invalid_request"),
        ({"url": "http://example.org/a b"}, "invalid_request"),
        ({"url": "http://[64:ff9b::a9fe:a9fe]/"}, "server_failed"),
    ],
)
def test_other_servers_are_refused(settings, changed: dict, code: str) -> None:
    client = script(User.objects.create_user("bob"))
    body = {"name": "one", "kind": "http", "url": "https://example.org/mcp"} | changed
    assert add(client, **body).json()["code"] == code
    assert McpServer.objects.count() == 0


@pytest.mark.parametrize(
    "place",
    [
        *("0.0.0.0", "[::]", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]"),
        *("[fd00:ec2::254]", "100.100.100.200", "224.0.0.1"),
    ],
)
async def test_services_of_the_machine_are_closed_to_staff_too(place: str, settings) -> None:
    with pytest.raises(ServerFailed, match="closed to MCP servers"):
        await resolved(f"http://{place}:{settings.PORT}/mcp", is_staff=True)


async def test_the_servers_own_port_is_closed_in_every_spelling(settings) -> None:
    for place in ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "127.1"):
        with pytest.raises(ServerFailed, match="closed to MCP servers"):
            await resolved(f"http://{place}:{settings.PORT}/mcp", is_staff=True)
        told, *_ = await resolved(f"http://{place}:{settings.PORT + 1}/mcp", is_staff=True)
        assert told.endswith(f":{settings.PORT + 1}/mcp")


@pytest.mark.parametrize("by_http", [False, True])
async def test_agents_get_the_servers_that_they_take_and_the_chat_lists_them(
    settings, tmp_path, *, by_http: bool
) -> None:
    kind = "TellsItsServersByHttp" if by_http else "TellsItsServers"
    async with playing(settings, tmp_path, kind) as play:
        owner = play.chat.user
        owner.is_staff = True
        await in_thread(owner.save)
        project = await in_thread(Project.objects.create, owner=owner, folder="/p", name="p")
        pipe = NewServer("pipe", "stdio", "run", ("x",), "", {"A": "b"})
        web = NewServer("web", "http", url="https://example.org/", secrets={"X-Key": "k"})
        elsewhere = NewServer("elsewhere", "stdio", "run", project_id=project.pk)
        for wanted in (pipe, web, elsewhere):
            await in_thread(rows.make, owner, wanted, tools=1)
        for _ in range(2):  # a new session, then one that is resumed
            await play.turn({"any": "thing"})
            taken = await play.chat.snapshot(play.session_id)
            given = json.loads(taken["messages"][-1]["blocks"][-1]["content"])
            expected = {"name": "pipe", "command": "run", "args": ["x"]}
            assert given[0] == expected | {"env": [{"name": "A", "value": "b"}]}
            assert [server["name"] for server in given] == ["pipe", *["web"] * by_http]
            await in_thread(changes.close, user=owner, session_id=play.session_id)
            await play.chat.until(play.session_id, lambda s: s["state"] == "ENDED")
        events = await play.chat.events(play.session_id)
        told = [e.payload["text"] for e in events if e.payload.get("kind") == "mcp_servers"]
        left = "" if by_http else " Not taken by this agent: web."
        names = "pipe, web" if by_http else "pipe"
        assert told == [f"MCP servers of this chat: {names}.{left}"] * 2
        assert "X-Key" not in str([e.payload for e in events if not e.type.startswith("block_")])


def test_the_page_adds_lists_and_removes(ada: User, client: Client) -> None:
    client.force_login(ada)
    bind_key(client)
    key = {"origin_key": HEADERS["X-Origin-Key"]}
    form = {"name": "small", "kind": "stdio", "target": shlex.join(SMALL)}
    path = "/account/mcp-servers/"
    refused = client.post(f"{path}add/", form | {"secrets": "MCP_SECRET=<b>wrong"} | key)
    page = refused.content.decode()
    assert "no access" in page
    assert "wrong" not in page
    added = client.post(f"{path}add/", form | {"secrets": " MCP_SECRET = right \n\n"} | key)
    assert added["Location"] == path
    page = client.get(path).content.decode()
    assert "2 tools" in page
    assert "right" not in page.split("add-title")[0]
    for odd in ({"target": "'"}, {"project": "x"}, {"kind": ""}, {"name": ""}):
        assert 'role="alert"' in client.post(f"{path}add/", form | odd | key).content.decode()
    [row] = McpServer.objects.all()
    client.post(f"{path}remove/", {"server": row.pk} | key)
    assert McpServer.objects.count() == 0
