"""The files of Claude and Codex: listed fast, read within bounds, whatever lies in them."""

import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User

from lab.rig.waiting import eventually
from sessions.agents import registry
from sessions.agents.chats import claude, codex, found, lines, occupied
from sessions.agents.chats.found import FoundChat
from sessions.agents.port import TextDelta, ThinkingDelta, ToolCall, ToolDone
from sessions.eventlog import snapshot
from sessions.web.workspace import imports_api
from tests.db.scripting import Script
from tests.db.test_api_schemas import check
from tests.db.test_exports import body_of
from tests.support import processor

pytestmark = pytest.mark.django_db(transaction=True)

OLD = 1_700_000_000


class Home:
    """The home folder of a person who uses Claude and Codex in a terminal."""

    def __init__(self, path: Path) -> None:
        self.claude, self.codex = path / "claude", path / "codex"
        self.folder = path / "work"
        self.folder.mkdir()

    @property
    def project(self) -> Path:
        made = (
            self.claude
            / "projects"
            / "".join(c if c.isascii() and c.isalnum() else "-" for c in str(self.folder))
        )
        made.mkdir(parents=True, exist_ok=True)
        return made

    def claude_chat(self, *told: dict | bytes, name: str = "", changed: float = OLD) -> Path:
        path = self.project / f"{name or uuid4()}.jsonl"
        facts = {"cwd": str(self.folder), "isSidechain": False}
        parts = [t if isinstance(t, bytes) else json.dumps(facts | t).encode() for t in told]
        path.write_bytes(b"\n".join(parts) + b"\n")
        os.utime(path, (changed, changed))
        return path

    def codex_chat(self, *told: dict, day: str = "2026/01/02", **meta: object) -> Path:
        folder = self.codex / "sessions" / day
        folder.mkdir(parents=True, exist_ok=True)
        name = str(uuid4())
        path = folder / f"rollout-2026-01-02T03-04-05-{name}.jsonl"
        head = {"type": "session_meta", "payload": {"id": name, "cwd": str(self.folder), **meta}}
        items = [{"type": "response_item", "payload": one} for one in told]
        path.write_text("".join(f"{json.dumps(line)}\n" for line in [head, *items]))
        os.utime(path, (OLD, OLD))
        return path


def user(text: object, **more: object) -> dict:
    return {"type": "user", "message": {"role": "user", "content": text}, **more}


def assistant(*blocks: dict) -> dict:
    return {"type": "assistant", "message": {"role": "assistant", "content": list(blocks)}}


def said(text: str, role: str = "user") -> dict:
    kind = "input_text" if role == "user" else "output_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


@pytest.fixture
def home(tmp_path, monkeypatch, settings) -> Home:
    home = Home(tmp_path)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(home.claude))
    monkeypatch.setenv("CODEX_HOME", str(home.codex))
    # Neither agent is installed: their files are all that there is.
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    settings.CHAT = {"WORKSPACE_ROOTS": str(home.folder)}
    return home


def titles(files: found.ChatFiles, home: Home) -> list[str]:
    return [chat.title for chat in files.listed(str(home.folder))]


def test_chats_of_claude_have_their_best_title_and_no_subagents(home) -> None:
    mend = user("Mend the roof")
    home.claude_chat(user("<command-name>/clear</command-name>"), mend, changed=OLD + 1)
    home.claude_chat(mend, {"type": "summary", "summary": "Roofs"}, changed=OLD + 2)
    named = {"type": "custom-title", "customTitle": "My roof"}
    home.claude_chat(mend, {"type": "ai-title", "aiTitle": "AI"}, named, changed=OLD + 3)
    home.claude_chat(user("Work of a subagent", isSidechain=True))
    home.claude_chat(user([{"type": "text", "text": "In\nparts"}]))
    home.claude_chat(user("Elsewhere", cwd="/etc"))
    home.claude_chat({"type": "file-history-snapshot"})
    home.claude_chat(mend, name="agent-1234")
    assert titles(claude.FILES, home) == ["My roof", "Roofs", "Mend the roof", "In parts"]


def test_chats_of_codex_are_found_by_their_first_words(home) -> None:
    context = said("<environment_context>\n…")
    home.codex_chat(context, said("Paint the door"))
    home.codex_chat(said("Of a subagent"), source={"subagent": "review"})
    home.codex_chat(said("Elsewhere"), cwd="/etc")
    home.codex_chat()
    assert titles(codex.FILES, home) == ["Paint the door"]


