"""Long texts on the wire: bounded, honest about their sizes, and the same after folding (I12)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from sessions.eventlog import fold
from sessions.eventlog.bounded import cut
from sessions.eventlog.folding import parts

LIMIT = 100
ODD = 'ä€😀\x01\n"\\'
TEXTS = st.text(alphabet=st.sampled_from("ab" + ODD), max_size=150)


def envelope(kind, **fields):
    return {"v": 1, "type": kind, "sessionId": "s", "seq": 1, "ts": "t", **fields}


def block(number=1, **fields):
    empty = {
        "blockId": f"m.{number}",
        "blockType": "tool_use",
        "content": "",
        "html": None,
        "toolName": "run",
        "toolId": f"t{number}",
        "toolKind": None,
        "input": None,
        "status": None,
        "result": None,
        "done": True,
    }
    return {**empty, **fields}


def answer(*blocks):
    head = {"messageId": "m", "role": "assistant", "seq": 3, "ts": "t", "turnId": "t"}
    return {**head, "blocks": list(blocks)}


@given(text=TEXTS, limit=st.integers(0, 300))
def test_a_beginning_fits_and_wastes_little(text, limit):
    piece = cut.beginning(text, limit)
    assert text.startswith(piece)
    assert not piece or len(to_json(piece)) <= limit
    if len(to_json(text)) <= limit:
        assert piece == text
    elif limit >= 20:
        assert len(to_json(piece)) >= limit // 4


@pytest.mark.parametrize("field", ["text", "delta", "content", "title", "error"])
def test_a_long_text_of_an_event_is_cut_and_its_size_told_in_bytes(field):
    whole = envelope("odd", **{field: "ä" * 400, "code": "x"})
    short = cut.event(whole, LIMIT)
    assert whole[field] == "ä" * 400
    assert short["cut"] == {field: 800}
    assert short[field]
    assert whole[field].startswith(short[field])
    assert len(to_json(short[field])) <= LIMIT
    assert {**short, field: ""} == {**whole, field: "", "cut": {field: 800}}


def test_half_a_rendered_text_is_none_and_an_input_shows_its_beginning():
    data = {"command": "x" * 400}
    whole = envelope("block_end", blockId="b", content="c", html="<p>" * 200, input=data)
    short = cut.event(whole, LIMIT)
    assert (short["content"], short["html"]) == ("c", None)
    assert list(short["input"]) == ["truncated"]
    assert json.dumps(data, separators=(",", ":")).startswith(short["input"]["truncated"])
    assert short["cut"] == {"html": 600, "input": len(to_json(data))}


def test_a_short_event_stays_as_it_is():
    short = envelope("block_delta", delta="a" * 50)
    assert cut.event(short, LIMIT) is short


def test_a_long_request_and_a_long_question_are_cut_and_folded_with_their_marks():
    given = {"command": "x" * 4000}
    diff = {"path": "a", "oldText": None, "newText": "n" * 4000}
    request = {**asked("p"), "type": "permission_request", "input": given, "diffs": [diff]}
    short = cut.event(request, LIMIT)
    assert short["cut"] == {"input": len(to_json(given)), "diffs": len(to_json([diff]))}
    assert (list(short["input"]), short["diffs"]) == (["truncated"], [])
    form = {"type": "object", "properties": {"a": {"title": "t" * 4000}}}
    question = {"questionId": "q", "title": "t", "schema": form, "expiresAt": "e"}
    state = fold.fold_all(
        fold.empty("s"), [short, cut.event(envelope("question_asked", **question), LIMIT)]
    )
    [permission], [told] = state["permissions"], state["questions"]
    assert permission == cut.permissions([parts.new_permission(request)], LIMIT, 10**6)[0]
    assert (told["schema"], told["cut"]) == ({}, {"schema": len(to_json(form))})


def asked(name, **fields):
    told = {"permId": name, "toolName": "run", "title": "t", "options": [], "expiresAt": "e"}
    return envelope("odd", **told, **fields)


def test_of_many_long_requests_the_oldest_are_whole_and_all_take_about_their_room():
    one = {"command": "x" * 20_000}
    whole = [parts.new_permission(asked(f"p{n}", input=one)) for n in range(64)]
    short = cut.permissions(whole, 10**6, 100_000)
    assert short[:4] == whole[:4]
    assert [each["permId"] for each in short] == [f"p{n}" for n in range(64)]
    assert all(each["cut"] == {"input": len(to_json(one))} for each in short[5:])
    assert len(to_json(short)) < 100_000 + 64 * 1000


def test_names_and_labels_of_hostile_requests_count_and_every_answer_stays():
    """An agent has 64 requests open at most; JSON takes six bytes for a control character."""
    long, most = "\x01" * 300, 250_000
    options = [{"id": f"{n}~" + "é" * 31, "kind": "allow_once", "label": long} for n in range(20)]
    names = {"title": long, "toolName": long, "options": options, "input": {"a": long}}
    whole = [parts.new_permission(asked(f"p{n}") | names) for n in range(64)]
    assert len(to_json(whole)) > 2_600_000
    short = cut.permissions(whole, 10**6, most)
    assert short[0] == whole[0]
    assert len(to_json(short)) < most + 64
    last = short[-1]
    assert last["cut"] == {name: len(to_json(options)) for name in ("options",)} | {
        "title": 300,
        "toolName": 300,
        "input": len(to_json({"a": long})),
    }
    assert [one["id"] for one in last["options"]] == [one["id"] for one in options]
    assert {one["label"] for one in last["options"]} == {"\x01" * 2}


def test_long_questions_count_with_their_texts():
    form = {"type": "object", "properties": {"a": {"type": "string", "enum": ["x" * 9000]}}}
    one = {"title": "\x01" * 4000, "schema": form, "url": None, "expiresAt": None}
    whole = [parts.new_question(envelope("odd", questionId=f"q{n}", **one)) for n in range(64)]
    short = cut.questions(whole, 10**6, 100_000)
    assert short[:2] == whole[:2]
    assert len(to_json(short)) < 100_000 + 64
    assert short[-1]["cut"] == {"title": 4000, "schema": len(to_json(form))}
    assert whole[-1]["title"].startswith(short[-1]["title"])


def test_the_newest_blocks_of_a_message_stay_whole():
    blocks = [block(n, result="r" * 300, status="completed") for n in range(1, 6)]
    room = cut.size_of_message(answer(*blocks)) - 100
    short = cut.fitted(answer(*blocks), room)
    assert len(to_json(short)) <= room
    assert short["blocks"][-1] == blocks[-1]
    assert [b["blockId"] for b in short["blocks"]] == [f"m.{n}" for n in range(1, 6)]
    assert short["blocks"][0]["cut"] == {"result": 300}
    assert "earlierBlocks" not in short


def test_blocks_without_number_are_left_out_and_counted():
    short = cut.fitted(answer(*[block(n) for n in range(1, 1001)]), 10_000)
    assert len(to_json(short)) <= 10_000
    assert short["earlierBlocks"] + len(short["blocks"]) == 1000
    assert short["blocks"][-1]["blockId"] == "m.1000"
    again = cut.fitted(short, 5_000)
    assert again["earlierBlocks"] + len(again["blocks"]) == 1000


@given(
    st.lists(st.fixed_dictionaries({"content": TEXTS, "result": TEXTS, "html": TEXTS}), max_size=8),
    st.integers(700, 5000),
)
def test_a_fitted_message_fits_and_tells_the_size_of_each_cut_part(texts, room):
    whole = answer(*[block(n, **fields) for n, fields in enumerate(texts)])
    short = cut.fitted(whole, room)
    assert len(to_json(short)) <= room
    left_out = short.get("earlierBlocks", 0)
    for kept, full in zip(short["blocks"], whole["blocks"][left_out:], strict=True):
        sizes = kept.get("cut", {})
        for name in ("content", "result", "html"):
            if name in sizes:
                assert sizes[name] == len(full[name].encode())
                assert full[name].startswith(kept[name] or "")
            else:
                assert kept[name] == full[name]


def test_a_prompt_and_a_notice_fit_as_well():
    prompt = parts.new_prompt(
        envelope("user_message", messageId="u", clientMsgId="c", text="ä" * 5000)
    )
    short = cut.fitted(prompt, 2000)
    assert short["cut"] == {"text": 10_000}
    assert len(to_json(short)) <= 2000
    notice = parts.new_notice(envelope("error"), code="odd", text="e" * 5000)
    assert len(to_json(cut.fitted(notice, 2000))) <= 2000


ENDS = st.fixed_dictionaries(
    {"content": TEXTS}, optional={"html": TEXTS, "input": st.dictionaries(st.just("k"), TEXTS)}
)
STEPS = st.lists(
    st.one_of(
        st.builds(lambda text: {"type": "block_delta", "blockId": "b", "delta": text}, TEXTS),
        st.builds(lambda end: {"type": "block_end", "blockId": "b", **end}, ENDS),
        st.builds(
            lambda more: {"type": "tool_update", "toolId": "t", **more},
            st.fixed_dictionaries({}, optional={"title": TEXTS, "input": TEXTS}),
        ),
        st.builds(
            lambda text: {
                "type": "tool_result",
                "toolId": "t",
                "status": "completed",
                "content": text,
            },
            TEXTS,
        ),
    ),
    max_size=12,
)


@given(STEPS, st.integers(0, 12))
def test_i12_a_cut_snapshot_and_cut_events_fold_to_the_beginnings_of_the_whole(steps, place):
    head = [
        {"type": "message_start", "messageId": "m", "turnId": "t", "role": "assistant"},
        {"type": "block_start", "blockId": "b", "blockType": "tool_use", "toolId": "t"},
    ]
    events = [envelope(e["type"]) | e | {"messageId": "m"} for e in head + steps]
    whole = fold.fold_all(fold.empty("s"), events)["current"]
    taken = fold.fold_all(fold.empty("s"), events[: place + 2])
    taken = {**taken, "current": cut.message(taken["current"], LIMIT)}
    short = fold.fold_all(taken, [cut.event(e, LIMIT) for e in events[place + 2 :]])["current"]
    [full], [shown] = whole["blocks"], short["blocks"]
    for part in ("content", "html", "input", "result"):
        size = shown.get("cut", {}).get(part)
        if size is None:
            assert shown[part] == full[part]
        elif part == "input":
            assert size == len(to_json(full[part])) or size == len(str(full[part]).encode())
        else:
            assert size == len(full[part].encode())
            assert full[part].startswith(shown[part] or "")
