"""The documentation says what the code does: settings, events, errors, commands, links."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import language
from sessions.core import errors
from sessions.core.conf import FOR_OPERATORS, ChatSettings, Setting
from sessions.core.states import TRANSITIONS, SessionState
from sessions.eventlog import events
from transport import errors as transport_errors
from transport.terminal import words as terminal

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted([*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")])
APPS = ("chatproject", "lab", "sessions", "tests", "transport")


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


@pytest.mark.parametrize(
    ("title", "is_for_operators"), [("What an operator sets", True), ("Tuning", False)]
)
def test_the_two_tables_of_settings_are_the_settings(title: str, is_for_operators: bool) -> None:
    table = {
        row[0].strip("`"): row[1].strip("`")
        for row in rows(section(text_of("reference/settings.md"), title))
        if row[0].startswith("`CHAT_")
    }
    settings: dict[str, Setting] = {name: vars(ChatSettings)[name] for name in ChatSettings.names()}
    assert set(settings) >= FOR_OPERATORS
    assert table == {
        f"CHAT_{name}": shown(setting.default)
        for name, setting in settings.items()
        if (name in FOR_OPERATORS) is is_for_operators
    }


def test_an_operator_has_few_settings_to_read() -> None:
    table = section(text_of("reference/settings.md"), "What an operator sets")
    assert len([row for row in rows(table) if row[0].startswith("`")]) <= 20


def test_the_limits_of_the_protocol_have_their_defaults() -> None:
    for names, values, *_ in rows(section(text_of("reference/protocol.md"), "Limits")):
        if not names.isupper():
            continue
        for name, value in zip(names.split(", "), values.split(", "), strict=True):
            assert shown(vars(ChatSettings)[name].default) == value, name


def test_the_table_of_events_is_the_events() -> None:
    table = {row[0]: row[1] for row in rows(section(text_of("reference/events.md"), "Events"))}
    documented: set[str] = set()
    for names, fields in table.items():
        for name in names.split(" / "):
            documented.add(name)
            for field in events.PAYLOADS.get(name, {}).get("fields", {}):
                assert re.search(rf"\b{field}\b", fields), f"{name}: {field}"
    assert documented - {"type", "---"} == set(events.PAYLOADS)


def test_every_stop_reason_and_resolution_is_named() -> None:
    text = text_of("reference/events.md")
    for word in (
        *events.StopReason,
        *events.Resolution,
        *events.BlockType,
        *events.Origin,
        *events.Action,
    ):
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
        for row in rows(text_of("reference/errors.md"))
        for code in re.findall(r"`(\w+)`", row[1])
    }
    assert transport_errors.MethodNotAllowed in set(chat_errors())  # the other apps' errors too
    for kind in chat_errors():
        if kind.code not in INTERNAL:
            assert table.get(kind.code) == str(kind.status), kind.code


def test_the_moves_of_a_session_are_the_moves() -> None:
    page = section(text_of("reference/protocol.md"), "The life of a session")
    text = " ".join(page.split())
    for before, targets in TRANSITIONS.items():
        [listed] = re.findall(rf"\b{before} → ([A-Z, ]+)[;.]", text)
        assert {SessionState(word) for word in listed.split(", ")} == targets
        drawn = re.findall(rf"^ +{before} --> ([A-Z]+)", page, re.MULTILINE)
        assert {SessionState(word) for word in drawn} == targets


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def missing(path: Path, anchor: str) -> bool:
    return not path.exists() or (bool(anchor) and anchor not in anchors(path))


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", text)
    links += re.findall(r'src(?:set)?="([^"]+)()"', text)
    for target, anchor in links:
        there = path.parent / target if target else path
        assert not missing(there, anchor), f"{target}#{anchor}"


def test_every_page_is_reached_from_the_index() -> None:
    index = set(re.findall(r"\]\(([^)#:]+)", text_of("index.md")))
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert pages - index == {"index.md"}


def test_every_picture_is_shown() -> None:
    pictures = {path.name for path in (ROOT / "docs/pictures").iterdir()}
    shown = set(re.findall(r"pictures/([\w-]+\.png)", "".join(map(Path.read_text, DOCS))))
    assert len(pictures) >= 6
    assert shown == pictures


def test_pages_that_the_code_refers_to_exist() -> None:
    sources = [
        path
        for app in APPS
        for kind in ("py", "js")
        for path in (ROOT / app).rglob(f"*.{kind}")
        if "node_modules" not in path.parts  # `make test-agents` installs agents there
    ]
    found = 0
    for path in sources:
        for page, anchor in re.findall(
            r"\b(docs/[\w/-]+\.md)(?:#([\w-]+))?", path.read_text("utf-8")
        ):
            assert not missing(ROOT / page, anchor), f"{path}: {page}#{anchor}"
            found += 1
    assert found


APP_PACKAGES = {
    str(path.parent.relative_to(ROOT))
    for app in ("chatproject", "lab", "sessions", "transport")
    for path in (ROOT / app).rglob("*.py")
}


def test_the_overview_names_every_package_and_no_other() -> None:
    table = section(text_of("design/overview.md"), "The packages")
    named = {row[0].strip("`") for row in rows(table) if row[0].startswith("`")}
    unnamed = {name for name in APP_PACKAGES if name.endswith(("/migrations", "/commands"))}
    assert named == APP_PACKAGES - unnamed


def test_every_management_command_is_documented() -> None:
    page = text_of("reference/manage.md")
    for path in ROOT.glob("*/management/commands/[a-z]*.py"):
        [row] = re.findall(rf"^\| `{path.stem}\b(.*?)` \|", page, re.MULTILINE)
        options = re.findall(r'add_argument\(\s*"(--[a-z-]+)"', path.read_text("utf-8"))
        assert set(options) == set(re.findall(r"--[a-z-]+", row)), path.stem


# Pages on which bold words are words of the page.
QUOTING = [
    *ROOT.glob("docs/guide/*.md"),
    ROOT / "docs/quickstart.md",
    ROOT / "docs/reference/clients.md",
]


def test_bold_words_of_the_guides_stand_on_the_page() -> None:
    places = [*ROOT.glob("templates/**/*.html"), *ROOT.glob("sessions/static/sessions/**/*.js")]
    places.append(ROOT / "sessions/agents/programs/demo.py")
    places.append(ROOT / "sessions/agents/definitions.py")
    words = "".join(path.read_text("utf-8") for path in places)
    quoted = [
        q for page in QUOTING for q in re.findall(r"\*\*([^*]+)\*\*", page.read_text("utf-8"))
    ]
    assert quoted
    assert [q for q in quoted if q not in words] == []


def test_refusals_that_the_guide_quotes_are_the_server_s_words() -> None:
    places = [*ROOT.glob("sessions/workspace/*.py"), ROOT / "sessions/core/errors.py"]
    words = "".join(path.read_text("utf-8") for path in places)
    table = dict(list(rows(text_of("guide/projects.md"))))
    quoted = [sentence for sentence in table if sentence.endswith(".")]
    assert len(quoted) > 2
    assert [sentence for sentence in quoted if sentence not in words] == []


PROSE = sorted(path for path in DOCS if path.name != "CHANGELOG.md")


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_has_short_sections(path: Path) -> None:
    [text] = language.prose(path)
    words = sum(len(line.split()) for line in text.splitlines() if not line.startswith("|"))
    assert words < 180 * (1 + len(re.findall(r"^#+ ", text, re.MULTILINE)))


def test_every_command_of_the_terminal_is_documented() -> None:
    listed = re.findall(r"(?:^| ):(\w+)", terminal.HELP, re.MULTILINE)
    assert len(listed) > 5
    page = text_of("guide/terminal.md")
    assert [command for command in listed if f"| `:{command}" not in page] == []
