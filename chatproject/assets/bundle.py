"""Modules of the page into two scripts, style sheets into one. Pure but for `read`.

The first script has an entry with all that it imports. Modules that it loads when they are needed,
by `await import("./x.js")`, are the second one, with what they import beside the first.
The modules keep to few forms: named imports, and exports of functions, classes and constants at
their declaration. Each becomes a function of its own; a module stands behind those that it imports.
Exports have short names between the modules: the minifier cannot shorten those.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from posixpath import dirname, join, normpath, relpath
from typing import Final, NamedTuple

# A file's text by its name below the static folders.
Read = Callable[[str], str]

_IMPORT: Final = re.compile(r'^import\s*\{([^}]*)\}\s*from\s*"(\.[^"]+)";\n', re.MULTILINE)
_EXPORT: Final = re.compile(
    r"^export (?=(?:async function|function|class|const) (\w+))", re.MULTILINE
)
_LATER: Final = re.compile(r'\bawait import\("(\.[^"]+)"\)')
_COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
_OTHER_LATER: Final = re.compile(r"(?<!await )\bimport\(.*")
_OTHER_FORM: Final = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
# A browser remembers an address that did not load: the next try takes another one.
_LATER_SCRIPT: Final = """const laterScript = (() => {{
let loading = null, failures = 0;
const load = () => import(`./{name}${{failures ? `?${{failures}}` : ""}}`).catch((error) => {{
failures += 1;
loading = null;
throw error;
}});
return () => (loading ??= load());
}})();
"""
_RENAMED: Final = re.compile(r"\s+as\s+")
_SHEET: Final = re.compile(r'^@import "([^"]+)";\n', re.MULTILINE)


class CannotBundle(ValueError):
    """A module has a form that is unknown here, or imports itself by way of others."""


class Scripts(NamedTuple):
    """The two scripts of an entry; the second is empty where nothing is loaded later."""

    first: str
    later: str


def scripts(entry: str, read: Read) -> Scripts:
    """Return the scripts that a module and its imports come to. Raises CannotBundle."""
    first = _Modules(read)
    first.add(entry)
    later = _Modules(read, first)
    waiting = list(first.loaded_later)
    for name in waiting:
        if name in first.names:
            raise CannotBundle(f"{name} is imported at once and later")
        later.add(name)
        waiting += [found for found in later.loaded_later if found not in waiting]
    if not waiting:
        return Scripts("".join(first.parts), "")
    shared = f"{{ {', '.join(sorted(later.borrowed))} }}"
    modules = ", ".join(f"{first.keys[name]}: {later.exported(name)}" for name in waiting)
    return Scripts(
        "".join(
            (
                _LATER_SCRIPT.format(name=_from(entry, later_name(entry))),
                *first.parts,
                f"export {shared};\n",
            )
        ),
        "".join(
            (
                f'import {shared} from "./{_from(entry, entry)}";\n',
                *later.parts,
                f"export const modules = {{ {modules} }};\n",
            )
        ),
    )


def later_name(entry: str) -> str:
    """Return the name of an entry's second script."""
    return f"{entry.removesuffix('.js')}.later.js"


def sheet(entry: str, read: Read) -> str:
    """Return a style sheet with those that it imports in their place."""
    return _SHEET.sub(lambda found: read(_beside(entry, found.group(1))), read(entry))


class _Modules:
    """The modules of one script so far, each behind those that it imports.

    first: the script whose modules are not repeated here. keys: short names of the modules that are
    loaded later, of both scripts; names: constants by modules; exports: short names by modules and
    names.
    """

    def __init__(self, read: Read, first: _Modules | None = None) -> None:
        self._read = read
        self._first = first
        self.keys: dict[str, str] = first.keys if first else {}
        self._open: set[str] = set()
        self.names: dict[str, str] = {}
        self.exports: dict[str, dict[str, str]] = {}
        self.parts: list[str] = []
        self.borrowed: set[str] = set()
        self.loaded_later: list[str] = []

    def add(self, module: str) -> None:
        """Add a module and what it imports, each once."""
        if module in self.names:
            return
        if self._first is not None and module in self._first.names:
            self.borrowed.add(self._first.names[module])
            return
        if module in self._open:
            raise CannotBundle(f"{module} imports itself by way of others")
        self._open.add(module)
        text = self._read(module)
        for found in _IMPORT.finditer(text):
            self.add(_beside(module, found.group(2)))
        name = self.names[module] = f"{'later' if self._first else 'module'}{len(self.names)}"
        self.parts.append(f"const {name} = (() => {{\n{self._body(module, text)}}})();\n")

    def exported(self, module: str) -> str:
        """Return the exports of a module, by the names that it gives them."""
        name = self.names[module]
        exports = (f"{given}: {name}.{short}" for given, short in self.exports[module].items())
        return f"{{ {', '.join(exports)} }}"

    def _body(self, module: str, text: str) -> str:
        """Return the statements of a module; their result is its exports."""

        def imported(found: re.Match[str]) -> str:
            target = _beside(module, found.group(2))
            holder = self if target in self.names or self._first is None else self._first
            wanted = (_RENAMED.split(name.strip()) for name in found.group(1).split(","))
            try:
                taken = [
                    f"{holder.exports[target][name[0]]}: {name[-1]}" for name in wanted if name[0]
                ]
            except KeyError as exc:
                raise CannotBundle(f"{module}: {target} exports no {exc.args[0]}") from exc
            return f"const {{ {', '.join(taken)} }} = {holder.names[target]};\n"

        def loaded(found: re.Match[str]) -> str:
            target = _beside(module, found.group(1))
            if target not in self.loaded_later:
                self.loaded_later.append(target)
            key = self.keys.setdefault(target, _short(len(self.keys)))
            if self._first is not None:
                return f"await Promise.resolve(modules.{key})"
            return f"await laterScript().then(({{ modules }}) => modules.{key})"

        body = _EXPORT.sub("", _IMPORT.sub(imported, text))
        other = _OTHER_FORM.search(body) or _OTHER_LATER.search(_COMMENT.sub("", body))
        if other:
            raise CannotBundle(f"{module}: {other.group()}")
        body = _LATER.sub(loaded, body)
        names = [found.group(1) for found in _EXPORT.finditer(text)]
        exports = self.exports[module] = {name: _short(i) for i, name in enumerate(names)}
        returned = ", ".join(f"{short}: {name}" for name, short in exports.items())
        return f"{body}\nreturn {{ {returned} }};\n"


def _short(number: int) -> str:
    """Return the number's short name: a to z, then a1 to z1, and so on."""
    turn, letter = divmod(number, 26)
    return chr(ord("a") + letter) + (str(turn) if turn else "")


def _from(entry: str, name: str) -> str:
    """Return the address of a file as the script of the entry names it."""
    return relpath(name, dirname(entry))


def _beside(name: str, address: str) -> str:
    """Return the name of a file that another one names by its relative address."""
    return normpath(join(dirname(name), address))
