"""The action of a permission request, as rules see it.

Rules that allow look at the fields of which every part is understood: another field, such as one
that leaves a sandbox, makes the action one that only a person allows. Rules that deny look at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sessions.eventlog.shapes import Permission
from sessions.rules.lexer import Line, argument_line, simple_command
from sessions.text.asking import is_clear

# Deeper and more than any action of a known agent: the rest is not understood.
MAX_STRINGS: Final = 2_000
MAX_PATHS: Final = 200
COMMAND_FIELDS: Final = frozenset({"command", "cmd"})
# Words beside a command that do not change its effect.
BESIDE_COMMAND: Final = frozenset(
    {
        *("description", "explanation", "reason", "title", "content", "paths"),
        *("timeout", "timeout_ms", "timeoutMs"),
        *("run_in_background", "is_background", "background"),
    }
)
FOLDER_FIELDS: Final = frozenset({"cwd", "workdir", "directory", "dir_path"})
PATH_FIELDS: Final = frozenset(
    {
        *("path", "paths", "file_path", "filePath", "filepath", "file", "abs_path"),
        *("notebook_path", "target_file", "changes"),
    }
)
# The new content of a file, and the place in it.
BESIDE_PATHS: Final = frozenset(
    {
        *("title", "content", "description", "edits", "offset", "limit", "line"),
        *("old_string", "new_string", "old_str", "new_str", "oldString", "newString"),
        *("oldText", "newText", "replace_all", "replaceAll", "expected_replacements"),
    }
)
# The fields of one change within `changes` or `edits`, and the kinds that write a file in place.
_OF_A_CHANGE: Final = BESIDE_PATHS | {"path", "type", "kind", "unified_diff"}
_WRITES: Final = frozenset({"add", "create", "edit", "modify", "update"})
FILE_KINDS: Final = frozenset({"read", "edit"})
COMMAND_KIND: Final = "execute"
_PLACE: Final = re.compile(r":\d+$")
_MCP: Final = re.compile(r"mcp__(.+?)__(.+)|mcp\.([^.]+)\.(.+)")


@dataclass(frozen=True, slots=True)
class Action:
    """An action. command, files: the whole of it, where it is a simple command or about files.

    lines: all texts that may be commands. paths: all paths that it tells. folders: the working
    folders that it names. mcp: server/tool.
    """

    tool: str
    kind: str
    is_clear: bool
    command: tuple[str, ...] | None = None
    files: tuple[str, ...] | None = None
    lines: tuple[Line, ...] = ()
    paths: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    mcp: str = ""

    @property
    def runs_commands(self) -> bool:
        """Whether the action is a command, or may be one."""
        return self.kind == COMMAND_KIND or self.command is not None


def action_of(request: Permission) -> Action:
    """Return the action of a request."""
    told, kind = request["input"], request["toolKind"] or ""
    fields = told if isinstance(told, Mapping) else {}
    is_whole = is_clear(told)
    paths = tuple(_paths(request, fields))
    return Action(
        tool=request["toolName"],
        kind=kind,
        is_clear=is_whole,
        command=_command(told, fields)
        if is_whole and kind in (COMMAND_KIND, "other", "")
        else None,
        files=paths if is_whole and _is_about_files(kind, fields, paths) else None,
        lines=tuple(Line.of(text) for text in dict.fromkeys(_lines(request, fields))),
        paths=paths,
        folders=tuple(str(fields[name]) for name in sorted(FOLDER_FIELDS & set(fields))),
        mcp=_mcp(request["toolName"]),
    )


def _command(told: Any, fields: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the words of an action that is one simple command, told by one field."""
    named = COMMAND_FIELDS & set(fields)
    if isinstance(told, Mapping):
        if len(named) != 1 or set(fields) - named - BESIDE_COMMAND - FOLDER_FIELDS:
            return None
        told = fields[next(iter(named))]
    if isinstance(told, list) and all(isinstance(word, str) for word in told):
        told = argument_line(told)
    return simple_command(told) if isinstance(told, str) else None


def _is_about_files(kind: str, fields: Mapping[str, Any], paths: tuple[str, ...]) -> bool:
    is_known = not set(fields) - PATH_FIELDS - BESIDE_PATHS
    is_known = is_known and all(_is_writing(value) for value in fields.values())
    return kind in FILE_KINDS and is_known and 0 < len(paths) <= MAX_PATHS


def _is_writing(value: Any) -> bool:
    """Return whether a field is plain, or tells of changes that write files in place.

    A change may stand under its path. One that deletes or moves a file is for a person.
    """
    if isinstance(value, list):
        return all(_is_writing(item) for item in value)
    if not isinstance(value, Mapping):
        return True
    if set(value) <= _OF_A_CHANGE:
        kinds = [value[name] for name in ("type", "kind") if name in value]
        is_plain = not any(isinstance(item, Mapping | list) for item in value.values())
        return is_plain and all(isinstance(kind, str) and kind in _WRITES for kind in kinds)
    return all(isinstance(item, Mapping) and _is_change(item) for item in value.values())


def _is_change(value: Mapping[str, Any]) -> bool:
    return set(value) <= _OF_A_CHANGE and _is_writing(value)


def _paths(request: Permission, fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield the paths of a request, each once."""
    places = [*request.get("diffs", []), *request.get("locations", [])]
    told = [place["path"] for place in places]
    for name in sorted(PATH_FIELDS & set(fields)):
        found = _names(fields[name])
        told += [_PLACE.sub("", path) for path in found] if name == "paths" else found
    yield from dict.fromkeys(told)


def _names(value: Any) -> list[str]:
    """Return the paths of a field: a text, a list, changes by path or with their path."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [str(value["path"])] if "path" in value else [str(name) for name in value]
    return [path for item in value for path in _names(item)] if isinstance(value, list) else []


def _lines(request: Permission, fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield every text that may be a command; the title, too, of an action that is not clear."""
    told, kind = request["input"], request["toolKind"] or ""
    if kind == COMMAND_KIND or not is_clear(told):
        yield request["title"]
        yield from _strings(told)
        return
    for name in ("command", "cmd", "script", "code", "args", "argv"):
        yield from _strings(fields.get(name))


def _strings(value: Any) -> Iterator[str]:
    """Yield the texts of a value, and those of a list as one line, too."""
    pending, found = [value], 0
    while pending and found < MAX_STRINGS:
        one = pending.pop()
        if isinstance(one, str):
            found += 1
            yield one
        elif isinstance(one, Mapping):
            pending += one.values()
        elif isinstance(one, list):
            yield " ".join(word for word in one if isinstance(word, str))
            pending += one


def _mcp(tool: str) -> str:
    found = _MCP.fullmatch(tool)
    return "/".join(part for part in found.groups() if part) if found else ""
