"""Rules that no linter knows: one reader of the environment, one reader of the chat's settings."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import language, package_map

ROOT = Path(__file__).resolve().parents[2]
APPS = ("chatproject", "sessions", "transport")
ENVIRONMENT_READERS = {
    # NO_COLOR and TERM are of the terminal that it draws on.
    "transport/management/commands/chat.py",
    "chatproject/env.py",
    # Sets the name of the settings module, as every Django project does.
    "chatproject/asgi.py",
    # Hands variables on to agents, obeys none.
    "sessions/agents/processes/environment.py",
    # Processes of their own, which have no settings.
    "sessions/agents/programs/stdio.py",
    "sessions/agents/processes/launcher/main.py",
}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


# Every one is a sign that a class or a module has more than one idea.
MOST_LINES_OF_A_CLASS = 200
MOST_LINES_OF_A_MODULE = 450
MOST_MODULES_OF_A_FOLDER = 13


def attributes(tree: ast.Module) -> set[str]:
    return {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def test_only_settings_read_the_environment() -> None:
    readers = {name for name, tree in sources() if attributes(tree) & {"os.environ", "os.environb"}}
    assert readers <= ENVIRONMENT_READERS
    assert not {name for name, tree in sources() if "os.getenv" in attributes(tree)}


def test_only_conf_modules_read_the_limits_of_the_chat() -> None:
    readers = {name for name, tree in sources() if "settings.CHAT" in attributes(tree)}
    assert {Path(name).name for name in readers} <= {"conf.py"}


def test_row_locks_leave_the_key_to_foreign_keys() -> None:
    """PostgreSQL checks foreign keys at the commit; a lock of the key makes two such deadlock."""
    calls = [
        (name, ast.unparse(node))
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".select_for_update")
    ]
    assert calls
    assert [call for call in calls if "no_key=True" not in call[1]] == []


def test_no_wait_swallows_a_cancel() -> None:
    # Python 3.11's wait_for drops a cancel that comes in the moment when its wait is over: a loop
    # then runs on for ever. asyncio.timeout() does not.
    assert not {name for name, tree in sources() if "asyncio.wait_for" in attributes(tree)}


def test_no_wait_needs_a_page_that_evaluates_text() -> None:
    """The policy of our pages forbids it; the first look alone would pass."""
    tests = (ROOT / "tests/browser").glob("*.py")
    assert [p.name for p in tests if ".wait_for_function(" in p.read_text("utf-8")] == []


def test_no_class_module_or_folder_has_grown_beyond_one_idea() -> None:
    """`python -m lab.package_map` shows the size of each folder."""
    folders = package_map.packages().values()
    modules = [module for folder in folders for module in folder.modules]
    assert len(folders) > 40
    assert {
        f"{module.name}.{name}": lines
        for module in modules
        for name, lines in module.classes.items()
        if lines > MOST_LINES_OF_A_CLASS
    } == {}
    long = {m.name: m.lines for m in modules if m.lines > MOST_LINES_OF_A_MODULE}
    assert long == {}
    counts = {folder.name: len([m for m in folder.modules if not m.is_init]) for folder in folders}
    assert {n: count for n, count in counts.items() if count > MOST_MODULES_OF_A_FOLDER} == {}


def test_the_docs_name_the_actor() -> None:
    """`python -m lab.language --show docs` lists the lines with what, who, nobody …"""
    assert language.measure("docs").pronouns_per_1000 < 2


def test_docstrings_name_the_actor() -> None:
    """`python -m lab.language --show sessions transport chatproject lab` lists the lines."""
    assert language.measure("docstrings").pronouns_per_1000 < 3


@pytest.mark.parametrize("kind", ["comments", "JavaScript comments"])
def test_comments_name_the_actor(kind: str) -> None:
    assert language.measure(kind).pronouns_per_1000 < 4


def test_each_test_of_a_real_agent_is_run() -> None:
    """`make test` leaves them out, so `make test-agents` has to name their files."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [named] = re.findall(r"^WITH_AGENTS = (.+)$", makefile, re.MULTILINE)
    run = {path for pattern in named.split() for path in ROOT.glob(pattern)}
    marked = {
        path
        for path in (ROOT / "tests/agents").glob("test_*.py")
        if attributes(tree := ast.parse(path.read_text(encoding="utf-8"))) & {"pytest.mark.agents"}
        or "from tests.agents.cases import" in ast.unparse(tree)
    }
    assert len(marked) >= 5
    assert marked <= run
