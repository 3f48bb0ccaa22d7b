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


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("sessions/agents/__init__.py", "sessions.models"),
        ("sessions/access/__init__.py", "sessions.reading"),
        ("sessions/web/__init__.py", "transport.models"),
        ("transport/rows/__init__.py", "transport.live"),
        ("transport/models.py", "transport.client"),
        ("transport/client/__init__.py", "sessions.core"),
        ("sessions/core/__init__.py", "lab.chaos"),
        ("chatproject/urls.py", "lab.rig"),
        ("lab/rig/ports.py", "lab.chaos"),
        ("lab/chaos/lines.py", "lab.benchmarks"),
        ("lab/rig/ports.py", "tests.support"),
    ],
)
def test_a_forbidden_import_is_refused(copy: Path, module: str, imported: str) -> None:
    path = copy / module
    before = path.read_text(encoding="utf-8")
    path.write_text(f"{before}\nimport {imported}  # noqa\n", encoding="utf-8")
    try:
        said = refusal(copy)
    finally:
        path.write_text(before, encoding="utf-8")
    name = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    assert f"{name} -> {imported.partition('.')[0]}" in said


@pytest.mark.parametrize("container", ["lab", "sessions", "transport"])
def test_a_package_without_a_place_is_refused(copy: Path, container: str) -> None:
    package = copy / container / "attic"
    package.mkdir()
    (package / "__init__.py").write_text('"""A room that the plan does not know."""\n')
    try:
        said = refusal(copy)
    finally:
        shutil.rmtree(package)
    assert f"{container}.attic" in said
