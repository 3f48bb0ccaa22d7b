"""Texts and messages of a hostile agent, made at random from fixed seeds.

Every case can be run again by its number: the seed decides everything.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import asdict, fields
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any, get_args
from urllib.parse import urlsplit

import pytest

from sessions.agents import port
from sessions.agents.acp.conversation import Conversation
from sessions.agents.acp.pipe.mailbox import Mailbox
from sessions.agents.acp.pipe.wire import AcpTransport
from sessions.text.growing import render
from sessions.text.markdown import ATTRIBUTES, TAGS

# Together they stay below the time that a fuzzer has in the suite.
BUDGET_S = 10.0

# --- Markdown ---

PIECES = [
    *"<>&\"'`*_~[]()!#|\\:-+.@/=?{}$^ \n\t\r\f\v",
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "javascript:alert(1)"),
    *("<svg/onload=alert(1)>", "<a href='javascript:1'>x</a>", "data:text/html,<b>", "<!--", "-->"),
    *(
        "[x](javascript:1)",
        "[x](//evil)",
        "[x](/relative)",
        "![x](http://e/x.png)",
        "[a]: http://b",
    ),
    *(
        "&#106;avascript:",
        "&lt;script&gt;",
        "&Tab;",
        "&colon;",
        "%6a%61",
        "\u0000",
        "\u202e",
        "\ufeff",
    ),
    *("```js\n", "```\n", "~~~", "    ", "> ", "1. ", "- ", "| a | b |\n|---|---|\n", "***", "___"),
    *("\ud800", "\udfff", "👩‍👩‍👧", "é", "中文", "http://e.x/?a=b&c=d", "<http://x.y>", "www.x.y"),
    *(
        "<a href=http://x onclick=1>",
        "]]>",
        "<![CDATA[",
        "<?php",
        "</p></div>",
        "<style>*{}</style>",
    ),
]


class Reader(HTMLParser):
    """Notes whatever a browser would find in the HTML that is not allowed."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            allowed = ATTRIBUTES.get(tag, set()) | ({"rel", "target"} if tag == "a" else set())
            if name not in allowed:
                self.found.append(f"{tag} {name}={value}")
            if name == "href" and urlsplit(value or "").scheme not in {"http", "https", "mailto"}:
                self.found.append(f"{tag} {name}={value}")

    def handle_comment(self, data: str) -> None:
        self.found.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.found.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        self.found.append(f"<?{data}>")


@pytest.mark.parametrize("seed", range(4))
def test_no_markdown_becomes_more_than_the_allowed_html(seed: int) -> None:
    chance = random.Random(seed)
    end = time.monotonic() + BUDGET_S / 4
    for case in range(1500):
        if time.monotonic() > end and case >= 100:
            break
        text = "".join(chance.choices(PIECES, k=chance.randint(1, 60)))
        html = render(text)
        html.encode()
        reader = Reader()
        reader.feed(html)
        reader.close()
        assert not reader.found, (seed, case, text, reader.found)


# --- messages of the Agent Client Protocol ---

JUNK: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**53, -(2**63), 2**70, 1.5, 1e308, "", "x", "\u0000", "\ud800"),
    *("a" * 3000, [], {}, [[]], {"": None}, ["x"] * 50, {"type": "text"}, {"text": 7}, "end_turn"),
    *({"sessionUpdate": "tool_call"}, {"__proto__": {"x": 1}}, "../../etc/passwd", "\u202etxt"),
]
SESSION = "s1"


