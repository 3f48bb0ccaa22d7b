"""The lock files: everything pinned with hashes, no index named, each holding the one before."""

import itertools
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ["requirements.lock", "requirements-test.lock", "requirements-agents.lock"]


def pins(name: str) -> set[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in lines if re.match(r"[a-z0-9]", line)}


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_pinned_with_a_hash(name: str) -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / name).read_text(encoding="utf-8").strip())
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("name", LOCKS)
def test_no_index_is_named(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"://|index|find-links|file:", text)


@pytest.mark.parametrize(("smaller", "larger"), list(itertools.pairwise(LOCKS)))
def test_a_larger_lock_has_the_same_pins_and_more(smaller: str, larger: str) -> None:
    assert pins(smaller) < pins(larger)


def test_only_the_agents_lock_carries_the_large_agent() -> None:
    assert not any(pin.startswith("claude-agent-sdk==") for pin in pins("requirements-test.lock"))
    assert any(pin.startswith("claude-agent-sdk==") for pin in pins("requirements-agents.lock"))


def test_the_agents_of_npm_are_pinned_and_name_no_registry() -> None:
    folder = ROOT / "tests/agents/npm"
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))["dependencies"]
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))
    packages = {path: entry for path, entry in lock["packages"].items() if path}
    assert [path for path, entry in packages.items() if "resolved" in entry] == []
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    # What is for other systems alone may lack a hash: not every registry has it.
    assert [
        path
        for path, entry in packages.items()
        if "integrity" not in entry and not (entry.get("optional") and "os" in entry)
    ] == []
