"""Events as lines for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from sessions.text.asking import EXPIRED, Alarm, inset, lines_of_request, one_line, plan_of
from sessions.text.diff import counts, difference
from sessions.text.output import Output
from transport.terminal.showing.tones import Prose, Toned, quiet

Event = Mapping[str, Any]
# Of one file's change; the page shows all of it.
MAX_ROWS: Final = 400
MAX_PLACES: Final = 20
MAX_RESOURCE_CHARS: Final = 2_000
# So much of a SHA-256 names a file of one chat.
BLOB_CHARS: Final = 12
# Notices about an act of a person or of the server that was expected: the page has the same.
QUIET: Final = frozenset(
    {
        *("rule", "imported", "mcp_servers", "discarded", "staged", "unstaged", "committed"),
        *("worktree_made", "worktree_kept", "worktree_merged", "worktree_discarded", "waiting"),
    }
)


def lines_of(event: Event) -> Iterator[str]:
    """Yield the lines that an event is by itself; none for one that streams, or says nothing."""
    say = _LINES.get(event["type"])
    if say is not None:
        yield from say(event)


def lines_of_all(events: Iterable[Event]) -> Iterator[str]:
    """Yield the lines of a run of events, which may begin in the middle of an answer.

    A block is shown by its end: that has the whole of it, and deltas may be pruned.
    """
    kinds: dict[str, str] = {}
    for event in events:
        if event["type"] == "block_start":
            kinds[event["blockId"]] = event["blockType"]
        if event["type"] == "block_end" and kinds.get(event["blockId"], "text") != "tool_use":
            yield Prose(event["content"])
        yield from lines_of(event)


def request_lines(request: Event) -> Iterator[str]:
    """Yield a permission request with the whole input of its tool."""
    kind, details = request.get("toolKind") or "", request["input"]
    plan = plan_of(kind, details)
    if plan:
        details = {name: value for name, value in details.items() if name != "plan"}
    named = {"tool": request["toolName"], "kind": kind, "title": request["title"]}
    first, *others = lines_of_request(**named, details=details)
    yield Toned("asks", first)
    if plan:
        yield Prose(plan)
    # The plan is the action: no line says that there is none.
    yield from (line for line in others if not (plan and isinstance(line, Alarm)))
    yield from found_lines(request)
    if size := sum(request.get("cut", {}).values()):
        yield Alarm(f"  This is the beginning of {size:,} bytes: :whole shows all of it.")


def diff_lines(event: Event) -> Iterator[str]:
    """Yield the changes of files that a request or a result shows, with signs."""
    for diff in event.get("diffs", ()):
        rows = difference(diff["oldText"], diff["newText"])
        is_new = " (new file)" if diff["oldText"] is None else ""
        yield f"  {one_line(diff['path'])} {counts(rows)}{is_new}"
        yield from (changed_row(row[:1], row[1:]) for row in rows[:MAX_ROWS])
        left_out = max(0, len(rows) - MAX_ROWS)
        if left_out or diff.get("cut"):
            yield f"  … {left_out} lines and {diff.get('cut', 0)} characters are left out"


def changed_row(sign: str, text: str) -> str:
    """Return a line of a diff behind its sign, which tells as much as its colour."""
    tone = {"+": "added", "-": "removed", "@": "quiet"}.get(sign, "")
    return Toned(tone, f"  | {sign}{one_line(text)}")


def attached_lines(prompt: Event) -> Iterator[str]:
    """Yield the files of a prompt, each by its name and size, and the paths that it names."""
    for file in prompt.get("attachments", []):
        name, mime = one_line(file["name"]), one_line(file["mime"])
        yield f"[{name}: {mime}, {file['size']:,} bytes{_save(file['blob'])}]"
    for path in prompt.get("mentions", []):
        yield f"[@{one_line(path)}]"


def found_lines(event: Event) -> Iterator[str]:
    """Yield the things that a result or a request has beside its text."""
    yield from diff_lines(event)
    places = event.get("locations", ())
    for place in places[:MAX_PLACES]:
        line = f":{place['line']}" if place.get("line") else ""
        yield Toned("quiet", f"  at {one_line(place['path'])}{line}")
    if len(places) > MAX_PLACES:
        yield Toned("quiet", f"  … and {len(places) - MAX_PLACES} more places")
    for image in event.get("images", ()):
        yield f"  [image: {one_line(image['mime'])}{_save(image['blob'])}]"
    for each in event.get("resources", ()):
        size = f", {len(each['text']):,} characters" if each.get("text") else ""
        kind = one_line(each["mime"])
        yield f"  [{one_line(each['uri'])}: {kind}{size}{_save(each.get('blob'))}]"
        if each.get("text"):
            yield f"  | {inset(each['text'][:MAX_RESOURCE_CHARS])}"


def _save(blob: str | None) -> str:
    return f", :save {blob[:BLOB_CHARS]} PATH" if blob else ""


def _result(event: Event) -> Iterator[str]:
    status, content = f"[{one_line(event['status'])}]", event.get("content", "")
    yield Output(content, before=f"{status} " if content else status)
    yield from found_lines(event)


def _answered(event: Event) -> Iterator[str]:
    yield f"[{event['action']}, {event['reason']}]"
    for name, value in (event.get("values") or {}).items():
        yield f"  {one_line(name)}: {one_line(str(value))}"


def _block(event: Event) -> Iterator[str]:
    kind = event["blockType"]
    name = one_line(event.get("toolName") or "tool") if kind == "tool_use" else kind
    if event.get("parentToolId"):
        yield Toned("title", f"[of a subagent{'' if kind == 'text' else f': {name}'}]")
    elif kind != "text":
        yield Toned("title" if kind == "tool_use" else "quiet", f"[{name}]")


def _turn_start(event: Event) -> Iterator[str]:
    if event.get("origin") == "agent":
        yield quiet("the agent continues by itself")
    if event.get("retold"):
        yield quiet("the agent is told what was said before")


def _ending(event: Event) -> Iterator[str]:
    reason = event["stopReason"]
    if reason != "end_turn":
        yield f"[{reason}] {inset(event.get('error', ''))}".rstrip()


def _resolution(event: Event) -> Iterator[str]:
    yield f"[{one_line(event['decision'])}, {event['reason']}]"


def _notice(event: Event) -> Iterator[str]:
    is_quiet = event["kind"] in QUIET
    yield quiet(inset(event["text"])) if is_quiet else f"! {inset(event['text'])}"


def _option_changed(event: Event) -> Iterator[str]:
    value = {True: "on", False: "off"}.get(event["value"], event["value"])
    name, by = one_line(event["optionId"]), one_line(event["by"])
    yield quiet(f"{name}: {one_line(str(value))}, by {by}")


def _log_in_changed(event: Event) -> Iterator[str]:
    if not event["needed"]:
        yield quiet("the agent wants no log-in any more")
        return
    ways = ", ".join(map(one_line, event.get("ways", [])))
    yield "! Log-in needed: the agent wants one before it answers."
    if ways:
        yield f"  It offers: {ways}. Staff log in to it on the page of the agents."


def _rewound(event: Event) -> Iterator[str]:
    act = "are shown again" if "undoes" in event else "were taken back"
    yield f"[messages {act} by {one_line(event['by'])}]"


def again_lines(code: str | None) -> Iterator[str]:
    """Yield the command that a notice of this code offers, if it offers one."""
    if code in EXPIRED:
        yield "  :again lets the agent ask again"


def _failure(event: Event) -> Iterator[str]:
    yield f"! {inset(event['error'])}"
    yield from again_lines(event.get("code"))


_LINES: Final[dict[str, Callable[[Event], Iterator[str]]]] = {
    "user_message": lambda e: iter([Toned("person", f"> {e['text']}"), *attached_lines(e)]),
    "prompt_withdrawn": lambda e: iter([f"[taken back by {one_line(e['by'])}]"]),
    "prompt_edited": lambda e: iter([f"[edited by {one_line(e['by'])}] > {e['text']}"]),
    "queue_reordered": lambda e: iter([f"[the queue was moved by {one_line(e['by'])}]"]),
    "restored": lambda e: iter([f"[{inset(e['text'])}]"]),
    "rewound": _rewound,
    "turn_start": _turn_start,
    "block_start": _block,
    "mode_changed": lambda e: iter([quiet(f"mode: {one_line(e['mode'])}, by {one_line(e['by'])}")]),
    "option_changed": _option_changed,
    "log_in_changed": _log_in_changed,
    "title_changed": lambda e: iter([quiet(f"title: {one_line(e['title'])}")]),
    "interrupt_requested": lambda e: iter([quiet(f"{one_line(e['by'])} stops the answer")]),
    "tool_result": _result,
    "question_answered": _answered,
    "request_reminded": lambda e: iter([f"! Still waits for you: {inset(e['title'])}"]),
    "notice": _notice,
    "permission_request": request_lines,
    "permission_resolved": _resolution,
    "turn_end": _ending,
    "error": _failure,
    "interrupt_failed": _failure,
}
