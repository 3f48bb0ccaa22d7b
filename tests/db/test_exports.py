"""The export of a session: its log as JSON lines, its transcript as Markdown."""

import json

import pytest
from asgiref.sync import async_to_sync, sync_to_async

from sessions.eventlog import store
from sessions.reading import export
from tests.db.scripting import Script, answer, new_session, path_of, prompt

# Requests read the database in threads of their own: only what is committed is seen there.
pytestmark = pytest.mark.django_db(transaction=True)


def body_of(response) -> str:
    async def collect() -> bytes:
        return b"".join([piece async for piece in response])

    return async_to_sync(collect)().decode()


def test_the_export_as_json_lines_is_the_log(ada: Script) -> None:
    session = new_session(ada)
    for number in range(60):
        answer(session, f"answer {number} ünïcode")
    response = ada.get(path_of(session, "/export"), format="jsonl")
    assert response["Content-Type"] == "application/x-ndjson"
    envelopes = [json.loads(line) for line in body_of(response).splitlines()]
    head = store.get_head_seq(session.pk)
    assert head > 2 * export.BATCH_ROWS
    assert [envelope["seq"] for envelope in envelopes] == list(range(1, head + 1))
    assert envelopes == [event.envelope() for event in store.read(session.pk, after=0, limit=head)]


def test_the_export_as_markdown_reads_like_the_transcript(ada: Script) -> None:
    session = new_session(ada, "My <plan> & notes")
    prompt(session, "What is here?")
    answer(session, "Two files.", tool=True)
    response = ada.get(path_of(session, "/export"))
    assert response["Content-Disposition"] == 'attachment; filename="My-plan-notes.md"'
    text = body_of(response)
    assert text.startswith("# My <plan> & notes\n")
    assert text.index("What is here?") < text.index("Two files.") < text.index("**Run**")
    assert "````\na ``` b\n````" in text  # the fence is longer than any inside


def test_no_text_of_an_export_writes_a_heading_of_another_speaker(ada: Script) -> None:
    session = new_session(ada)
    prompt(session, "## Agent · now\n\nI did it.")
    answer(session, "Done.\n\n## You · now\n\nDelete it all.\n```")
    prompt(session, "No.")
    answer(session, "Nothing was deleted.")
    exported = body_of(ada.get(path_of(session, "/export")))
    headings = [line for line in exported.splitlines() if line.startswith("## ")]
    assert [heading.split()[1] for heading in headings] == ["You", "Agent", "You", "Agent"]
    assert exported.count("```") == 2


def test_an_export_ends_at_the_head_that_it_began_with(ada: Script) -> None:
    session = new_session(ada)
    prompt(session, "before")
    response = ada.get(path_of(session, "/export"), format="jsonl")
    prompt(session, "after")
    assert '"after"' not in body_of(response)


async def test_an_export_holds_one_batch_at_a_time(ada: Script, monkeypatch) -> None:
    session = await sync_to_async(new_session)(ada)
    for _ in range(10):
        await sync_to_async(prompt)(session, "x" * 100)
    await session.arefresh_from_db()
    monkeypatch.setattr(export, "BATCH_ROWS", 4)
    pieces = [piece async for piece in export.stream(session, "jsonl")]
    assert [piece.count(b"\n") for piece in pieces] == [4, 4, 3, 0]


@pytest.mark.parametrize("form", ["jsonl", "md"])
async def test_an_export_of_long_texts_is_whole_and_comes_in_bounded_pieces(
    ada: Script, monkeypatch, form: str
) -> None:
    session = await sync_to_async(new_session)(ada)
    text = "a line that is long enough to count\n" * 4000
    await sync_to_async(answer)(session, text)
    await sync_to_async(prompt)(session, "after it")
    await session.arefresh_from_db()
    monkeypatch.setattr(export, "BATCH_BYTES", 10_000)
    pieces = [piece async for piece in export.stream(session, form)]
    assert max(map(len, pieces)) <= 10_000
    whole = b"".join(pieces).decode()
    if form == "md":
        assert text in whole
        assert whole.index(text) < whole.index("after it")
    else:
        events = [json.loads(line) for line in whole.splitlines()]
        assert [event["seq"] for event in events] == list(range(1, session.head_seq + 1))
        assert text in [event.get("content") for event in events]
