"""Long texts, piece by piece: whole here where they are cut elsewhere, for their owner alone."""

import json

import pytest
from django.contrib.auth.models import User
from django.test import Client

from sessions.access import tokens
from sessions.control.send import create_session
from sessions.eventlog import store
from sessions.eventlog.events import Draft

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("stream_threads"),
]

TEXT = "".join(f'{number}: ä€😀 \\ "\n' for number in range(4000))
IDS = {"messageId": "m"}
BLOCK = {**IDS, "blockId": "m.1"}


class Reader:
    """A user of the API, with a session of their own."""

    def __init__(self, name: str) -> None:
        self.user = User.objects.create_user(name)
        self.session = create_session(owner=self.user, agent="demo").pk
        self.headers = {"Authorization": f"Bearer {tokens.create_token(self.user)}"}

    def append(self, *drafts: tuple[str, dict]) -> None:
        store.append(self.session, [Draft(kind, payload) for kind, payload in drafts])

    def get(self, block: str, **query):
        path = f"/api/sessions/{self.session}/blocks/{block}"
        return Client().get(path, query, headers=self.headers)

    def whole(self, block: str, **query) -> tuple[str, list[dict]]:
        """Return the text of all pieces, and the pieces."""
        pieces, start = [], 0
        while start is not None:
            pieces.append(self.get(block, start=start, **query).json())
            start = pieces[-1]["next"]
            assert len(pieces) < 1000
        return "".join(piece["text"] for piece in pieces), pieces


@pytest.fixture
def ada(settings) -> Reader:
    settings.CHAT = {**settings.CHAT, "PAGE_BYTES": "65536"}
    return Reader("ada")


def begin(reader: Reader, **block) -> None:
    reader.append(
        ("message_start", {**IDS, "turnId": "t", "role": "assistant"}),
        ("block_start", {**BLOCK, "blockType": "text", **block}),
    )


@pytest.mark.parametrize("is_finished", [True, False])
def test_a_long_block_comes_in_pieces_with_its_html_first(ada: Reader, is_finished) -> None:
    begin(ada)
    ada.append(("block_end", {**BLOCK, "content": TEXT, "html": "<p>rendered</p>"}))
    if is_finished:
        ada.append(("message_end", IDS))
    text, pieces = ada.whole("m.1")
    assert text == TEXT
    assert len(pieces) > 5
    assert all(len(json.dumps(piece, ensure_ascii=False)) <= 65536 for piece in pieces)
    assert {piece["size"] for piece in pieces} == {len(TEXT.encode())}
    assert [piece["html"] for piece in pieces] == ["<p>rendered</p>"] + [None] * (len(pieces) - 1)


def test_html_that_is_longer_than_a_page_is_left_out(ada: Reader) -> None:
    begin(ada)
    ada.append(("block_end", {**BLOCK, "content": "short", "html": "<p>" * 30_000}))
    assert ada.get("m.1").json()["html"] is None


def test_a_block_that_grows_is_read_as_far_as_it_has_come(ada: Reader) -> None:
    begin(ada)
    ada.append(("block_start", {**IDS, "blockId": "m.2", "blockType": "text"}))
    for at in range(0, len(TEXT), 1000):
        ada.append(
            ("block_delta", {**BLOCK, "delta": TEXT[at : at + 1000]}),
            ("block_delta", {**IDS, "blockId": "m.2", "delta": "of another block"}),
        )
    text, pieces = ada.whole("m.1")
    assert text == TEXT
    assert pieces[0]["size"] == len(TEXT.encode())


def test_the_parts_of_a_tool_are_those_that_were_told_last(ada: Reader) -> None:
    given = {"command": TEXT}
    begin(ada, blockType="tool_use", toolName="run", toolId="tool", toolKind="execute")
    ada.append(
        ("block_end", {**BLOCK, "content": "first title", "input": {"command": "old"}}),
        ("tool_update", {**IDS, "toolId": "tool", "title": "last title"}),
        ("tool_update", {**IDS, "toolId": "tool", "input": given}),
        ("tool_result", {**IDS, "toolId": "tool", "status": "completed", "content": "early"}),
        ("tool_result", {**IDS, "toolId": "tool", "status": "completed", "content": TEXT}),
        ("message_end", IDS),
    )
    assert ada.whole("m.1")[0] == "last title"
    assert json.loads(ada.whole("m.1", part="input")[0]) == given
    assert ada.whole("m.1", part="result")[0] == TEXT