def test_what_claude_wrote_becomes_turns(home) -> None:
    path = home.claude_chat(
        user("Look"),
        assistant({"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "I look."}),
        assistant({"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}),
        user([{"type": "tool_result", "tool_use_id": "t1", "content": "a\nb", "is_error": True}]),
        user("A subagent's prompt", isSidechain=True),
        # Beside the transcript: requests to the model, reminders, summaries.
        {"type": "api-request-blob", "message": user("Secret of the program")["message"]},
        {"type": "attachment", "message": assistant({"type": "text", "text": "No"})["message"]},
        user([{"type": "text", "text": "<system-reminder>"}], isMeta=True),
        user([{"type": "text", "text": "<system-reminder> once more"}]),
        user("What was said before", isCompactSummary=True),
        user("And?"),
    )
    [first, second] = claude.FILES.read(path).turns
    assert (first.prompt, second.prompt, second.said) == ("Look", "And?", [])
    assert first.said == [
        ThinkingDelta("Hm"),
        TextDelta("I look.\n\n"),
        ToolCall("t1", "Bash", "other", "Bash", {"command": "ls"}),
        ToolDone("t1", "failed", "a\nb"),
    ]


def test_what_codex_wrote_becomes_turns(home) -> None:
    call = {"type": "function_call", "name": "shell", "call_id": "c", "arguments": '{"a": 1}'}
    path = home.codex_chat(
        said("<environment_context>"),
        said("Look"),
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]},
        call,
        {"type": "function_call_output", "call_id": "c", "output": "done"},
        said("I looked.", "assistant"),
    )
    [turn] = codex.FILES.read(path).turns
    assert turn.prompt == "Look"
    assert turn.said == [
        ThinkingDelta("Hm"),
        ToolCall("c", "shell", "other", "shell", {"a": 1}),
        ToolDone("c", "completed", "done"),
        TextDelta("I looked.\n\n"),
    ]


def test_hostile_files_cost_themselves_alone(home, tmp_path) -> None:
    good = user("Good")
    deep = b'{"a":' * 100_000
    broken = [b"{", b"\xff\xfe{}", b"[1]", b"null", deep, b'{"type":"user","message":"\xc3"}']
    home.claude_chat(*broken, good, changed=OLD + 1)
    home.claude_chat(*broken)
    huge = home.claude_chat(user("Begins well"), changed=OLD + 2)
    with huge.open("ab") as file:
        file.truncate(2**30)  # one line of a gigabyte, of holes
    os.utime(huge, (OLD + 2, OLD + 2))
    secret = tmp_path / "secret.jsonl"
    secret.write_text(json.dumps(user("Secret", cwd=str(home.folder))))
    (home.project / f"{uuid4()}.jsonl").symlink_to(secret)
    os.mkfifo(home.project / f"{uuid4()}.jsonl")
    (home.project / f"{uuid4()}.jsonl").mkdir()
    closed = home.claude_chat(good)
    closed.chmod(0)
    listed = titles(claude.FILES, home)
    assert listed[:2] == ["Begins well", "Good"]
    assert "Secret" not in listed
    assert claude.FILES.read(huge).turns == []
    for path in home.project.iterdir():
        if path != huge and path.name.startswith(tuple("0123456789abcdef")):
            claude.FILES.read(path)


def test_a_folder_that_is_a_link_is_not_entered(home, tmp_path) -> None:
    real = home.claude_chat(user("Good")).parent
    moved = tmp_path / "moved"
    real.rename(moved)
    (home.codex / "sessions").mkdir(parents=True)
    (home.codex / "sessions" / "2026").symlink_to(moved)
    assert titles(codex.FILES, home) == []
    assert claude.FILES.place("../../x", str(home.folder)) is None
    assert codex.FILES.place("../../x", str(home.folder)) is None


def test_a_long_past_keeps_its_newest_turns(home, monkeypatch) -> None:
    monkeypatch.setattr(found, "MAX_PAST_CHARS", 2_500)
    path = home.claude_chat(*(user(f"{number} " + "x" * 1_000) for number in range(5)))
    past = claude.FILES.read(path)
    assert [turn.prompt[:2] for turn in past.turns] == ["3 ", "4 "]
    assert past.left_out == 3


def test_two_thousand_chats_are_listed_within_a_second(home) -> None:
    block = {"type": "text", "text": "word " * 200}
    lines_of_one = [user("Mend the roof"), *(assistant(block) for _ in range(60))]
    for number in range(2_000):
        home.claude_chat(*lines_of_one, changed=OLD + number)
    chats = claude.FILES.listed(str(home.folder))
    list_all = partial(claude.FILES.listed, str(home.folder))
    spent = [processor.seconds(list_all, time.process_time) for _ in range(3)]
    assert len(chats) == 2_000
    assert [chat.changed_at for chat in chats[:2]] == [OLD + 1_999, OLD + 1_998]
    assert min(spent) < 1.0, spent


def test_no_more_of_a_file_is_read_than_its_ends(home) -> None:
    path = home.claude_chat(user("Mend"), b"{" + b"x" * 10_000_000, user("The last words"))
    ends = lines.ends(path)
    read = sum(map(len, [*ends.head, *ends.tail]))
    assert read <= lines.HEAD_BYTES + lines.TAIL_BYTES
    assert b"The last words" in ends.tail[-2]


# --- A terminal that has a chat open ------------------------------------------------------------


def test_a_chat_is_open_while_a_program_of_the_agent_is_older_than_its_change(home) -> None:
    name = "backstay-odd-program"
    script = home.folder / name
    script.write_text("import time\ntime.sleep(60)\n")
    program = subprocess.Popen([sys.executable, str(script)], cwd=home.folder)
    ours = subprocess.Popen(
        [sys.executable, str(script)], cwd=home.folder, env=os.environ | {"BACKSTAY_SESSION": "x"}
    )
    try:
        running = eventually(lambda: occupied.running({name}))
        [there] = running
        assert there.cwd == str(home.folder)

        def is_open(changed: float, cwd: str = str(home.folder), ours_at: float = 0.0) -> bool:
            one = FoundChat("a", cwd, changed_at=changed)
            return occupied.is_open(one, running, ours_at=ours_at, now=there.began_at + 1_000)

        assert is_open(there.began_at + 1)
        assert not is_open(there.began_at - 1)  # it has written nothing since
        assert not is_open(there.began_at + 1, cwd="/etc")
        named = occupied.Program((name, "--resume", "a"), "/elsewhere", 0.0)
        one = FoundChat("a", "/etc", changed_at=OLD)
        assert occupied.is_open(one, [named], ours_at=0, now=OLD + 1_000)
    finally:
        for process in (program, ours):
            process.kill()
            process.wait()
    assert occupied.running({name}) == []


@pytest.mark.parametrize(
    ("changed", "ours_at", "is_open"),
    [(-30, 0, True), (-90, 0, False), (-30, -35, False), (-5, -35, True)],
)
def test_a_change_of_the_last_minute_is_a_terminals_unless_it_is_ours(
    changed, ours_at, is_open
) -> None:
    now = 1_800_000_000.0
    one = FoundChat("a", "/w", changed_at=now + changed)
    at = now + ours_at if ours_at else 0.0
    assert occupied.is_open(one, [], ours_at=at, now=now) is is_open


# --- The routes ---------------------------------------------------------------------------------


def chats(script: Script, home: Home, agent: str = "claude", **query: object):
    return script.get(f"/api/agents/{agent}/sessions", cwd=str(home.folder), **query)


def take(script: Script, home: Home, name: str, agent: str = "claude"):
    body = {"agent": agent, "agentSessionId": name, "cwd": str(home.folder)}
    return script.client.post(
        "/api/sessions/import", body, headers=script.headers, content_type="application/json"
    )


def test_the_files_are_the_list_of_an_agent_that_cannot_start(home, ada) -> None:
    for number in range(3):
        home.claude_chat(user(f"Number {number}"), changed=OLD + number)
    page = chats(ada, home, limit=2).json()
    check(imports_api.ChatPage, page)
    assert [row["title"] for row in page["sessions"]] == ["Number 2", "Number 1"]
    assert (page["hasMore"], page["whyNot"]) == (True, None)
    assert page["sessions"][0]["updatedAt"] == "2023-11-14T22:13:22.000Z"
    rest = chats(ada, home, limit=2, offset=2).json()
    assert [row["title"] for row in rest["sessions"]] == ["Number 0"]
    assert rest["hasMore"] is False


def test_an_import_from_a_file_is_drawn_and_warns_of_the_agents_memory(home, ada) -> None:
    path = home.claude_chat(
        user("Mend the roof"), assistant({"type": "text", "text": "Done, with *nails*."})
    )
    made = take(ada, home, path.stem)
    assert made.status_code == 201, made.content
    check(imports_api.Imported, made.json())
    assert made.json()["readOnly"] is False
    session_id = made.json()["sessionId"]
    prompt, answer, *notices = snapshot.take(UUID(session_id))["messages"]
    assert (prompt["text"], answer["blocks"][0]["content"]) == (
        "Mend the roof",
        "Done, with *nails*.\n\n",
    )
    assert [notice["code"] for notice in notices] == ["imported", "memory_lost"]
    again = take(ada, home, path.stem)
    assert (again.status_code, again.json()["sessionId"]) == (200, session_id)
    [row] = chats(ada, home).json()["sessions"]
    assert row["sessionId"] == session_id
    back = ada.json(f"/api/sessions/{session_id}/terminal")
    check(imports_api.InTerminal, back)
    assert back["command"] == f"cd {home.folder} && claude --resume {path.stem}"
    assert (back["warning"], back["isOpen"]) == (None, False)
    exported = body_of(ada.get(f"/api/sessions/{session_id}/export"))
    assert "## You · imported\n\nMend the roof\n" in exported
    assert ada.json("/api/sessions", q="nails")["sessions"][0]["sessionId"] == session_id


def test_a_chat_that_is_written_now_is_read_from_its_file(home, ada) -> None:
    path = home.claude_chat(user("Mend the roof"), changed=time.time())
    made = take(ada, home, path.stem).json()
    assert made["readOnly"] is True
    sent = ada.client.post(
        "/api/chat/send",
        {"sessionId": made["sessionId"], "clientMsgId": "m", "text": "go on"},
        headers=ada.headers,
        content_type="application/json",
    )
    assert (sent.status_code, sent.json()["code"]) == (409, "open_elsewhere")
    os.utime(path, (OLD, OLD))


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"cwd": ""}, 400, "invalid_request"),
        ({"cwd": "/etc"}, 400, "folder_refused"),
        ({"cwd": "\0"}, 400, "folder_refused"),
        ({"limit": 0}, 400, "invalid_request"),
        ({"limit": 10**9}, 400, "invalid_request"),
        ({"offset": -1}, 400, "invalid_request"),
    ],
)
def test_wrong_requests_are_refused_with_a_sentence(home, ada, query, status, code) -> None:
    answer = (
        chats(ada, home, **query)
        if "cwd" not in query
        else ada.get("/api/agents/claude/sessions", **query)
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_unknown_agents_chats_and_people_are_refused(home, ada) -> None:
    path = home.claude_chat(user("Mend the roof"))
    assert chats(ada, home, "nobody").json()["code"] == "unknown_agent"
    assert take(ada, home, str(uuid4())).json()["code"] == "unknown_chat"
    assert take(ada, home, "../../etc/passwd").json()["code"] == "unknown_chat"
    assert take(ada, home, path.stem, "demo").json()["code"] == "unknown_chat"
    demo = chats(ada, home, "demo").json()
    assert (demo["sessions"], demo["whyNot"]) == (
        [],
        "Demo agent (no AI) does not list its chats.",
    )
    other = Script(User.objects.create_user("bob"))
    for answer in (chats(other, home), take(other, home, path.stem)):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_an_agent_of_another_system_user_has_no_files_here(home, ada, settings) -> None:
    home.claude_chat(user("Mend the roof"))
    settings.CHAT |= {"AGENT_USER": "nobody"}
    page = chats(ada, home).json()
    assert page["sessions"] == []
    assert "claude-agent-acp is not on the PATH" in page["whyNot"]


def test_the_commands_that_continue_name_the_chat() -> None:
    for name in ("claude", "claude-sdk", "codex", "opencode", "gemini", "qwen"):
        *_, last = registry.find(name).in_terminal("an id")
        assert last == "an id"
    assert registry.find("demo").in_terminal("an id") == ()


def test_the_agent_of_the_sdk_takes_claudes_chats_from_its_files(home, ada) -> None:
    path = home.claude_chat(user("Mend the roof"), assistant({"type": "text", "text": "Done."}))
    made = take(ada, home, path.stem, "claude-sdk")
    assert made.status_code == 201, made.content
    messages = snapshot.take(UUID(made.json()["sessionId"]))["messages"]
    # It resumes the chat: nothing is forgotten.
    assert [message.get("code") for message in messages] == [None, None, "imported"]
