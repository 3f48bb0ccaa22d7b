"""The documentation says what the code does: settings, events, errors, commands, links."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sessions.core import errors
from sessions.core.conf import ChatSettings, Setting
from sessions.core.states import TRANSITIONS, SessionState
from sessions.eventlog import events
from transport.live import app as transport_views

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted(ROOT.glob("docs/*.md"))


def text_of(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def rows(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]


def section(text: str, title: str) -> str:
    return text.split(f"## {title}", 1)[1].split("\n## ", 1)[0]


def shown(default: object) -> str:
    if isinstance(default, float):
        return f"{default:g}"
    return str(default) or "none"


def test_the_table_of_settings_is_the_settings() -> None:
    table = {
        row[0].strip("`"): row[1].strip("`")
        for row in rows(section(text_of("settings.md"), "The chat"))
        if row[0].startswith("`CHAT_")
    }
    settings = {name: vars(ChatSettings)[name] for name in ChatSettings.names()}
    assert all(isinstance(setting, Setting) for setting in settings.values())
    assert table == {f"CHAT_{name}": shown(s.default) for name, s in settings.items()}


def test_the_limits_of_the_protocol_have_their_defaults() -> None:
    for names, values, *_ in rows(section(text_of("protocol.md"), "3. Limits")):
        if not names.isupper():
            continue
        for name, value in zip(names.split(", "), values.split(", "), strict=True):
            assert shown(vars(ChatSettings)[name].default) == value, name


def test_the_table_of_events_is_the_events() -> None:
    table = {row[0]: row[1] for row in rows(section(text_of("protocol.md"), "8. Events"))}
    documented: set[str] = set()
    for names, fields in table.items():
        for name in names.split(" / "):
            documented.add(name)
            for field in events.PAYLOADS.get(name, {}).get("fields", {}):
                assert re.search(rf"\b{field}\b", fields), f"{name}: {field}"
    assert documented - {"type", "---"} == set(events.PAYLOADS)


def test_every_stop_reason_and_resolution_is_named() -> None:
    text = section(text_of("protocol.md"), "8. Events")
    for word in (*events.STOP_REASONS, *events.RESOLUTIONS, *events.BLOCK_TYPES):
        assert f"`{word}`" in text


# Never sent to a client: raised between a runner and the log, or at the start.
INTERNAL = {"lease_lost", "append_only", "invalid_setting", "error", "not_waiting"}


def chat_errors(base: type[errors.ChatError] = errors.ChatError) -> Iterator[type]:
    yield base
    for kind in base.__subclasses__():
        yield from chat_errors(kind)


def test_the_table_of_errors_is_the_errors() -> None:
    table = {
        code: row[0]
        for row in rows(section(text_of("protocol.md"), "5. Logging in, and errors"))
        for code in re.findall(r"`(\w+)`", row[1])
    }
    assert transport_views.MethodNotAllowed in set(chat_errors())  # the other apps' errors too
    for kind in chat_errors():
        if kind.code not in INTERNAL:
            assert table.get(kind.code) == str(kind.status), kind.code


def test_the_moves_of_a_session_are_the_moves() -> None:
    text = " ".join(section(text_of("protocol.md"), "4. The life of a session").split())
    for before, targets in TRANSITIONS.items():
        [listed] = re.findall(rf"\b{before} → ([A-Z, ]+)[;.]", text)
        assert {SessionState(word) for word in listed.split(", ")} == targets


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def test_sections_that_the_code_refers_to_exist() -> None:
    numbered = {
        int(number) for number in re.findall(r"^## (\d+)\.", text_of("protocol.md"), re.MULTILINE)
    }
    for app in ("sessions", "transport", "chatproject"):
        for path in (ROOT / app).rglob("*.py"):
            source = path.read_text(encoding="utf-8")
            ast.parse(source)
            for number in re.findall(r"docs/protocol\.md, (?:section )?(\d+)", source):
                assert int(number) in numbered, path
