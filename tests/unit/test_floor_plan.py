"""The floor plan refuses each import that it forbids, and each package without a place."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("chatproject", "lab", "sessions", "transport")
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("floor_plan")
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("static", "__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def refusal(copy: Path) -> str:
    """Return what the linter says about the copy, empty when it finds nothing."""
    done = subprocess.run(
        [sys.executable, "-c", LINT],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout if done.returncode else ""


def test_the_tree_itself_is_in_order(copy: Path) -> None:
    assert refusal(copy) == ""


# At least one of each contract, and of each floor.
FORBIDDEN = [
    # The apps stand on one another.
    ("sessions/web/__init__.py", "transport.models"),
    ("sessions/core/__init__.py", "lab.chaos"),
    ("transport/frames.py", "chatproject.env"),
    ("chatproject/urls.py", "lab.rig"),
    # Rooms of sessions, floor by floor.
    ("sessions/core/states.py", "sessions.text.markdown"),
    ("sessions/text/__init__.py", "sessions.workspace"),
    ("sessions/agents/__init__.py", "sessions.models"),
    ("sessions/models.py", "sessions.eventlog.store"),
    ("sessions/eventlog/__init__.py", "sessions.control"),
    ("sessions/access/__init__.py", "sessions.reading"),
    ("sessions/reading/__init__.py", "sessions.control"),
    ("sessions/control/__init__.py", "sessions.runner"),
    ("sessions/web/__init__.py", "sessions.admin"),
    ("sessions/runner/__init__.py", "sessions.web"),
    ("sessions/admin/__init__.py", "sessions.management"),
    # Agents know no database, by whatever way.
    ("sessions/agents/port.py", "sessions.control"),
    # Rooms of the runner and of the ACP adapter.
    ("sessions/runner/leasing/fairness.py", "sessions.runner.agent"),
    ("sessions/runner/turns/stop.py", "sessions.runner.live_session"),
    ("sessions/agents/acp/translation/cost.py", "sessions.agents.acp.turn"),
    ("sessions/agents/acp/pipe/noise.py", "sessions.agents.acp.translation"),
    # Rooms of transport, floor by floor.
    ("transport/errors.py", "transport.frames"),
    ("transport/frames.py", "transport.asgi"),
    ("transport/models.py", "transport.client"),
    ("transport/rows/__init__.py", "transport.live"),
    ("transport/live/__init__.py", "transport.terminal"),
    ("transport/feed/__init__.py", "transport.sync"),
    ("transport/commands_api.py", "transport.background"),
    # The client stands alone.
    ("transport/client/__init__.py", "sessions.core"),
    ("transport/client/clock.py", "django.utils.timezone"),
    # Rooms of the laboratory and of the fault suite.
    ("lab/rig/ports.py", "lab.chaos"),
    ("lab/chaos/crowd.py", "lab.benchmarks"),
    ("lab/chaos/evidence.py", "lab.chaos.folding"),
    ("lab/chaos/people/port.py", "lab.chaos.verdict"),
    # The code stands without the tests.
    ("lab/rig/ports.py", "tests.support"),
]


@pytest.mark.parametrize(("module", "imported"), FORBIDDEN)
def test_a_forbidden_import_is_refused(copy: Path, module: str, imported: str) -> None:
    path = copy / module
    before = path.read_text(encoding="utf-8")
    path.write_text(f"{before}\nimport {imported}  # noqa\n", encoding="utf-8")
    try:
        said = refusal(copy)
    finally:
        path.write_text(before, encoding="utf-8")
    name = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    root = imported.partition(".")[0]
    assert f"{name} -> {imported if root in PACKAGES else root}" in said


@pytest.mark.parametrize(
    "container",
    ["lab", "lab.chaos", "sessions", "sessions.agents.acp", "sessions.runner", "transport"],
)
def test_a_package_without_a_place_is_refused(copy: Path, container: str) -> None:
    package = copy / container.replace(".", "/") / "attic"
    package.mkdir()
    (package / "__init__.py").write_text('"""A room that the plan does not know."""\n')
    try:
        said = refusal(copy)
    finally:
        shutil.rmtree(package)
    assert f"{container}.attic" in said
