"""Each event type has one constructor, which makes payloads that the log takes."""

import ast
import inspect
import types
import typing
from pathlib import Path

import pytest

from sessions.agents import port
from sessions.eventlog import drafts, shapes
from sessions.eventlog.events import PAYLOADS, Draft, EventType, StopReason
from tests.support.payloads import example

APPS = Path(__file__).parents[2]
# `from` is a keyword; `html` and `input` are a block's, the other names differ in their case alone.
RENAMED = {"before": "from", "tool_input": "input"}
VALUES = {str: "text", int: 7, float: 0.5, bool: True, typing.Any: {"key": "value"}}


def constructor(event_type):
    return getattr(drafts, event_type.value)


def field(parameter):
    head, *tail = RENAMED.get(parameter, parameter).split("_")
    return head + "".join(word.capitalize() for word in tail)


def value(kind):
    if isinstance(kind, types.UnionType):
        kind = typing.get_args(kind)[0]
    if typing.get_origin(kind) is typing.Literal:
        return typing.get_args(kind)[0]
    if typing.get_origin(kind) is list:
        [item] = typing.get_args(kind)
        if item in VALUES:
            return [VALUES[item]]
        return [{name: value(each) for name, each in typing.get_type_hints(item).items()}]
    return VALUES[kind] if kind in VALUES else next(iter(kind))


def arguments(event_type, *, optional):
    made = constructor(event_type)
    hints = typing.get_type_hints(made)
    parameters = inspect.signature(made).parameters.values()
    return {
        parameter.name: value(hints[parameter.name])
        for parameter in parameters
        if optional or parameter.default is inspect.Parameter.empty
    }


def fields(event_type, *, required):
    schema = PAYLOADS[event_type]["fields"]
    return {name for name, kind in schema.items() if kind.get("required", True) or not required}


@pytest.mark.parametrize("event_type", EventType)
def test_a_constructor_fills_the_fields_of_its_schema(event_type):
    whole = constructor(event_type)(**arguments(event_type, optional=True))
    assert whole.type is event_type
    assert set(whole.payload) == fields(event_type, required=False)
    assert whole.checked() == whole


@pytest.mark.parametrize("event_type", EventType)
def test_what_a_constructor_may_leave_out_is_not_in_the_payload(event_type):
    least = constructor(event_type)(**arguments(event_type, optional=False))
    assert set(least.payload) == fields(event_type, required=True)
    assert least.checked() == least


@pytest.mark.parametrize("event_type", EventType)
def test_an_example_is_what_the_log_takes(event_type):
    assert Draft(event_type, example(event_type)).checked().payload == example(event_type)


def test_the_types_know_every_field_of_every_schema():
    known = set(typing.get_type_hints(shapes.Payload))
    assert known == {name for schema in PAYLOADS.values() for name in schema["fields"]}


def test_an_agent_may_give_every_reason_but_that_of_the_server():
    ours = {reason.value for reason in StopReason} - {StopReason.SERVER_RESTART.value}
    assert set(typing.get_args(port.StopReason)) == ours


def sources():
    for app in ("sessions", "transport", "lab", "chatproject"):
        yield from (APPS / app).rglob("*.py")


def test_only_the_constructors_put_payloads_together():
    calls = [
        f"{path}:{node.lineno}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Draft"
    ]
    assert {call.rsplit(":", 1)[0] for call in calls} == {
        str(APPS / name)
        # The last one takes odd events from the tests.
        for name in (
            *(f"sessions/eventlog/{name}.py" for name in ("drafts", "shown", "events")),
            "lab/rig/backdoor_calls.py",
        )
    }


def test_sessions_compares_types_of_events_with_the_enum():
    """transport.client and the chaos checker stand alone: they read the wire."""
    written = [
        f"{path}:{node.lineno}"
        for path in (APPS / "sessions").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare | ast.keyword) and "type" in _named(node)
        for constant in ast.walk(node)
        if isinstance(constant, ast.Constant) and constant.value in set(EventType)
    ]
    assert written == []


def _named(node):
    if isinstance(node, ast.keyword):
        return {node.arg}
    return {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)} | {
        part.slice.value
        for part in ast.walk(node)
        if isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Constant)
    }


@pytest.mark.parametrize(
    "draft",
    [
        drafts.error(code="odd", error="x" * 10_000_000),
        drafts.notice(kind="odd", text="x" * 10_000_000),
        drafts.interrupt_failed(code="odd", error="x" * 10_000_000, escalation="kill"),
        drafts.turn_end(turn_id="t", stop_reason=StopReason.ERROR, error="x" * 10_000_000),
    ],
    ids=lambda draft: str(draft.type),
)
def test_a_sentence_of_an_agent_is_cut(draft):
    [told] = [draft.payload[name] for name in ("error", "text") if name in draft.payload]
    assert len(told) == drafts.MAX_SENTENCE_CHARS
    assert told.endswith("x…")
