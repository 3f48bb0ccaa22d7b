"""The package map: modules per folder, imports between rooms, biggest class and module.

A room is a module or a package directly inside an app: `sessions.models`, `sessions.agents`.

    python -m lab.package_map                    this tree, as the page docs/design/package-map.md
    python -m lab.package_map --before PATH      beside another tree of the project
    python -m lab.package_map --root PATH        another tree alone
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
APPS = ("chatproject", "lab", "sessions", "transport", "benchmarks", "chaos")


@dataclass(frozen=True)
class Module:
    """One file: its dotted name, its lines, its classes by length, the modules it imports."""

    name: str
    lines: int
    classes: dict[str, int]
    imports: frozenset[str]

    @property
    def is_init(self) -> bool:
        """Whether it is the `__init__` of its package."""
        return self.name.endswith(".__init__")


@dataclass
class Package:
    """One folder and its modules."""

    name: str
    modules: list[Module] = field(default_factory=list)

    @property
    def lines(self) -> int:
        """Lines of all modules."""
        return sum(module.lines for module in self.modules)

    @property
    def biggest_module(self) -> tuple[int, str]:
        """Lines and name of the longest module."""
        return max((module.lines, module.name.rpartition(".")[2]) for module in self.modules)

    @property
    def biggest_class(self) -> tuple[int, str]:
        """Lines and name of the longest class; (0, "") without one."""
        classes = ((n, name) for module in self.modules for name, n in module.classes.items())
        return max(classes, default=(0, ""))


def packages(root: Path = ROOT) -> dict[str, Package]:
    """Return the folders with Python modules by dotted name, without tests and migrations."""
    found: dict[str, Package] = {}
    for app in APPS:
        for path in sorted((root / app).rglob("*.py")):
            folder = ".".join(path.parent.relative_to(root).parts)
            if "migrations" not in path.parts and "tests" not in path.parts:
                module = parse(path, root)
                if module.lines:
                    found.setdefault(folder, Package(folder)).modules.append(module)
    return found


def parse(path: Path, root: Path) -> Module:
    """Return the facts of one file."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    classes = {
        node.name: (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    name = ".".join(path.relative_to(root).with_suffix("").parts)
    return Module(name, len(source.splitlines()), classes, frozenset(imported(tree)))


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield the dotted names that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(name: str) -> str:
    """Return the room of a dotted name: its first two parts."""
    return ".".join(name.split(".")[:2])


def imports(found: dict[str, Package]) -> set[tuple[str, str]]:
    """Return the pairs (room, room that it imports from)."""
    known = {module.name for package in found.values() for module in package.modules} | set(found)
    rooms = {room(name) for name in known if "." in name}
    pairs = (
        (room(module.name), room(target))
        for package in found.values()
        for module in package.modules
        for target in module.imports
    )
    return {(a, b) for a, b in pairs if a != b and a in rooms and b in rooms}


def circle(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return a circle of rooms that import one another; empty without one."""
    graph: dict[str, set[str]] = {}
    for source, target in pairs:
        graph.setdefault(source, set()).add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def longest(things: Iterable[tuple[int, str]]) -> str:
    """Return the longest of (lines, name) in words."""
    lines, name = max(things)
    return f"{lines} lines ({name})"


def figures(found: dict[str, Package]) -> dict[str, str]:
    """Return the map's figures by name."""
    pairs = imports(found)
    fullest = max(found.values(), key=lambda package: len(package.modules))
    return {
        "folders": str(len(found)),
        "modules": str(sum(len(package.modules) for package in found.values())),
        "most modules in one folder": f"{len(fullest.modules)} ({fullest.name})",
        "rooms": str(len({name for pair in pairs for name in pair})),
        "imports between rooms": str(len(pairs)),
        "circle of rooms": " → ".join(circle(pairs)) or "none",
        "longest module": longest(p.biggest_module for p in found.values()),
        "longest class": longest(p.biggest_class for p in found.values()),
    }


def summary(trees: dict[str, dict[str, Package]]) -> str:
    """Return the figures of some trees, by the tree's name, as a Markdown table."""
    columns = [figures(found) for found in trees.values()]
    lines = [row(["measure", *trees]), row(["---"] * (1 + len(trees)))]
    lines += [row([name, *(column[name] for column in columns)]) for name in columns[0]]
    return "\n".join(lines)


def row(cells: list[str]) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def table(found: dict[str, Package]) -> str:
    """Return the folders as a Markdown table."""
    lines = [
        "| folder | modules | lines | longest module | longest class |",
        "| --- | --: | --: | --- | --- |",
    ]
    for package in found.values():
        module, kind = package.biggest_module, package.biggest_class
        lines.append(
            f"| `{package.name.replace('.', '/')}` | {len(package.modules)} | {package.lines:,} "
            f"| {module[1]} {module[0]} | {f'{kind[1]} {kind[0]}' if kind[0] else ''} |"
        )
    return "\n".join(lines)


PAGE = """\
# Package map

`python -m lab.package_map` writes this page.
It counts Python alone, without tests and migrations.
A room is a module or a package directly inside an app.

## Figures

{figures}

## Folders

{folders}
"""


def main() -> None:
    """Print the map of a tree."""
    parser = argparse.ArgumentParser(prog="python -m lab.package_map", description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="another tree of the project")
    parser.add_argument("--before", type=Path, help="a tree to compare with")
    options = parser.parse_args()
    found = packages(options.root.resolve())
    trees = {"before": packages(options.before.resolve())} if options.before else {}
    print(PAGE.format(figures=summary({**trees, "now": found}), folders=table(found)), end="")


if __name__ == "__main__":
    main()
