"""Plain English, measured: words that make sentences hard to read, per 1,000 words.

python -m lab.language                  a table of docs, docstrings and comments
python -m lab.language --rooms          the docstrings, folder by folder
python -m lab.language --show PATH …    the lines with such words below a path
"""

from __future__ import annotations

import argparse
import ast
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
APPS = ("sessions", "transport", "chatproject", "lab")
# The actor is the subject: these words hide it.
PRONOUNS = re.compile(r"\b(?:what|who|whoever|somebody|nobody|anybody)\b", re.IGNORECASE)
IDIOMS = re.compile(r"\b(?:anew|for good|is told|given up|goes on)\b", re.IGNORECASE)
WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
CODE = re.compile(r"```.*?```|<!--.*?-->", re.DOTALL)
JS_COMMENT = re.compile(r"/\*.*?\*/|(?<![:\"'`])//[^\n]*", re.DOTALL)


@dataclass(frozen=True)
class Count:
    """Words of some text, and how many of them are hard to read."""

    words: int = 0
    pronouns: int = 0
    idioms: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(
            self.words + other.words, self.pronouns + other.pronouns, self.idioms + other.idioms
        )

    @property
    def pronouns_per_1000(self) -> float:
        """Share of hidden actors."""
        return 1000 * self.pronouns / max(1, self.words)

    @property
    def idioms_per_1000(self) -> float:
        """Share of idioms with a plainer word."""
        return 1000 * self.idioms / max(1, self.words)


def count(texts: Iterable[str]) -> Count:
    """Return the count over some texts."""
    total = Count()
    for text in texts:
        total += Count(
            len(WORD.findall(text)), len(PRONOUNS.findall(text)), len(IDIOMS.findall(text))
        )
    return total


def pages(root: Path = ROOT) -> Iterator[Path]:
    """Yield the Markdown files for people: the docs and the pages at the top."""
    yield from sorted(root.glob("*.md"))
    yield from sorted((root / "docs").rglob("*.md"))


def modules(root: Path = ROOT, *, suffix: str = ".py") -> Iterator[Path]:
    """Yield the modules of the apps and of the laboratory, without migrations."""
    for app in APPS:
        for path in sorted((root / app).rglob(f"*{suffix}")):
            if "migrations" not in path.parts:
                yield path


def prose(path: Path) -> Iterator[str]:
    """Yield the text of a page without its code."""
    yield CODE.sub("", path.read_text(encoding="utf-8"))


def docstrings(path: Path) -> Iterator[str]:
    """Yield the docstrings of a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def comments(path: Path) -> Iterator[str]:
    """Yield the comments of a Python module."""
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.string


def js_comments(path: Path) -> Iterator[str]:
    """Yield the comments of a JavaScript module."""
    yield from JS_COMMENT.findall(path.read_text(encoding="utf-8"))


Reader = Callable[[Path], Iterator[str]]


def kinds(root: Path = ROOT) -> dict[str, tuple[list[Path], Reader]]:
    """Return the kinds of text that the project has, each with its files and its reader."""
    python = list(modules(root))
    return {
        "docs": (list(pages(root)), prose),
        "docstrings": (python, docstrings),
        "comments": (python, comments),
        "JavaScript comments": (list(modules(root, suffix=".js")), js_comments),
    }


def measure(kind: str, *, root: Path = ROOT) -> Count:
    """Return the count of one kind of text."""
    files, read = kinds(root)[kind]
    return count(text for path in files for text in read(path))


def table(rows: Iterable[tuple[str, Count]]) -> str:
    """Return counts as a Markdown table."""
    head = [
        "| text | words | what, who … per 1,000 | idioms per 1,000 |",
        "| --- | --: | --: | --: |",
    ]
    lines = (
        f"| {name} | {c.words:,} | {c.pronouns_per_1000:.1f} | {c.idioms_per_1000:.1f} |"
        for name, c in rows
    )
    return "\n".join([*head, *lines])


def rooms(root: Path = ROOT) -> Iterator[tuple[str, Count]]:
    """Yield the docstrings' count of each folder."""
    python = list(modules(root))
    for folder in dict.fromkeys(path.parent for path in python):
        files = [path for path in python if path.parent == folder]
        texts = (text for path in files for text in docstrings(path))
        yield folder.relative_to(root).as_posix(), count(texts)


def shown(root: Path, below: Path) -> Iterator[str]:
    """Yield each line with such a word, in any kind of text below a path."""
    for files, read in kinds(root).values():
        for path in files:
            if path == below or below in path.parents:
                for line in "\n".join(read(path)).splitlines():
                    if PRONOUNS.search(line) or IDIOMS.search(line):
                        yield f"{path.relative_to(root)}: {line.strip()}"


def main() -> None:
    """Print the requested tables or lines."""
    parser = argparse.ArgumentParser(prog="python -m lab.language", description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="another tree of the project")
    parser.add_argument("--rooms", action="store_true", help="docstrings, folder by folder")
    parser.add_argument("--show", type=Path, nargs="+", default=[], help="lines below these paths")
    options = parser.parse_args()
    root = options.root.resolve()
    for path in options.show:
        print("\n".join(shown(root, path.resolve())))
    if options.rooms:
        print(table(rooms(root)))
    elif not options.show:
        print(table((kind, measure(kind, root=root)) for kind in kinds(root)))


if __name__ == "__main__":
    main()
