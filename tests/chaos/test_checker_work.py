"""The checker must be able to fail: files, waiting prompts and folders that break a promise."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

import pytest

from lab.chaos.evidence import (
    Disturbance,
    Evidence,
    FolderEvidence,
    Interrupt,
    QueueChange,
    RepositoryEvidence,
    SentPrompt,
)
from lab.chaos.verdict.answers import check_attachments
from lab.chaos.verdict.checker import check_projection
from lab.chaos.verdict.folders import check_repository, check_restores
from lab.chaos.verdict.queue import check_queue
from tests.chaos.paper import SID, log_of, one_turn, rebuild, rules, session_of

Draft = tuple[str, dict[str, Any]]

FILE = {"blob": "b", "name": "b.png", "mime": "image/png", "size": 1}


def words(found: Any) -> str:
    return " / ".join(str(violation) for violation in found)


# --- Files of prompts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "logged", "is_good"),
    [
        (["b"], [FILE], True),
        ([], [], True),
        (["b"], [], False),
        (["b"], [FILE, FILE], False),
        (["a"], [FILE], False),
        ([], [FILE], False),
    ],
)
def test_i4_a_prompt_has_the_files_that_were_sent(good, sent, logged, is_good):
    events = one_turn()
    events[1] |= {"attachments": logged} if logged else {}
    rebuild(good, events)
    good.records[0].prompts["p1"].blobs = sent
    assert (words(check_attachments(good)) == "") is is_good


def test_a_prompt_that_never_arrived_has_lost_no_file(good):
    good.records[0].prompts["p2"] = SentPrompt("p2", SID, "hi", "failed", blobs=["b"])
    assert words(check_attachments(good)) == ""


def test_every_rule_is_among_the_checks(good):
    good.records[0].prompts["p1"].blobs = ["b"]
    good.records[0].queue_changes = [QueueChange(SID, "p1", None)]
    good.sessions[SID].folder = FolderEvidence(is_restoring=True)
    good.repository.locks = ["index.lock"]
    assert rules(good) == {"lost file", "lost change", "half a restore", "worktree"}


# --- Prompts that wait --------------------------------------------------------------------------


def prompt(name: str, text: str = "/run echo one") -> Draft:
    return "user_message", {"messageId": f"u-{name}", "clientMsgId": name, "text": text}


def edited(name: str, text: str, version: int = 2) -> Draft:
    return "prompt_edited", {"clientMsgId": name, "text": text, "version": version, "by": "alice"}


def withdrawn(name: str) -> Draft:
    return "prompt_withdrawn", {"clientMsgId": name, "by": "alice"}


def moved(*names: str) -> Draft:
    return "queue_reordered", {"clientMsgIds": [*names], "by": "alice"}


def turn(name: str, *commands: str, reason: str = "end_turn") -> list[Draft]:
    ids = {"messageId": f"m-{name}"}
    told: list[Draft] = [
        ("turn_start", {"turnId": f"t-{name}", "clientMsgId": name}),
        ("message_start", {**ids, "turnId": f"t-{name}", "role": "assistant"}),
    ]
    for number, command in enumerate(commands):
        block = {**ids, "blockId": f"b-{name}-{number}"}
        tool = {"toolName": "run", "toolId": f"c-{name}-{number}", "toolKind": "execute"}
        told.append(("block_start", {**block, "blockType": "tool_use", **tool}))
        told.append(("block_end", {**block, "content": command, "input": {"command": command}}))
    told.append(("message_end", ids))
    return [*told, ("turn_end", {"turnId": f"t-{name}", "stopReason": reason})]


def queue_of(good: Evidence, *drafts: Draft) -> str:
    good.sessions[SID].events = log_of(*drafts)
    return words(check_queue(good))


def test_i4_an_edited_prompt_runs_with_its_last_text(good):
    told = [prompt("p"), edited("p", "/run echo two")]
    assert queue_of(good, *told, *turn("p", "echo two")) == ""
    assert queue_of(good, *told, *turn("p", reason="agent_crashed")) == ""
    assert "another text" in queue_of(good, *told, *turn("p", "echo one"))
    assert "another text" in queue_of(good, *told, *turn("p", "echo two", "echo one"))
    assert "without its text" in queue_of(good, *told, *turn("p"))


def test_i4_a_prompt_that_has_left_the_queue_is_not_edited(good):
    late = edited("p", "/run echo two")
    assert "too late" in queue_of(good, prompt("p"), *turn("p", "echo one"), late)
    assert "too late" in queue_of(good, prompt("p"), withdrawn("p"), late)
    assert "too late" in queue_of(good, prompt("p"), edited("p", "/run echo two", version=3))


def test_i4_a_withdrawn_prompt_never_runs(good):
    taken = [prompt("p"), withdrawn("p")]
    assert queue_of(good, *taken) == ""
    assert "taken back and ran" in queue_of(good, *taken, *turn("p", "echo one"))
    assert "it was over" in queue_of(good, prompt("p"), *turn("p", "echo one"), withdrawn("p"))
    good.sessions[SID].effects = ["p"]
    assert "taken back and ran" in queue_of(good, *taken)


def test_i4_prompts_run_in_the_order_of_the_queue(good):
    waiting = [prompt("p"), prompt("q")]
    one, other = turn("p", "echo one"), turn("q", "echo one")
    assert queue_of(good, *waiting, *one, *other) == ""
    assert "q ran before p" in queue_of(good, *waiting, *other, *one)
    assert queue_of(good, *waiting, moved("q", "p"), *other, *one) == ""
    assert "p ran before q" in queue_of(good, *waiting, moved("q", "p"), *one, *other)
    assert queue_of(good, *waiting, withdrawn("p"), *other) == ""
    # A stop means prompts that came before it, and ends them where they wait.
    stopped = [other[0], ("turn_end", {"turnId": "t-q", "stopReason": "interrupted"})]
    assert queue_of(good, *waiting, *stopped, *one) == ""


@pytest.mark.parametrize(
    ("change", "is_kept"),
    [
        (QueueChange(SID, "p", "two", 2), True),
        (QueueChange(SID, "p", None), True),
        (QueueChange(SID, "p", "two", 3), False),
        (QueueChange(SID, "p", "three", 2), False),
        (QueueChange(SID, "q", None), False),
        (QueueChange("another", "p", None), False),
    ],
)
def test_i4_an_accepted_change_is_in_the_log(good, change, is_kept):
    good.records[0].queue_changes = [change]
    told = queue_of(good, prompt("p", "one"), edited("p", "two"), withdrawn("p"))
    assert (told == "") is is_kept


# --- Interrupts that find nothing ---------------------------------------------------------------


@pytest.mark.parametrize(("since_s", "is_late"), [(60.0, False), (-1.0, True)])
def test_i7_an_interrupt_without_a_turn_is_in_no_log(good, since_s, is_late):
    ended = datetime.fromisoformat(good.sessions[SID].events[-1]["ts"]).timestamp()
    good.records[0].interrupts.append(Interrupt(SID, 9.0, 202, ended + since_s))
    good.disturbances.append(Disturbance("d0", ended + since_s, ended + since_s + 5.0))
    assert ("I7" in rules(good)) is is_late


# --- Messages that are taken back ----------------------------------------------------------------


def test_i12_stored_messages_bear_no_mark_of_a_return(good):
    back = {"to": 2, "by": "alice", "since": 3, "clientMsgIds": ["p1"]}
    [rewound] = log_of(("rewound", back))
    stored = good.sessions[SID].messages
    rebuild(good, [*one_turn(), rewound])
    assert good.sessions[SID].messages != stored
    good.sessions[SID].messages = stored
    assert words(check_projection(SID, good.sessions[SID])) == ""
    good.sessions[SID].messages = stored[:1]
    assert "I12" in words(check_projection(SID, good.sessions[SID]))


# --- Folders ------------------------------------------------------------------------------------


def kept(state: str, **more: Any) -> Draft:
    return "checkpoint_made", {"checkpointId": state, "files": 1, **more}


def restored(state: str, before: str, **more: Any) -> Draft:
    told = {"to": 1, "files": 1, "text": "Restored.", "by": "alice"}
    return "restored", {**told, "checkpointId": state, "kept": before, **more}


RESTORED = [kept("old", clientMsgId="p"), *turn("p"), kept("new"), restored("old", "new")]


def folder_of(good: Evidence, *drafts: Draft, end: FolderEvidence | None = None) -> str:
    good.sessions[SID].events = log_of(*drafts)
    good.sessions[SID].folder = end or FolderEvidence()
    return words(check_restores(good))


def test_a_restored_folder_is_whole_until_the_next_turn(good):
    assert folder_of(good, *RESTORED, kept("old", clientMsgId="q"), *turn("q"), kept("x")) == ""
    assert folder_of(good, *RESTORED, kept("half", clientMsgId="q")) != ""
    assert folder_of(good, *RESTORED[:-1], restored("old", "another")) != ""
    left = restored("old", "new", leftOut=1)
    assert folder_of(good, *RESTORED[:-1], left, kept("other")) == ""


@pytest.mark.parametrize(
    ("end", "is_good"),
    [
        (FolderEvidence("old"), True),
        (FolderEvidence(""), True),
        (FolderEvidence("half"), False),
        (FolderEvidence("old", is_restoring=True), False),
        (FolderEvidence("old", unfinished=[".backstay-1"]), False),
    ],
)
def test_a_restored_folder_is_whole_at_the_end(good, end, is_good):
    assert (folder_of(good, *RESTORED, end=end) == "") is is_good
    notice = ("notice", {"kind": "worktree_discarded", "text": "Gone."})
    assert (folder_of(good, *RESTORED, notice, end=FolderEvidence("empty")) == "") is True


def test_a_restore_that_is_given_up_is_told(good):
    failed = ("error", {"code": "restore_failed", "error": "The files were not all restored."})
    assert "not all restored" in folder_of(good, *RESTORED[:-1], failed)


@pytest.mark.parametrize("part", ["refused", "locks", "changed", "trees", "branches"])
def test_nothing_of_a_worktree_is_left_in_the_way(good, part):
    assert words(check_repository(good)) == ""
    setattr(good.repository, part, ["something"])
    assert "something" in words(check_repository(good))


def test_a_merge_brings_all_that_was_committed(good):
    command = "echo p > p.txt && git add -A && git commit -qm p"
    done: Draft = (
        "tool_result",
        {"messageId": "m-p", "toolId": "c-p-0", "status": "completed", "content": ""},
    )
    told = turn("p", command)
    told.insert(-2, done)
    merged: Draft = ("notice", {"kind": "worktree_merged", "text": "Merged."})
    good.sessions[SID].events = log_of(prompt("p", f"/run {command}"), *told, merged)
    assert words(check_repository(good)).startswith("lost merge: p.txt")
    good.repository = RepositoryEvidence(files={"p.txt"})
    assert words(check_repository(good)) == ""
    good.repository = RepositoryEvidence()
    unmerged = copy.deepcopy(good.sessions[SID].events[:-1])
    good.sessions[SID] = session_of(unmerged)
    assert words(check_repository(good)) == ""
