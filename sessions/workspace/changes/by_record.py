"""Changes by the record of the chat's start: alone without git, and beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sessions.workspace.changes import tree
from sessions.workspace.changes.baseline import Baseline, Known
from sessions.workspace.changes.model import MAX_ROWS, Before, Change, nothing, unknown
from sessions.workspace.inside import Inside


def changes_since(start: Baseline, inside: Inside) -> tuple[list[Change], bool]:
    """Return the changes since the start by path, and whether there may be more."""
    now, is_cut = tree.walk(inside)
    reader = tree.Reader(inside)
    rows = _compared(start, now, reader)
    if is_cut:  # a file that was not looked at is not gone
        rows = {path: row for path, row in rows.items() if row.status != "deleted"}
    rows |= {path: Change(path, "new", nothing) for path in _new(start, now)}
    found = _sorted(_with_renames(rows, start, now, reader))
    return found[:MAX_ROWS], is_cut or reader.is_spent or len(found) > MAX_ROWS


def corrected(rows: list[Change], start: Baseline, inside: Inside) -> list[Change]:
    """Return git's changes with files that differed at the start compared with their then."""
    found = {path: tree.facts(inside, path) for path in start.files}
    now = {path: facts for path, facts in found.items() if facts is not None}
    others = {row.path: row for row in rows if row.path not in start.files}
    return _sorted(others | _compared(start, now, tree.Reader(inside)))


def _sorted(rows: Mapping[str, Change]) -> list[Change]:
    return [rows[path] for path in sorted(rows)]


def _new(start: Baseline, now: Mapping[str, tree.Facts]) -> list[str]:
    new = [path for path in now if path not in start.files]
    if not start.is_cut:
        return new
    # A file that was there and not looked at is no new one.
    since = int(start.taken_at.timestamp() * 1e9)
    return [path for path in new if now[path].changed > since]


def _compared(
    start: Baseline, now: Mapping[str, tree.Facts], reader: tree.Reader
) -> dict[str, Change]:
    rows = {}
    for path, known in start.files.items():
        told = now.get(path)
        if told is None and known is not None:
            rows[path] = Change(path, "deleted", _before(known), mode=known.mode)
        elif told is not None and known is None:
            rows[path] = Change(path, "new", nothing)
        elif told is not None and known is not None and _differs(reader, path, told, known):
            rows[path] = Change(path, "modified", _before(known), mode=known.mode)
    return rows


def _before(known: Known) -> Before:
    text = known.text
    return unknown if text is None else lambda: text


def _differs(reader: tree.Reader, path: str, told: tree.Facts, known: Known) -> bool:
    if told.size != known.size:
        return True
    if told.changed == known.changed or reader.is_spent:
        return False
    return not known.digest or reader.digest(path) != known.digest


def _with_renames(
    rows: dict[str, Change],
    start: Baseline,
    now: Mapping[str, tree.Facts],
    reader: tree.Reader,
) -> dict[str, Change]:
    """Return the rows with each pair of a deleted and a new file of one content as one."""
    gone: dict[str, str] = {}
    sizes = set()
    for path, change in rows.items():
        known = start.files.get(path)
        if change.status == "deleted" and known is not None and known.digest and known.size:
            gone[known.digest] = path
            sizes.add(known.size)
    for path in sorted(path for path, row in rows.items() if row.status == "new"):
        if now[path].size not in sizes or reader.is_spent:
            continue
        old = gone.pop(reader.digest(path), None)
        if old is not None:
            was = rows.pop(old)
            rows[path] = replace(was, path=path, status="renamed", old_path=old, added=0, removed=0)
    return rows
