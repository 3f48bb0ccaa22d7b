"""The terminal against a real server: its line, the skipped events, each command of a person."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from tests.client.sitting import sitting
from tests.client.test_terminal import asked
from tests.client.waiting import PATIENCE_S, until


def turn(number, *, deltas=20):
    """The drafts of one turn: a prompt, and an answer with a tool in it."""
    turn_id, message_id = f"t{number}", f"a{number}"
    text, tool = (
        {"messageId": message_id, "blockId": f"{message_id}{kind}"} for kind in ("text", "tool")
    )
    prompt = {"clientMsgId": f"c{number}", "text": f"question {number}"}
    piece = f"answer {number} "
    ran = {"toolName": "run", "toolId": f"x{number}"}
    return [
        ["user_message", {"messageId": f"u{number}", **prompt}],
        ["turn_start", {"turnId": turn_id, "clientMsgId": f"c{number}"}],
        ["message_start", {"messageId": message_id, "turnId": turn_id, "role": "assistant"}],
        ["block_start", {**text, "blockType": "text"}],
        *[["block_delta", {**text, "delta": piece}] for _ in range(deltas)],
        ["block_end", {**text, "content": piece * deltas}],
        ["block_start", {**tool, "blockType": "tool_use", **ran}],
        ["block_end", {**tool, "content": "{}"}],
        [
            "tool_result",
            {
                "messageId": message_id,
                "toolId": f"x{number}",
                "status": "completed",
                "content": f"did {number}",
            },
        ],
        ["message_end", {"messageId": message_id}],
        ["turn_end", {"turnId": turn_id, "stopReason": "end_turn"}],
    ]


async def test_a_terminal_tells_since_when_it_is_down_and_shows_what_was_skipped(make_server):
    server = make_server(environment={"CHAT_MAX_REPLAY_GAP": "20", "CHAT_SNAPSHOT_MESSAGES": "2"})
    async with sitting(server) as one:
        await one.shows("(demo) —")
        one.types(":skipped")
        await one.shows("Nothing was skipped.")
        await asyncio.to_thread(server.kill)
        await one.shows("[reconnecting, down since ")
        for number in range(1, 4):
            await one.call("append_drafts", drafts=turn(number))
        await asyncio.to_thread(server.start)
        await one.shows("[live again]", within_s=2 * PATIENCE_S)
        await one.shows("updates came while you were away")
        assert one.text.count("down since") == 1
        assert "did 1" not in one.text
        one.clear()
        one.types(":skipped")
        await one.shows("the end of the skipped events")
        told = one.text.splitlines()
        head = len(await one.call("events"))
        assert told[0] == f"— events 2 to {head}, which were skipped —"
        expected = [
            line
            for number in range(1, 4)
            for line in (
                f"> question {number}",
                (f"answer {number} " * 20),
                "[run]",
                f"[completed] did {number}",
            )
        ]
        assert told[1:-1] == expected
        one.clear()
        one.types(":skipped")
        await one.shows("Nothing was skipped.")


async def test_each_answer_names_its_request_also_after_a_reconnect(make_server):
    server = make_server(options=["--no-agents"])
    begun = [
        ["user_message", {"messageId": "u1", "clientMsgId": "c1", "text": "go"}],
        ["turn_start", {"turnId": "t1", "clientMsgId": "c1"}],
    ]

    def request(number):
        fields = asked(number)
        return [fields.pop("type"), {k: v for k, v in fields.items() if k != "sessionId"}]

    async with sitting(server, agent=None) as one:
        await one.call("append_drafts", drafts=[*begun, *map(request, (1, 2, 3))])

        def decisions():
            return {e["permId"]: e["decision"] for e in one.log("permission_resolved")}

        await one.shows("  :6 No")
        one.types(":1")
        await one.shows("[yes, answered]")
        assert decisions() == {"p1": "yes"}
        await asyncio.to_thread(server.kill)
        await one.shows("down since")
        elsewhere = {"permId": "p3", "decision": "no", "by": "alice", "reason": "answered"}
        await one.call("append_drafts", drafts=[["permission_resolved", elsewhere], request(4)])
        await asyncio.to_thread(server.start)
        await one.shows("  :8 No")
        one.types(":5", ":1", ":999", f":{'9' * 5000}", ":²", ":4")
        await until(lambda: "p2" in decisions())
        assert decisions() == {"p1": "yes", "p2": "no", "p3": "no"}
        assert one.text.count("That request is no longer open.") == 2


async def test_the_whole_of_a_long_text_is_shown_piece_by_piece(make_server):
    server = make_server(options=["--no-agents"], environment={"CHAT_PAGE_BYTES": "20000"})
    line = "All of it, line by line."
    long_chat = partial(server.data.call, "long_chat", turns=1, chars=600_000)
    async with sitting(server, agent=None, begin=long_chat) as one:
        await one.shows(":whole shows all of it")
        beginning = one.text.count(line)
        one.types(":whole")
        # Hundreds of requests, one after the other.
        await until(lambda: one.text.count(line) == beginning + 24_000, 3 * PATIENCE_S)
        # An action of which only the beginning was shown cannot be allowed.
        request = asked(1) | {"input": {"command": "x" * 300_000 + " to its end"}}
        drafts = [[request.pop("type"), {k: v for k, v in request.items() if k != "sessionId"}]]
        await one.call("append_drafts", drafts=drafts)
        await one.shows("This is the beginning of 300,")
        one.types(":1")
        await one.shows("Only the beginning was shown")
        assert one.log("permission_resolved") == []
        one.types(":whole")
        await one.shows(" to its end")
        one.types(":1")
        await one.shows("[yes, answered]")


async def test_prompts_that_wait_are_changed_by_their_numbers(make_server):
    async with sitting(make_server()) as one:
        one.types("/slow 600")
        await one.shows("word2")
        for number, text in enumerate(("/slow 1", "/slow 2", "/slow 3"), 2):
            one.types(text)
            await until(lambda n=number: len(one.log("user_message")) == n)
        one.types(":unqueue 1")
        await one.shows("There is no such prompt: see :queue.")
        one.types(":queue")
        await one.shows("  3 /slow 3")
        one.types(":edit 2 /slow 4", ":unqueue 1", ":move 3 2", ":edit 2 again", ":now 2")
        await one.shows("! The prompt was edited on another device")
        one.types(None)
        await one.end()
        sent = [e["clientMsgId"] for e in one.log("user_message")]
        assert [e["clientMsgId"] for e in one.log("turn_start")] == [sent[0], sent[2], sent[3]]
        answers = [e["content"].split()[-1] for e in one.log("block_end")]
        assert answers[1:] == ["word4", "word3"]


async def test_a_line_is_queued_and_a_prompt_that_is_sent_now_goes_before_it(make_server):
    async with sitting(make_server()) as one:
        one.types("/slow 600")
        await one.shows("word2")
        one.types("/slow 1")
        await until(lambda: len(one.log("user_message")) == 2)
        one.types(":now /slow 2", None)
        await one.end()
        sent = [e["clientMsgId"] for e in one.log("user_message")]
        assert [e["clientMsgId"] for e in one.log("turn_start")] == [sent[0], sent[2], sent[1]]
        ends = [e["stopReason"] for e in one.log("turn_end")]
        assert ends == ["interrupted", "end_turn", "end_turn"]
        assert "! " not in one.text


async def test_a_rule_is_shown_before_it_is_saved_and_a_denial_carries_a_sentence(make_server):
    async with sitting(make_server()) as one:

        def decided():
            return one.log("permission_resolved")

        one.types("/run echo one; echo two")
        await one.shows(":3 ")
        one.types(":a 1")
        await one.shows("! No rule can allow this")
        one.types(":a 3")
        await one.shows("3 does not.")
        one.types(":3 One at a time.")
        await until(lambda: len(decided()) == 1)
        one.types("/run echo three")
        await one.shows(":6 ")
        one.types(":a 4")
        await one.shows("  :a 4 echo three   saves it")
        assert len(decided()) == 1
        one.types(":a 4 echo")
        await one.shows("Saved as rule:")
        await until(lambda: len(decided()) == 2)
        one.types("/run echo four")
        await until(lambda: len(decided()) == 3)
        first, second, third = decided()
        assert (first["decision"], first["message"]) == ("reject_once", "One at a time.")
        assert (second["decision"], second["by"]) == ("allow_once", "alice")
        assert third["by"].startswith("rule:")


async def test_a_file_goes_with_the_next_prompt_and_with_no_other(make_server, tmp_path):
    image = tmp_path / "a shot.png"
    # Two pieces of an upload.
    image.write_bytes(b"\x89PNG\r\n\x1a\n" + b"p" * 1_500_000)
    async with sitting(make_server()) as one:
        one.types(f":attach {tmp_path / 'missing.png'}")
        await one.shows("cannot be read: No such file")
        one.types(f":attach {image}")
        await one.shows("[a shot.png: 1,500,008 bytes, with the next prompt]")
        one.types("/slow 1")
        await one.shows("I see 1 image")
        one.types("/slow 2", None)
        await one.end()
        first, second = one.log("user_message")
        assert [each["name"] for each in first["attachments"]] == ["a shot.png"]
        assert first["attachments"][0]["mime"] == "image/png"
        assert "attachments" not in second


async def test_files_of_the_folder_are_listed_and_named_and_answers_are_marked_as_read(
    make_server,
):
    server = make_server()
    async with sitting(server) as one:
        await one.shows("(demo) —")
        one.types(":files rea")
        await one.shows("No file has these letters.")
        folder = Path((await one.call("events"))[0]["cwd"])
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        await asyncio.to_thread((folder / "README.md").write_text, "read me")
        one.types(":files rea")
        await one.shows("@README.md")
        one.types("/slow 1 look at @README.md, not at @nothing.txt")
        await until(lambda: len(one.log("turn_end")) == 1)
        [prompt] = one.log("user_message")
        assert prompt["mentions"] == ["README.md"]
        end = one.log("turn_end")[0]["seq"]

        def read() -> int:
            with server.client("alice") as client:
                return int(client.get(f"/api/sessions/{one.session}").json()["readSeq"])

        await until(lambda: read() >= end)
