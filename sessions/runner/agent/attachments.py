"""Changes, places and files of a tool call → the lists of its events. Pure."""

from __future__ import annotations

from sessions.agents.content import Shown
from sessions.agents.port import ToolDone
from sessions.eventlog import drafts
from sessions.eventlog.events import Draft
from sessions.eventlog.shapes import Diff, Image, Location, Resource


def result(message_id: str, done: ToolDone, took_ms: int | None = None) -> Draft:
    """Return the event of a call's end."""
    return drafts.tool_result(
        message_id=message_id,
        tool_id=done.tool_id,
        status=done.status,
        content=done.content,
        took_ms=took_ms,
        diffs=diffs(done.shown),
        locations=locations(done.shown),
        images=images(done.shown),
        resources=resources(done.shown),
    )


def diffs(shown: Shown) -> list[Diff]:
    """Return the changes of files."""
    told = []
    for diff in shown.diffs:
        fields: Diff = {"path": diff.path, "oldText": diff.old, "newText": diff.new}
        if diff.cut:
            fields["cut"] = diff.cut
        told.append(fields)
    return told


def locations(shown: Shown) -> list[Location]:
    """Return the places that the call names."""
    return [
        {"path": place.path} if place.line is None else {"path": place.path, "line": place.line}
        for place in shown.locations
    ]


def images(shown: Shown) -> list[Image]:
    """Return the images, each by the name of its bytes."""
    return [{"blob": image.content.blob, "mime": image.mime} for image in shown.images]


def resources(shown: Shown) -> list[Resource]:
    """Return the files, each with its text or the name of its bytes."""
    told = []
    for resource in shown.resources:
        fields: Resource = {"uri": resource.uri, "mime": resource.mime}
        if resource.text is not None:
            fields["text"] = resource.text
        if resource.content is not None:
            fields["blob"] = resource.content.blob
        if resource.cut:
            fields["cut"] = resource.cut
        told.append(fields)
    return told