def valid(chance: random.Random) -> dict[str, Any]:
    """Return a message that an agent may well send."""
    call = {"toolCallId": f"c{chance.randint(0, 3)}", "title": "t", "kind": "execute"}
    call |= {"status": chance.choice(["pending", "in_progress", "completed", "failed"])}
    call |= {"rawInput": {"command": ["ls", "-l"]}, "locations": [{"path": "/x", "line": 1}]}
    text = {"type": "text", "text": chance.choice(["hello", "\ud83d", "\udc69", "", "wörld"])}
    diff = {"type": "diff", "path": "/x", "oldText": None, "newText": "y"}
    content = [{"type": "content", "content": text}, diff]
    plan = [{"content": "step", "priority": "high", "status": "pending"}]
    option = {"optionId": "o1", "name": "Allow", "kind": "allow_once"}
    updates: list[dict[str, Any]] = [
        {"sessionUpdate": "agent_message_chunk", "content": text, "messageId": "m1"},
        {"sessionUpdate": "agent_thought_chunk", "content": text},
        {"sessionUpdate": "user_message_chunk", "content": text},
        {"sessionUpdate": "tool_call", **call},
        {"sessionUpdate": "tool_call_update", **call, "content": content},
        {"sessionUpdate": "plan", "entries": plan},
        {"sessionUpdate": "usage_update", "used": 1, "size": 2, "cost": {"amount": 0.1}},
        {"sessionUpdate": "current_mode_update", "currentModeId": "auto"},
        {"sessionUpdate": "session_info_update", "title": "a title"},
        {"sessionUpdate": "available_commands_update", "availableCommands": [{"name": "x"}]},
        {"sessionUpdate": "config_option_update", "configOptions": []},
    ]
    update = {"sessionId": SESSION, "update": chance.choice(updates)}
    asking = {"sessionId": SESSION, "toolCall": call, "options": [option, dict(option)]}
    return chance.choice(
        [
            {"jsonrpc": "2.0", "method": "session/update", "params": update},
            {"jsonrpc": "2.0", "method": "session/update", "params": update},
            {"jsonrpc": "2.0", "method": "session/update", "params": update},
            {"jsonrpc": "2.0", "id": 99, "method": "session/request_permission", "params": asking},
            {"jsonrpc": "2.0", "id": 5, "result": {"x": 1}},
            {"jsonrpc": "2.0", "error": {"code": -32603, "message": "m", "data": {"details": "d"}}},
        ]
    )


def broken(chance: random.Random, value: Any) -> Any:
    """Return a value with some of its parts replaced, left out or doubled."""
    if chance.random() < 0.06:
        return chance.choice(JUNK)
    if isinstance(value, dict):
        kept = {key: broken(chance, part) for key, part in value.items() if chance.random() > 0.04}
        return kept | ({"unknown": chance.choice(JUNK)} if chance.random() < 0.1 else {})
    if isinstance(value, list):
        return [broken(chance, part) for part in value] * chance.choice([1, 1, 1, 2])
    return value


class Pipes:
    """The pipes of a process: what it says is given, what it hears is dropped."""

    def __init__(self) -> None:
        self.pid = 0
        self.stdout = asyncio.StreamReader()

        async def drain() -> None:
            return None

        self.stdin = SimpleNamespace(write=lambda _data: None, drain=drain)


async def heard(messages: list[Any]) -> list[port.Update]:
    """Return the updates of one turn in which an agent says these messages, then its end."""
    mailbox, pipes = Mailbox(max_items=100_000, max_text_bytes=10**9), Pipes()
    said = Conversation("The agent", mailbox)
    transport = AcpTransport(pipes, said)
    said.attach(transport)
    said.session_id = SESSION
    await said.begin()
    await transport.send({"id": 1, "method": "session/prompt"})
    end = {"jsonrpc": "2.0", "id": 1, "result": {"stopReason": "end_turn"}}
    for message in (*messages, end):
        pipes.stdout.feed_data(json.dumps(message).encode() + b"\n")
    pipes.stdout.feed_eof()
    while await transport.receive() is not None:
        pass
    if said.turn is not None:
        # An agent that says nonsense has broken off; its process's end ends the turn.
        assert transport.broken
        await said.finish(port.TurnDone("error", transport.broken))
    await transport.close()
    await mailbox.close()
    return [update async for update in mailbox.updates()]


KINDS = get_args(port.Update)


@pytest.mark.parametrize("seed", range(4))
async def test_no_message_of_an_agent_hinders_the_end_of_its_turn(seed: int) -> None:
    chance = random.Random(seed)
    end = time.monotonic() + BUDGET_S / 4
    for case in range(300):
        if time.monotonic() > end and case >= 20:
            break
        messages = [broken(chance, valid(chance)) for _ in range(chance.randint(1, 25))]
        updates = await heard([m for m in messages if not is_end(m)])
        assert [type(u) for u in updates].count(port.TurnDone) == 1, (seed, case)
        assert isinstance(updates[-1], port.TurnDone)
        for update in updates:
            check(update, (seed, case, messages))


def is_end(message: Any) -> bool:
    """Return whether a message would be the answer to the prompt."""
    return isinstance(message, dict) and "method" not in message and message.get("id") == 1


def check(update: port.Update, case: object) -> None:
    """Assert the promise of the port: known kinds, texts that can be stored, and plain JSON."""
    assert isinstance(update, KINDS), case
    told = json.dumps(asdict(update), ensure_ascii=False, allow_nan=False)
    assert "\x00" not in told, case
    assert "\\u0000" not in told, case
    told.encode()
    if isinstance(update, port.PermissionAsked):
        assert {option.kind for option in update.options} & {"reject_once", "reject_always"}, case
        ids = [option.id for option in update.options]
        assert len(set(ids)) == len(ids), case
    for field in fields(update):
        if field.type == "str":
            assert isinstance(getattr(update, field.name), str), case
