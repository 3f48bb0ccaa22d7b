"""The screen of a terminal: frames of one session become text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple

from sessions.text.asking import one_line
from transport.terminal.showing.answer import Answer
from transport.terminal.showing.lines import lines_of, lines_of_all, request_lines
from transport.terminal.showing.messages import message_lines
from transport.terminal.showing.paper import Paper, Write
from transport.terminal.showing.questions import Questions
from transport.terminal.showing.requests import Requests
from transport.terminal.showing.skips import Skips
from transport.terminal.showing.standing import Standing
from transport.terminal.showing.tones import Toned, quiet

Frame = dict[str, Any]

# The parts of a block that a person reads, the longest last.
_READ: Final = ("input", "result", "content")
_OVER = frozenset({"answered", "interrupted", "failed", "withdrawn"})


class CutText(NamedTuple):
    """A text of which only the beginning came."""

    block_id: str
    part: str


class Screen:
    """One session, as a terminal shows it; pure but for `write`. width: as of Paper."""

    def __init__(
        self,
        write: Write,
        *,
        has_colours: bool = False,
        width: Callable[[], int] | None = None,
    ) -> None:
        self.paper = Paper(write, has_colours=has_colours, width=width)
        self.session_id: str | None = None
        self.requests = Requests()
        self.questions = Questions()
        self.standing = Standing()
        # The prompts, by their clientMsgId, whose turns are over.
        self.answered: set[str] = set()
        # Prompts that the terminal itself has on the screen, as they were typed.
        self.typed: set[str] = set()
        self._skips = Skips()
        self._answer = Answer(self.paper)
        # The text that was cut last, in the session that is shown.
        self.last_cut: CutText | None = None
        self._has_header = False

    def open(self, session_id: str | None) -> None:
        """Show another session. Requests of the one before can no longer be answered here."""
        self.session_id = session_id
        self.last_cut = None
        self._has_header = False
        self.standing = Standing()
        self._close()

    def line(self, text: str) -> None:
        """Write a line of its own."""
        self.paper.line(text)

    def show(self, frame: Frame) -> None:
        """Show one frame; those of other sessions are left out."""
        if frame.get("sessionId") != self.session_id:
            return
        self.standing.apply(frame)
        if frame["type"] == "tool_result":
            frame = dict(self._answer.result(frame))
        if not self._was_typed(frame):
            for line in lines_of(frame):
                self.line(line)
        handler = self._HANDLERS.get(frame["type"])
        if handler is not None:
            handler(self, frame)

    def skips(self) -> list[tuple[int, int]]:
        """Return the skips of this session that were not shown, as (first, last) seq."""
        return self._skips.of(self.session_id)

    def show_skipped(self, first: int, last: int, events: Iterable[Frame]) -> None:
        """Show the events of a skip, which ends it."""
        self.line(f"— events {first} to {last}, which were skipped —")
        for line in lines_of_all(events):
            self.line(line)
        self.line("— the end of the skipped events —")
        self._skips.shown(self.session_id, first)

    def _was_typed(self, frame: Frame) -> bool:
        """Return whether a prompt stands on the screen already; asked once for each."""
        name = frame.get("clientMsgId", "")
        is_prompt = frame.get("role", frame.get("type")) in {"user", "user_message"}
        if is_prompt and name in self.typed:
            self.typed.discard(name)
            return True
        return False

    # --- One kind of frame each -------------------------------------------------------------------

    def _session_snapshot(self, frame: Frame) -> None:
        if frame["full"]:
            self._show_header(frame)
            for message in frame["messages"]:
                self._message(message)
            if frame["current"]:
                self._current(frame["current"])
        self._open_requests(frame["permissions"], is_again=frame["full"])
        self.questions.keep([question["questionId"] for question in frame.get("questions", [])])
        for question in frame.get("questions", []):
            self._question_asked(question)

    def _show_header(self, frame: Frame) -> None:
        """Name the session, once. The title of one that begins here is on the screen already."""
        begins_here = any(m.get("clientMsgId") in self.typed for m in frame["messages"][:1])
        title = "" if begins_here else frame["title"]
        if not self._has_header:
            named = f"{one_line(title or 'new session')} ({one_line(frame['agent'])})"
            self.line(Toned("title", f"— {named} —"))
        self._has_header = True

    def _open_requests(self, requests: list[Frame], *, is_again: bool) -> None:
        """Take the list of a snapshot: others were resolved while the stream was down."""
        self.requests.keep([request["permId"] for request in requests])
        for request in requests:
            if is_again or not self.requests.has_shown(request):
                for line in request_lines(request):
                    self.line(line)
                self._permission_request(request)

    def _message(self, message: Frame) -> None:
        if message.get("promptState") in _OVER:
            self.answered.add(message["clientMsgId"])
        if not self._was_typed(message):
            for line in message_lines(message):
                self.line(line)
        for block in message.get("blocks", ()):
            if "cut" in block:
                self._note_cut(block["blockId"], block["cut"])
        self._user_message(message)

    def _current(self, message: Frame) -> None:
        """Show the answer in flight; its last block is still open, and grows."""
        blocks, last = message["blocks"], message["blocks"][-1:]
        is_open = any(not b["done"] and b["blockType"] != "tool_use" for b in last)
        self._message({**message, "blocks": blocks[:-1] if is_open else blocks})
        for block in last:
            self._block_start(block)
            if is_open:
                cut = {"cut": block["cut"]} if "cut" in block else {}
                self._answer.add({"delta": block["content"], **cut})

    def _block_start(self, frame: Frame) -> None:
        self._answer.begin(frame)

    def _block_delta(self, frame: Frame) -> None:
        self._answer.add(frame)

    def _block_end(self, frame: Frame) -> None:
        self._answer.end(frame)
        if "cut" in frame and not self._answer.has_flowed:
            self._note_cut(frame["blockId"], frame["cut"])

    def _tool_result(self, frame: Frame) -> None:
        block_id = self._answer.tools.get(frame.get("toolId", ""), "")
        size = frame.get("cut", {}).get("content")
        if block_id and size is not None:
            self._note_cut(block_id, {"result": size})

    def _user_message(self, frame: Frame) -> None:
        if "cut" in frame and "text" in frame:
            self._note_cut(frame["messageId"], frame["cut"], parts=("text",))

    def _note_cut(
        self, block_id: str, sizes: Mapping[str, int], *, parts: Sequence[str] = _READ
    ) -> None:
        """Say that a text is longer than its beginning, which was shown."""
        for part in parts:
            if part in sizes:
                self.last_cut = CutText(block_id, part)
                self.line(f"[the {part} is longer, {sizes[part]:,} bytes: :whole shows all of it]")

    def _permission_request(self, frame: Frame) -> None:
        self._answer.asked(frame)
        for number, label in self.requests.add(self.session_id or "", frame):
            self.line(f"  :{number} {one_line(label)}")

    def _question_asked(self, frame: Frame) -> None:
        for line in self.questions.add(frame):
            self.line(line)

    def _turn_end(self, frame: Frame) -> None:
        self.answered.add(self.standing.prompts.pop(frame["turnId"], ""))
        self._close()
        fill = self.standing.fill()
        if fill and self.paper.is_drawn:
            self.line(quiet(fill))

    def _close(self) -> None:
        """Forget the tools of a turn, and the requests, which can no longer be answered here."""
        self._answer.clear()
        self.requests.keep(())
        self.questions.keep(())

    def _prompt_withdrawn(self, frame: Frame) -> None:
        self.answered.add(frame["clientMsgId"])

    _HANDLERS: ClassVar[dict[str, Callable[[Screen, Frame], None]]] = {
        "session_snapshot": _session_snapshot,
        "block_start": _block_start,
        "block_delta": _block_delta,
        "block_end": _block_end,
        "tool_output": lambda self, frame: self._answer.output(frame),
        "tool_result": _tool_result,
        "permission_request": _permission_request,
        "permission_resolved": lambda self, frame: self.requests.close(frame["permId"]),
        "user_message": _user_message,
        "question_asked": _question_asked,
        "question_answered": lambda self, frame: self.questions.close(frame["questionId"]),
        "turn_end": _turn_end,
        "prompt_withdrawn": _prompt_withdrawn,
        "replay_skipped": lambda self, frame: self.line(self._skips.add(frame)),
    }
