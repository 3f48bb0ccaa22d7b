"""Decisions in a terminal: answers by number, and rules that are shown before they are saved."""

from __future__ import annotations

from typing import Any, Final

from sessions.text.asking import inset, one_line
from transport.terminal.acts.numbered import number_of
from transport.terminal.desk import Desk, Words
from transport.terminal.showing.requests import Choice

HELP: Final = """\
:NUMBER [TEXT]  answer a permission request; each of its answers has its own number, and a
                denial may carry a sentence to the agent
:a NUMBER       show the pattern of a rule that would allow that request always
:a NUMBER PATTERN                save such a rule for this chat, and choose the answer NUMBER
"""
# A person may deny an action without a look at it.
REJECTS: Final = frozenset({"reject_once", "reject_always"})


class Decisions:
    """Answers the requests that the screen has shown, each by its number and no other."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def words(self) -> Words:
        """Return the commands by their words; each takes the rest of its line."""
        return {":a": self.always}

    async def answer(self, number: int, sentence: str = "") -> None:
        """Choose the answer of a number; sentence: to the agent, beside a denial."""
        choice = self._choice(number)
        if choice is not None and self._may_choose(choice):
            body: dict[str, Any] = {"sessionId": choice.session_id, "permId": choice.perm_id}
            body |= {"optionId": choice.option_id, "digest": choice.digest}
            body |= {"message": sentence} if sentence else {}
            self._desk.failed(await self._desk.client.command("permission", **body))

    async def always(self, words: str) -> None:
        """Show the pattern of a request's rule, or save the one that was typed and allow."""
        word, _, pattern = words.strip().partition(" ")
        choice = self._choice(number := number_of(word) or 0)
        if choice is None:
            return
        if not self._may_choose(choice):
            return
        if choice.kind != "allow_once":
            self._desk.say(f"Name an answer that allows once: {number} does not.")
            return
        named: dict[str, Any] = {"sessionId": choice.session_id, "permId": choice.perm_id}
        told = (await self._desk.client.post("/api/rules/suggest", **named)).body
        if not told.get("ok") or not told["pattern"]:
            self._desk.say(f"! {inset(str(told.get('error') or told.get('sentence')))}")
        elif pattern.strip():
            await self._save(choice, number, told["kind"], pattern.strip())
        else:
            shown = one_line(told["pattern"])
            self._desk.say(f"A rule would allow in this chat, by {told['kind']}: {shown}")
            self._desk.say(f"  :a {number} {shown}   saves it; you may change the pattern")

    async def _save(self, choice: Choice, number: int, kind: str, pattern: str) -> None:
        rule: dict[str, Any] = {"scope": "chat", "effect": "allow"}
        rule |= {"kind": kind, "pattern": pattern}
        made = await self._desk.client.post("/api/rules", **rule, sessionId=choice.session_id)
        self._desk.failed(made)
        if made.body.get("ok"):
            self._desk.say(f"Saved as rule:{made.body['rule']['id']}.")
            await self.answer(number)

    def _may_choose(self, choice: Choice) -> bool:
        """Return whether a choice may be sent; say so where the action must be read first."""
        is_read = self._desk.screen.requests.is_read(choice.perm_id)
        if not is_read and choice.kind not in REJECTS:
            self._desk.say("Only the beginning was shown: :whole shows all, then allow it.")
            return False
        return True

    def _choice(self, number: int) -> Choice | None:
        """Return the option of a number; say so where there is none."""
        choice = self._desk.screen.requests.choice(number)
        if choice is None:
            was_given = self._desk.screen.requests.was_given(number)
            said = "That request is no longer open." if was_given else "There is no such choice."
            self._desk.say(said)
        return choice