def test_a_list_of_a_result_and_the_parts_of_a_request_come_as_json(ada: Reader) -> None:
    diffs = [{"path": "a", "oldText": None, "newText": TEXT}]
    begin(ada, blockType="tool_use", toolName="run", toolId="tool", toolKind="edit")
    request = {"permId": "p", "toolName": "run", "title": "", "input": {"command": TEXT}}
    options = [{"id": "yes", "kind": "allow_once", "label": TEXT}]
    request |= {"options": options, "expiresAt": "e", "diffs": diffs}
    question = {"questionId": "q", "title": "true", "schema": {"a": TEXT}, "expiresAt": "e"}
    done = {**IDS, "toolId": "tool", "status": "completed", "content": "c"}
    ada.append(
        ("permission_request", request),
        ("question_asked", question),
        ("tool_result", {**done, "diffs": diffs}),
        ("tool_result", done),
    )
    for name, part, expected in (
        ("m.1", "diffs", diffs),
        ("p", "input", request["input"]),
        ("p", "diffs", diffs),
        ("p", "options", options),
        ("q", "schema", question["schema"]),
    ):
        assert json.loads(ada.whole(name, part=part)[0]) == expected
    for name, part, text in (("p", "toolName", "run"), ("q", "title", "true")):
        assert ada.whole(name, part=part)[0] == text
    for name, part in (("p", "locations"), ("p", "content"), ("q", "input"), ("m.1", "images")):
        assert ada.get(name, part=part).json()["code"] == "unknown_block"


def id_of(option: dict[str, str]) -> str:
    return option["id"]


def test_a_snapshot_with_the_longest_open_requests_keeps_its_bytes(ada: Reader) -> None:
    diffs = [{"path": "a", "oldText": "o" * 200_000, "newText": "n" * 200_000}]
    long = "\x01" * 300
    options = [{"id": f"y{n}", "kind": "allow_once", "label": long} for n in range(20)]
    told = {"toolName": long, "title": long, "input": {"command": "x" * 100_000}, "diffs": diffs}
    told |= {"options": options, "expiresAt": "e", "digest": "d"}
    ada.append(*(("permission_request", {**told, "permId": f"p{n}"}) for n in range(64)))
    path = f"/api/sessions/{ada.session}/snapshot"
    answer = Client().get(path, headers=ada.headers)
    assert len(answer.content) < 1024 * 1024
    shown = answer.json()["permissions"]
    assert [each["permId"] for each in shown] == [f"p{n}" for n in range(64)]
    assert (shown[0]["input"], shown[0]["options"]) == (told["input"], options)
    assert all([one["id"] for one in each["options"]] == [*map(id_of, options)] for each in shown)
    assert all(each["cut"]["diffs"] > 400_000 and each["digest"] == "d" for each in shown)
    first = ada.get("p63", part="diffs").json()
    assert first["text"].startswith("[{")
    assert first["size"] > 400_000


def test_the_text_of_a_prompt(ada: Reader) -> None:
    ada.append(("user_message", {"messageId": "u", "clientMsgId": "c", "text": TEXT}))
    assert ada.whole("u", part="text")[0] == TEXT


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ("m.9", "content"),
        ("other.1", "content"),
        ("m.1", "result"),
        ("m.1", "text"),
        ("%00", "content"),
        ("m.1%00", "content"),
        ("' OR 1=1 --", "content"),
    ],
)
def test_a_text_that_is_not_there(ada: Reader, block: str, part: str) -> None:
    begin(ada)
    ada.append(("block_end", {**BLOCK, "content": "yes"}), ("message_end", IDS))
    answer = ada.get(block, part=part)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_block")


def test_a_start_behind_the_end_is_an_empty_piece(ada: Reader) -> None:
    begin(ada)
    ada.append(("block_end", {**BLOCK, "content": "yes"}))
    piece = ada.get("m.1", start=2**30).json()
    assert (piece["text"], piece["next"], piece["size"]) == ("", None, 3)


def test_i11_a_stranger_gets_no_piece(ada: Reader) -> None:
    begin(ada)
    ada.append(("block_end", {**BLOCK, "content": "secret"}))
    stranger = Reader("eve")
    answer = Client().get(f"/api/sessions/{ada.session}/blocks/m.1", headers=stranger.headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_session")
    assert "secret" not in answer.content.decode()
